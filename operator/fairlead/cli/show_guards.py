"""The guards of a rollout as people look at them: what both arms did, the evidence against its bound, and its way."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.review import Review
from fairlead.cli.blocks import Table
from fairlead.cli.text import count, evidence, percent
from fairlead.cli.trail import Trail
from fairlead.verdict.pairs import disagreement

ALPHA = 0.05
"""The interval of a share is wrong so often, at any time."""
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
    return f"{guard.windows} window{'' if guard.windows == 1 else 's'}"


def _rows(candidate: Candidate, guard: GuardEvidence) -> list[Row]:
    """(arm, seen, bad, rate) of a guard, by what it counts."""
    match guard.guard.split("/")[-1]:
        case "gauge":
            return _values(candidate, guard)
        case "disagreement":
            return _pairs(guard)
        case "review":
            return _judged(candidate.review or Review())
    return [[candidate.version, *counted(guard.candidate)], [candidate.against, *counted(guard.stable)]]


def counted(arm: ArmCounts) -> Row:
    """(seen, bad, rate) of an arm."""
    return [count(arm.requests), count(arm.failures), percent(arm.failures, arm.requests)]


def _pairs(guard: GuardEvidence) -> list[Row]:
    """Answers to the same requests, and where the share of different ones lies."""
    seen = guard.candidate
    between = disagreement(seen.failures, seen.requests, ALPHA)
    where = f"{100 * between.low:.2f} … {100 * between.high:.2f} %" if seen.requests else "-"
    return [["answers differ", *counted(seen)], ["at all times", "", "", where]]


def _judged(review: Review) -> list[Row]:
    """What people said."""
    total = len(review.judged)
    return [
        ["found worse", count(total), count(review.worse), percent(review.worse, total)],
        ["found better", "", count(review.better), percent(review.better, total)],
        ["alike, both bad", "", f"{review.same}, {review.both_bad}", f"{len(review.pairs)} wait"],
    ]


def _values(candidate: Candidate, guard: GuardEvidence) -> list[Row]:
    """Means of a value."""
    values = guard.values
    if values is None or not values.pairs or len(values.sums) < 2:
        return [[candidate.version, "0", "", "-"], [candidate.against, "0", "", "-"]]
    means = [f"{float(total) / values.pairs:.6g}" for total in values.sums]
    pairs = count(values.pairs)
    return [[candidate.version, pairs, "", f"mean {means[1]}"], [candidate.against, pairs, "", f"mean {means[0]}"]]
