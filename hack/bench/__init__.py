"""Measurements: what is claimed about speed and size is made here, and can be repeated."""
