"""What guards on labels have seen, as people look at it: which answers are labelled by now, and which were wrong."""

from __future__ import annotations

from fairlead.api.deployment import DeploymentStatus, GuardEvidence
from fairlead.api.labelled import LabelCounts, LabelsSeen
from fairlead.cli.blocks import Block, Lines, Table
from fairlead.cli.text import ago, count, evidence, percent

HEADERS = ["GUARD", "VERSION", "ANSWERS", "LABELLED", "COVERAGE", "WRONG", "RATE", "EVIDENCE OF HARM"]


def blocks(status: DeploymentStatus, now: float) -> list[Block]:
    """A table of the rollout's answers, and a line for each guard; nothing without such guards."""
    rows, lines = list[list[str]](), list[str]()
    for version, against, guard in _guards(status):
        seen = guard.labels or LabelsSeen()
        harm = evidence(guard.log_evidence, guard.bound)
        rows += [
            [guard.guard, version, *_counts(seen.candidate), harm],
            ["", against, *_counts(seen.stable), f"{guard.windows} cohorts"],
        ]
        lines.append(f"{guard.guard}: {_pairs(seen)}{_joined(status, version, guard, now)}")
    return [Table(HEADERS, rows, caption="labels of the rollout's answers"), Lines(lines)] if rows else []


def _guards(status: DeploymentStatus) -> list[tuple[str, str, GuardEvidence]]:
    """(version, the one before it, guard) of what is on its way, and of what is watched."""
    found = []
    if status.candidate:
        mine = status.candidate
        found += [(mine.version, mine.against, guard) for guard in mine.guards if guard.labels]
    for one in status.joins:
        if one.canary and status.watch and one.version == status.watch.version:
            found.append((one.version, one.against, GuardEvidence.model_validate_json(one.canary)))
    return found


def _counts(counts: LabelCounts) -> list[str]:
    return [
        count(counts.answered), count(counts.labelled), percent(counts.labelled, counts.answered),
        count(counts.wrong), percent(counts.wrong, counts.labelled),
    ]  # fmt: skip


def _pairs(seen: LabelsSeen) -> str:
    pairs = seen.pairs
    total = pairs.alike + pairs.candidate_wrong + pairs.stable_wrong
    if not total:
        return ""
    return (
        f"of {count(total)} requests that both answered {count(pairs.candidate_wrong)} were answered wrongly by the "
        f"candidate alone, {count(pairs.stable_wrong)} by the live version alone; "
    )


def _joined(status: DeploymentStatus, version: str, guard: GuardEvidence, now: float) -> str:
    """How far the Dataset has been joined."""
    seen = guard.labels or LabelsSeen()
    last = f"joined with version {seen.dataset} {ago(seen.at, now)}" if seen.at else "nothing joined yet"
    mine = next((one for one in status.joins if (one.version, one.guard) == (version, guard.guard)), None)
    if mine is None:
        return last
    if mine.job:
        last += f"; version {mine.job.dataset} is being joined"
    doubtful = [
        f"{count(number)} labels {what}"
        for number, what in ((mine.changed, "changed later"), (mine.contradictory, "contradict each other"))
        if number
    ]
    return "; ".join([last, *doubtful])
