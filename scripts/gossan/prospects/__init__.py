"""Strata around mines, labels of iron ore, potential, and which tests of forests are told."""
