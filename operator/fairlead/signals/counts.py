"""Values that a counter of whole things can have."""

from __future__ import annotations

LARGEST = 2.0**53
"""Beyond it a number does not tell one from the next: it is no count, and nothing can be reckoned with it."""


def is_count(value: float) -> bool:
    """Whether a counter can have this value; NaN and infinity are none."""
    return 0.0 <= value <= LARGEST
