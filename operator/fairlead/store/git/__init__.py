"""Repositories of code: what a name stands for there, and the objects of a commit."""
