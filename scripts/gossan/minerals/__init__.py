"""Spectral angles: mineral maps and their tables."""
