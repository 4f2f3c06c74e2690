"""The guards of a rollout as people look at them: what both arms did, the evidence against its bound, and its way."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.units import many
from fairlead.cli.blocks import Table
from fairlead.cli.text import count, evidence, percent
from fairlead.cli.trail import Trail
from fairlead.plan.deployment.metrics.base import Metric
from fairlead.plan.deployment.metrics.registry import METRICS

HEADERS = ["GUARD", "STATE", "ARM", "SEEN", "BAD", "RATE", "EVIDENCE OF HARM"]

Row = list[str]


def table(candidate: Candidate, trail: Trail) -> Table:
    """Two rows a guard or more; the last column is the way that the evidence took."""
    rows = [row for guard in candidate.guards for row in _guard(candidate, guard, trail)]
    if not any(row[-1] for row in rows):
        return Table(HEADERS, [row[:-1] for row in rows])
    return Table([*HEADERS, "ITS WAY"], rows)


def _guard(candidate: Candidate, guard: GuardEvidence, trail: Trail) -> list[Row]:
    first, second, *others = _rows(candidate, guard)
    way = trail.drawn(guard.guard, guard.bound)
    found = [
        [guard.guard, guard.state, *first, evidence(guard.log_evidence, guard.bound), way],
        ["", "", *second, _windows(guard), ""],
        *(["", "", *other, "", ""] for other in others),
    ]
    if guard.proven:
        found.append(["", "", "proof", "", "", "", evidence(guard.proven.log_evidence, guard.proven.bound), ""])
    return found


def _windows(guard: GuardEvidence) -> str:
    return many(guard.windows, "window")


def _rows(candidate: Candidate, guard: GuardEvidence) -> list[Row]:
    """(arm, seen, bad, rate) of a guard, by what it counts. A newer operator may know more metrics."""
    metric = METRICS.get(guard.guard.split("/")[-1], Metric())
    return [[row.name, _text(row.seen), _text(row.bad), _rate(row.rate)] for row in metric.rows(candidate, guard)]


def _text(told: int | str | None) -> str:
    return count(told) if isinstance(told, int) else told or ""


def _rate(told: tuple[int, int] | str) -> str:
    return told if isinstance(told, str) else percent(*told)


def counted(arm: ArmCounts) -> Row:
    """(seen, bad, rate) of an arm."""
    return [count(arm.requests), count(arm.failures), percent(arm.failures, arm.requests)]
