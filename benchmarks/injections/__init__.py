"""Faults that are put into inputs, disks and settings, and what is made of the answers."""
