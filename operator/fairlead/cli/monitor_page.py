"""A model's windows as one page of HTML that needs nothing else: the table's figures, with a chart for each of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from fairlead.cli import monitor_view as views
from fairlead.cli import session
from fairlead.cli.monitor_view import Series, Thing, View
from fairlead.cli.session import Problem
from fairlead.cli.show_profile import cut
from fairlead.cli.text import amount, count
from fairlead.worker import html
from fairlead.worker.html import table, text

HTML = "html"
MOST = 200
"""Charts of things that are watched; the table has all of them."""
_WIDE, _HIGH, _EDGE = 320.0, 96.0, 4.0


def wanted(output: str) -> bool:
    """Whether an option of what to print means a page: `html`, or a file for one."""
    return output == HTML or output.endswith(f".{HTML}")


def tell(view: View, output: str) -> None:
    """Print it, or write it to a file (`NAME.html`). Raises Problem."""
    if output == HTML:
        sys.stdout.write(page(view))
        return
    try:
        Path(output).write_text(page(view), encoding="utf-8")
    except OSError as failed:
        raise Problem(str(failed)) from None
    session.tell(f"written to {output}")


def page(view: View) -> str:
    """The whole page."""
    return "".join(_parts(view))


def _parts(view: View) -> Iterator[str]:
    yield html.opening(view.title)
    yield f"<p>{text(view.note)}</p>"
    yield table("Monitors", view.monitors, ["Monitor", "State", "Since", "Reason", "Message"])
    yield from _windows(view)
    found = views.things(view)
    if found and view.last is not None:
        yield f"<h2>What is watched, after {text(view.last.at)}</h2><div class=grid>"
        yield from (_thing(view, one) for one in found[:MOST])
        yield "</div>"
    rows = [[cut(one.name, 80), one.kind, one.state, one.size or "-", f"{one.share:.0%}", one.why] for one in found]
    yield table("As a table", rows, ["What", "Kind", "State", "Difference", "Of an alarm's evidence", ""])
    yield table("Quality", views.quality(view), ["Metric", "Estimated", "Real"])
    yield table(
        "Losses", views.losses(view), ["Loss", "Mean", "At first", "Tolerated", "Of an alarm's evidence", "State"]
    )
    groups = [[one.rule, one.name, one.value, one.interval, one.note] for one in views.groups(view)]
    yield table("Fairness", groups, ["Rule", "Slice", "Share", "Interval", ""])
    yield table("Alarms", [list(one) for one in views.alarms(view)], ["Window", "What"])
    yield table(
        "Requests that were not understood",
        [[why, count(many)] for why, many in views.unread(view)],
        ["Why", "How many"],
    )
    lacking = [[cut(first, 80), count(many), why, remedy] for why, remedy, many, first in views.not_known(view)]
    yield table("Unknown", lacking, ["The first", "How many", "Why", "Remedy"])
    yield from (f"<p>{text(one)}</p>" for one in view.said)
    yield html.END


def _windows(view: View) -> Iterator[str]:
    if not view.windows:
        return
    first, last = view.windows[0].at, view.windows[-1].at
    yield f"<h2>{amount(len(view.windows), 'window')}, from {text(first)} to {text(last)}</h2><div class=grid>"
    for name, values in views.series(view).items():
        yield _chart(view, name, "", values)
    yield "</div>"


def _thing(view: View, one: Thing) -> str:
    told = [one.kind, one.state, *([one.size] if one.size else []), f"{one.share:.0%} of an alarm's evidence"]
    return _chart(view, cut(one.name, 80), f"{', '.join(told)}; {one.measure} over time", one.trend)


def _chart(view: View, name: str, told: str, values: Series) -> str:
    """A line from the first window to the last; a gap where nothing is known."""
    known = [value for value in values if value is not None and isfinite(value)]
    among = f"{min(known):.4g} to {max(known):.4g}" if known else "nothing is known"
    caption = f"<figcaption><b>{text(name)}</b><br><small>{text('; '.join(filter(None, (told, among))))}</small>"
    return f"<figure>{caption}</figcaption>{_drawn(view, values, known)}</figure>"


def _drawn(view: View, values: Series, known: Sequence[float]) -> str:
    low, high = min([*known, 0.0]), max(known, default=0.0)
    span, step = high - low or 1.0, _WIDE / max(1, len(values) - 1)
    points, path, pen = [], [], "M"
    for at, value in enumerate(values):
        if value is None or not isfinite(value):
            pen = "M"
            continue
        x, y = at * step, _HIGH - _EDGE - (value - low) / span * (_HIGH - 2 * _EDGE)
        path.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
        said = text(f"{view.windows[at].at}: {value:.5g}")
        points.append(f"<rect x='{x - 2:.1f}' y='{y - 2:.1f}' width='4' height='4'><title>{said}</title></rect>")
    line = f"<path d='{''.join(path)}'/>" if path else ""
    return (
        f"<svg viewBox='-4 0 {_WIDE + 8:g} {_HIGH:g}' preserveAspectRatio=none role=img>{line}{''.join(points)}</svg>"
    )
