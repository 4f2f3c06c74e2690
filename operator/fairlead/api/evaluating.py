"""What a step that measures a model leaves: the worker writes it, and the plan says so beforehand."""

from __future__ import annotations

MODEL, DATA = "model", "data"
"""Its inputs."""
OUTPUT = "evaluation"
"""Its output, a page; the document with the same numbers is its artifact `evaluation.json`."""
FORMAT = 1
"""Of what is measured and how it is left: results of another one are not taken from earlier runs."""
