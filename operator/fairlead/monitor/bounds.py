"""Which counts can be reckoned with."""

from __future__ import annotations

from fairlead.verdict import checks

LARGEST = 2**63 - 1
"""Of anything that is counted: no counter of ours goes further, and floats still hold its square."""


def counts(**values: float) -> None:
    """Raise ValueError unless each value is a whole number from 0 to LARGEST."""
    for name, value in values.items():
        if value > LARGEST:
            raise ValueError(f"{name} must be at most {LARGEST}")
    checks.counts(**values)
