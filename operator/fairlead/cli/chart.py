"""A chart of a series beside a bound, in text."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

WIDTH, HEIGHT = 72, 10


def chart(series: Sequence[float], bound: float, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """Lines of text: the series from left to right (of more values than columns, each column's largest), and the bound
    as a line. Values that are not finite are left out."""
    columns = _columns([value if isfinite(value) else None for value in series], width)
    known = [value for value in columns if value is not None]
    top, bottom = max([*known, bound]), min([*known, 0.0])
    span = top - bottom or 1.0
    rows = [round((top - value) / span * (height - 1)) if value is not None else None for value in columns]
    at = round((top - bound) / span * (height - 1))
    found = []
    for row in range(height):
        level = top - span * row / (height - 1)
        cells = "".join(_cell(row, mine, at, level) for mine in rows)
        found.append(f"{level:8.2f} ┤{cells}".rstrip())
    return found


def _cell(row: int, mine: int | None, bound: int, level: float) -> str:
    """A bar from zero up to the value, or a mark at a value below zero; else the bound's line."""
    if mine is not None and (mine == row or (mine <= row and level >= 0)):
        return "█"
    return "─" if row == bound else " "


def _columns(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    found: list[float | None] = []
    for column in range(width):
        part = values[column * len(values) // width : (column + 1) * len(values) // width]
        found.append(max((value for value in part if value is not None), default=None))
    return found


BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """One line of bars from the smallest value to the largest (of more values than columns, each column's largest); a
    space for what is not known."""
    columns = _columns([value if value is not None and isfinite(value) else None for value in values], width)
    known = [value for value in columns if value is not None]
    low = min(known, default=0.0)
    span = max(known, default=0.0) - low or 1.0
    return "".join(" " if one is None else BARS[int((one - low) / span * (len(BARS) - 1))] for one in columns)
