"""Pipelines and their runs."""
