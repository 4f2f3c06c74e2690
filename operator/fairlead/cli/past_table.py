"""A stream's windows as a table, with lines of bars, and what came of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

from fairlead.cli.blocks import Block, Lines, Table, Title, show
from fairlead.cli.chart import sparkline
from fairlead.cli.past_json import moment
from fairlead.cli.past_summary import Summary, figures, state
from fairlead.cli.text import amount
from fairlead.monitor.report import Report

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged

_WIDEST = 72
_FIRST, _LAST = ("WINDOW", "FROM", "ROWS"), ("WORST FEATURE", "STATE", "ALARMS")
_METRICS = {"classification": ("accuracy", "auc"), "regression": ("mae",)}
"""Those that have columns; JSON has all."""


def tell(past: Past) -> None:
    """Print it."""
    show(blocks(past))


def blocks(past: Past) -> list[Block]:
    """The table, lines of bars, and sentences."""
    summary, lines = Summary(past), _Lines(_METRICS[past.profile.task])
    for judged in past.judgement.windows():
        summary.add(judged)
        lines.add(past, judged)
    found: list[Block] = [Title("monitor", f"profile {past.profile.digest[:12]}", f"{amount(summary.rows, 'row')}")]
    if lines.rows:
        found.append(lines.table())
        found += [Lines(bars)] if (bars := lines.bars()) else []
    return [*found, Lines(list(summary.said()))]


class _Lines:
    """A line a window; columns of which nothing is known are left out."""

    def __init__(self, metrics: Sequence[str]) -> None:
        kinds = (("estimated", "EST."), ("realised", "REAL"))
        self._columns = {f"{head} {metric.upper()}": (kind, metric) for kind, head in kinds for metric in metrics}
        self._series: dict[str, list[float | None]] = {name: [] for name in (*self._columns, "WORST PSI")}
        self.rows: list[tuple[list[str], dict[str, str], list[str]]] = []

    def add(self, past: Past, judged: Judged) -> None:
        """One more window."""
        report = judged.report
        known = {"estimated": figures(report.estimated), "realised": figures(report.realised)}
        cells = {}
        for name, (kind, metric) in self._columns.items():
            one = known[kind].get(metric)
            cells[name] = f"{one[0]:.3f} [{one[1]:.3f}, {one[2]:.3f}]" if one else "-"
            self._series[name].append(one[0] if one else None)
        feature, psi = worst(report)
        self._series["WORST PSI"].append(psi)
        first = [str(judged.index), str(moment(past, judged.at)), f"{judged.tally.rows:,}"]
        last = ["-" if psi is None else f"{feature} PSI {psi:.3f}", state(report), _alarms(report)]
        self.rows.append((first, cells, last))

    def table(self) -> Table:
        """All windows."""
        shown = [name for name in self._columns if any(one is not None for one in self._series[name])]
        rows = [[*first, *(cells[name] for name in shown), *last] for first, cells, last in self.rows]
        return Table((*_FIRST, *shown, *_LAST), rows)

    def bars(self) -> list[str]:
        """A line a series, from its smallest value to its largest."""
        found = []
        for name, values in self._series.items():
            known = [value for value in values if value is not None]
            if known:
                found.append(f"{name:<14} {sparkline(values, _WIDEST)}  {min(known):.3f} to {max(known):.3f}")
        return found


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
