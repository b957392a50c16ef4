"""Targets: what the methods agree on, ranked, and how well known sites are met."""
