"""Samples, labels, forests, potential and targets."""
