"""When each step ran, as bars on one axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fairlead.api.units import human

WIDE = 1000.0
THIN = 4.0
"""Width of a bar of no length."""


def moment(stamp: str) -> float | None:
    """Epoch seconds of an RFC 3339 time; None for what is none."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def between(started: str, finished: str) -> float | None:
    """Seconds; None: one of them is not known."""
    first, last = moment(started), moment(finished)
    return max(0.0, last - first) if first is not None and last is not None else None


@dataclass(frozen=True)
class Axis:
    """Of the time of a run. Both ends in epoch seconds."""

    first: float
    last: float

    def head(self) -> str:
        """What it spans."""
        return f"0 to {human(self.last - self.first)}" if self.last > self.first else ""

    def bar(self, started: str, finished: str, word: str) -> str:
        """A step's; nothing, if it has not run. word: of the style sheet."""
        begun, ended = moment(started), moment(finished)
        if begun is None or ended is None:
            return ""
        scale = WIDE / max(self.last - self.first, 1e-9)
        left = min(max(0.0, (begun - self.first) * scale), WIDE - THIN)
        width = min(max(THIN, (ended - begun) * scale), WIDE - left)
        told = f"from {human(max(0.0, begun - self.first))} to {human(max(0.0, ended - self.first))}"
        return (
            f"<svg class=bar viewBox='0 0 {WIDE:g} 10' preserveAspectRatio=none role=img><title>{told}</title>"
            f"<rect class=none y='4' width='{WIDE:g}' height='2'/>"
            f"<rect class={word} x='{left:.1f}' width='{width:.1f}' height='10'/></svg>"
        )


def axis(stamps: Iterable[str]) -> Axis:
    """From the first to the last of some times; those that are none don't count."""
    found = [one for one in map(moment, stamps) if one is not None]
    return Axis(min(found, default=0.0), max(found, default=0.0))
