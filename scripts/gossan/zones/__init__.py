"""Alteration zones: robust anomalies, wavelets, confidence, score."""
