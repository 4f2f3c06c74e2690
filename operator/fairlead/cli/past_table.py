"""A stream's windows as a table, with lines of bars, and what came of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

from fairlead.cli.blocks import Block, Lines, Table, Title, show
from fairlead.cli.chart import sparkline
from fairlead.cli.past_json import moment
from fairlead.cli.past_summary import Summary, state
from fairlead.monitor.report import Report

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged

_WIDEST = 72
_HEADERS = ("WINDOW", "FROM", "ROWS", "WORST FEATURE", "STATE", "ALARMS")


def tell(past: Past) -> None:
    """Print it."""
    show(blocks(past))


def blocks(past: Past) -> list[Block]:
    """The table, lines of bars, and sentences."""
    summary, rows = Summary(past), []
    psi: list[float | None] = []
    for judged in past.judgement.windows():
        summary.add(judged)
        rows.append(_row(past, judged))
        psi.append(worst(judged.report)[1])
    found: list[Block] = [Title("monitor", f"profile {past.profile.digest[:12]}", f"{summary.rows:,} rows")]
    if rows:
        found.append(Table(_HEADERS, rows))
        found.append(Lines(_bars({"worst PSI": psi})))
    return [*found, Lines(list(summary.said()))]


def _row(past: Past, judged: Judged) -> list[str]:
    name, psi = worst(judged.report)
    return [
        str(judged.index), str(moment(past, judged.at)), f"{judged.tally.rows:,}",
        "-" if psi is None else f"{name} PSI {psi:.3f}", state(judged.report), _alarms(judged.report),
    ]  # fmt: skip


def worst(report: Report) -> tuple[str, float | None]:
    """The feature or output that moved furthest, with its PSI; None: none is known."""
    known = [(name, one.psi) for name, one in (*report.drift.items(), *report.outputs.items()) if one.psi is not None]
    return max(known, key=lambda one: one[1], default=("", None))


def _alarms(report: Report) -> str:
    """What, with its evidence as odds, of how many were needed."""
    said = [f"{one.monitor}: {one.what} ({_odds(one.log_evidence)} of {_odds(one.bound)})" for one in report.alarms]
    return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")


def _odds(log_value: float) -> str:
    value = exp(min(log_value, 100.0))
    return f"{value:,.0f}" if value < 1e6 else f"{value:.0e}"


def _bars(series: dict[str, Sequence[float | None]]) -> list[str]:
    found = []
    for name, values in series.items():
        known = [value for value in values if value is not None]
        if known:
            drawn = sparkline(values, _WIDEST)
            found.append(f"{name:<20} {drawn}  {min(known):.3f} to {max(known):.3f}")
    return found
