"""Transforms of bands that know of no mineral: wavelets, noise fractions, ratios, continua."""
