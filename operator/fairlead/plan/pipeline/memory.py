"""More memory for the next attempt of a step that ran out of it: twice as much, up to what `retry.memory` allows."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil

from fairlead.api.pipeline import Retry

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS = {
    "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(10**3), "Ki": Fraction(1 << 10), "M": Fraction(10**6),
    "Mi": Fraction(1 << 20), "G": Fraction(10**9), "Gi": Fraction(1 << 30), "T": Fraction(10**12),
    "Ti": Fraction(1 << 40),
}  # fmt: skip


def size(quantity: str) -> int:
    """Bytes of a quantity as Kubernetes writes it, rounded up. Raises ValueError for anything else."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"not a number of bytes: {quantity!r}; write for example 512Mi, 8Gi")
    return ceil(Fraction(match[1]) * _UNITS[match[2] or ""])


def written(number: int) -> str:
    """Bytes in the largest unit that says them exactly."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if number and number % int(_UNITS[unit]) == 0:
            return f"{number // int(_UNITS[unit])}{unit}"
    return str(number)


def problem(retry: Retry, limit: str) -> str:
    """Why `retry.memory` can give no attempt more than the first one has (limit; empty: as much as its node has); empty
    if it can, or is not there."""
    if retry.memory is None:
        return ""
    if not limit or size(retry.memory) <= size(limit):
        return "it must be more than resources.memory, which the first attempt may use"
    return "" if retry.limit else "it is for another attempt; set retry.limit, too"


def more(retry: Retry, has: str) -> str | None:
    """What the attempt may use that follows one that ran out of memory; None: that one had all that is allowed.

    Args:
        retry: The step's.
        has: What the one before could use; empty: as much as its node has.
    """
    if retry.memory is None or not has:
        return has
    return written(min(2 * size(has), size(retry.memory))) if size(has) < size(retry.memory) else None
