"""How much is tried: what there are minutes for at each change, or much more (`make soak` sets FAIRLEAD_SOAK=1)."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("FAIRLEAD_SOAK"))


def few(now: int, soak: int) -> int:
    """How many are tried: seeds, lives, rounds."""
    return soak if SOAK else now
