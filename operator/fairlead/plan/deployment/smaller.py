"""What a Deployment's status can do without where the API server does not take all of it: the records of what was,
never what is decided. What was dropped of a ledger is counted in it."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.api.candidate import Candidate, RolloutRecord
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.ledger import Ledger
from fairlead.plan.deployment.evidence import backlog
from fairlead.plan.terse import TEXT, terse

FEW = 20
"""Lines of a ledger that are kept first;"""
ROOM = 8 << 10
"""and the bytes of them."""


def forms(status: DeploymentStatus) -> Iterator[DeploymentStatus]:
    """Smaller and smaller: with short ledgers, with a short history, with neither."""
    short = _ledgers(status, FEW, ROOM)
    yield short
    shorter = terse(short).model_copy(update={
        "history": [_brief(one) for one in status.history[:3]],
    })  # fmt: skip
    yield shorter
    # the last record says whether what is live was taken back to
    yield _ledgers(shorter, 1, 0).model_copy(update={"unsaved": [], "history": shorter.history[:1]})


def _ledgers(status: DeploymentStatus, most: int, room: int) -> DeploymentStatus:
    changes: dict[str, object] = {"unsaved": [backlog.cut(one, most, room) for one in status.unsaved]}
    if status.candidate:
        changes["candidate"] = _of_candidate(status.candidate, most, room)
    if status.watch:
        changes["watch"] = status.watch.model_copy(update={"ledger": backlog.cut(status.watch.ledger, most, room)})
    if status.monitors:
        book = backlog.cut(status.monitors.ledger, most, room)
        changes["monitors"] = status.monitors.model_copy(update={"ledger": book})
    if status.experiment:
        arms = [_of_candidate(one, most, room) for one in status.experiment.arms]
        changes["experiment"] = status.experiment.model_copy(update={"arms": arms})
    return status.model_copy(update=changes)


def _of_candidate(candidate: Candidate, most: int, room: int) -> Candidate:
    book: Ledger = backlog.cut(candidate.ledger, most, room)
    return candidate.model_copy(update={"ledger": book})


def _brief(record: RolloutRecord) -> RolloutRecord:
    return record.model_copy(update={"guards": [], "message": record.message[:TEXT]})
