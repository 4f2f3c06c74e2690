"""What a person has written that can't be a step or a pipeline."""

from __future__ import annotations


class Mistake(TypeError):  # noqa: N818 - what a person reads
    """Why not, and what to write instead."""
