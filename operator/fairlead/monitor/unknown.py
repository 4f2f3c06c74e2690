"""What can't be said, and why: missing evidence is neither a pass nor an alarm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """Takes the place of a number."""

    reason: str
    """What is missing, in a sentence."""
    remedy: str
    """What a person can do about it, in a sentence."""
