"""Measures speed and memory against the physical limit, and says so when something came out wrong."""
