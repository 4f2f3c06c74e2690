"""What no test accepts: numbers that nothing real can have produced. A wrong number must never read as a pass."""

from __future__ import annotations

from math import isfinite


def counts(**values: float) -> None:
    """Raise ValueError unless each value is a whole number of at least 0."""
    for name, value in values.items():
        if not isfinite(value) or value < 0 or value != int(value):
            raise ValueError(f"{name} must be a whole number of at least 0, not {value}")


def finite(**values: float) -> None:
    """Raise ValueError unless each value is a finite number."""
    for name, value in values.items():
        if not isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value}")


def shares(**values: float) -> None:
    """Raise ValueError unless each value lies strictly between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
