"""Deployment: which version answers, who comes next, and whether that one may stay. `plan` is the order of one look."""
