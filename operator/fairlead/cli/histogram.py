"""A feature of a profile as heights, to be drawn: in a terminal, or on a page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fairlead.monitor.profile import BINS, Category, Number

_BARS = "▁▂▃▄▅▆▇█"
_BEYOND = 0.25
"""Parts of the range of the edges: so far beyond them the picture goes; what is farther is drawn at its end."""


def heights(feature: Number | Category, cells: int) -> list[float]:
    """Rows by cell. Of a category, and of a number with few values, a cell each; else cells of one width, over which
    the rows of a bin are spread evenly."""
    if isinstance(feature, Category) or len(feature.counts) < BINS:
        return [float(n) for n in feature.counts]
    low, high = shown(feature)
    width = (high - low) / cells
    found = [0.0] * cells
    for (start, end), n in zip(pairwise([feature.low, *feature.edges, feature.high]), feature.counts, strict=True):
        first, last = (min(cells - 1, max(0, int((at - low) / width))) if width else 0 for at in (start, end))
        inside = [min(end, low + width * (i + 1)) - max(start, low + width * i) for i in range(first, last + 1)]
        inside = [max(0.0, one) for one in inside]
        for at, one in enumerate(inside, first):
            found[at] += n * (one / sum(inside) if sum(inside) else 1 / len(inside))
    return found


def shown(feature: Number) -> tuple[float, float]:
    """The ends of the picture of a number with many values."""
    first, last = feature.edges[0], feature.edges[-1]
    beyond = (last - first) * _BEYOND
    return max(feature.low, first - beyond), min(feature.high, last + beyond)


def sparkline(found: Sequence[float]) -> str:
    """One line of bars; a space where there is nothing."""
    top = max(found, default=0.0)
    if not top > 0:
        return ""
    return "".join(_BARS[min(7, int(8 * one / top))] if one > 0 else " " for one in found)
