"""A step for each item of a list."""
