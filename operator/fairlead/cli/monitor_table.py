"""A model's windows in a terminal: what each monitor says, lines of bars, what differs, slices, what isn't known."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from fairlead.cli import monitor_view as views
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.chart import WIDTH, sparkline
from fairlead.cli.monitor_view import Thing, View
from fairlead.cli.show_profile import cut
from fairlead.cli.text import bar, count

SHOWN, REASONS, ALARMS = 12, 8, 8
"""Things, reasons and alarms that a table has; a page has all."""
_NARROWEST, _BESIDE, _TREND = 10, 44, 24
"""Columns of the shortest line of bars, those that stand beside one, and those of a line of bars in a table."""


def width() -> int:
    """Columns of a line of bars: as the terminal has room; the same each time where nobody looks."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(_NARROWEST, min(WIDTH, shutil.get_terminal_size().columns - _BESIDE))


def blocks(view: View, columns: int = WIDTH) -> Iterator[Block]:
    """All of it. columns: of a line of bars."""
    yield Title(view.title, "", view.note)
    if view.monitors:
        yield Table(["MONITOR", "STATE", "SINCE", "REASON", "MESSAGE"], view.monitors)
    if view.windows:
        yield Lines(_bars(view, columns))
    yield from _differences(view, min(_TREND, columns))
    if known := views.quality(view):
        yield Table(["METRIC", "ESTIMATED", "REAL"], known)
    if lost := views.losses(view):
        yield Table(["LOSS", "MEAN", "AT FIRST", "TOLERATED", "OF AN ALARM'S EVIDENCE", "STATE"], lost)
    if groups := views.groups(view):
        rows = [[one.rule, one.name, one.value, one.interval, one.note] for one in groups]
        yield Table(["FAIRNESS", "SLICE", "SHARE", "INTERVAL", ""], rows)
    if said := [*_alarms(view), *_unknown(view), *view.said]:
        yield Lines(said)


def _bars(view: View, columns: int) -> list[str]:
    """A line a series, from its smallest value to its largest; and over all of them the windows."""
    shown = view.windows
    found = [f"{count(len(shown))} window{'s' if len(shown) > 1 else ''}, from {shown[0].at} to {shown[-1].at}"]
    for name, values in views.series(view).items():
        known = [value for value in values if value is not None]
        low, high = (_number(name, end) for end in (min(known), max(known)))
        among = low if low == high else f"{low} to {high}"
        found.append(f"{name:<14} {sparkline(values, columns)}  {among}")
    return found


def _number(name: str, value: float) -> str:
    if name == "rows":
        return count(round(value))
    return f"{value:.2%}" if name == "outliers" else f"{value:.4g}"


def _differences(view: View, columns: int) -> Iterator[Table]:
    found = views.things(view)
    if view.last is None or not found:
        return
    some = [one for one in found if one.share > 0 or one.state not in ("Ok", "Unknown")][:SHOWN] or found[:1]
    rest = len(found) - len(some)
    caption = f"what differs most after {view.last.at}, of {count(len(found))} that are watched"
    rows = [_line(one, columns) for one in some]
    rows += [[f"and {count(rest)} more", "", "", "", "", ""]] if rest else []
    yield Table(["WHAT", "KIND", "STATE", "DIFFERENCE", "OF AN ALARM'S EVIDENCE", "OVER TIME"], rows, caption)


def _line(one: Thing, columns: int) -> list[str]:
    far = f"{bar(one.share, 10)} {min(one.share, 99.99):.0%}"
    return [cut(one.name), one.kind, one.state, one.size or "-", far, sparkline(one.trend, columns)]


def _alarms(view: View) -> Iterator[str]:
    found = views.alarms(view)
    more = len(found) - ALARMS
    if more > 0:
        yield f"{count(more)} alarms began before the following ones."
    for at, what in found[-ALARMS:]:
        yield f"Alarm in the window {at}: {what}."


def _unknown(view: View) -> Iterator[str]:
    for why, many in views.unread(view)[:REASONS]:
        yield f"{count(many)} request{'s were' if many > 1 else ' was'} not understood: {why}."
    found = views.not_known(view)
    for reason, remedy, many, first in found[:REASONS]:
        others = f" and {count(many - 1)} more" if many > 1 else ""
        yield f"Unknown: {cut(first, 80)}{others}: {reason}. Remedy: {remedy}."
    if len(found) > REASONS:
        yield f"And {count(len(found) - REASONS)} more reasons why something is Unknown: -o json has all."
