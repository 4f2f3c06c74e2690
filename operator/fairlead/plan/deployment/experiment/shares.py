"""Who gets which share of the users: equal ones, or those of a bandit."""

from __future__ import annotations

from fairlead.api.candidate import ExperimentStatus
from fairlead.api.experiment import Experiment
from fairlead.plan.core import epoch
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look
from fairlead.verdict import bandit
from fairlead.verdict.arms import Trials

FLOOR = 5
"""Percent that a bandit leaves to everybody who is not shown to be worse."""
STEP = 10
"""Percent by which a bandit changes a share at once at most."""
PAUSE = 30.0
"""Seconds between a bandit's changes: each is a change of the route."""


def settled(look: Look, wanted: Experiment, kept: ExperimentStatus) -> ExperimentStatus:
    """The experiment with the shares of those that take part now. A share that becomes free is divided among the
    others, the live version too, in proportion: so what they have relative to each other stays what it was."""
    part = phase.taking_part(kept)
    own = {one.version: float(one.share) for one in kept.contenders}
    least = FLOOR if wanted.allocation == "Bandit" else 1
    if wanted.allocation == "Equal" or not any(own[one.version] for one in kept.contenders[1:]):
        own = equal(wanted, kept)
    percents = bandit.whole(_scaled([max(own[version], least) for version in part])) if len(part) > 1 else [100]
    return _given(look, kept, dict(zip(part, percents, strict=True)))


def equal(wanted: Experiment, kept: ExperimentStatus) -> dict[str, float]:
    """Equal shares of all candidates, whether they take part or not."""
    share, candidates = float(wanted.share.rstrip("%")), len(kept.contenders) - 1
    return {one.version: share / candidates for one in kept.contenders} | {kept.against: 100.0 - share}


def moved(look: Look, wanted: Experiment, kept: ExperimentStatus) -> ExperimentStatus:
    """The experiment after a bandit's next move, if it is time for one."""
    part = phase.taking_part(kept)
    since = kept.moved_at or kept.since
    if wanted.allocation != "Bandit" or len(part) < 2 or look.now < epoch(since) + PAUSE:
        return kept
    found = [phase.contender(kept, version) for version in part]
    chances = [one.best for one in bandit.standings([Trials(one.total, one.successes) for one in found])]
    most = int(wanted.share.rstrip("%"))
    percents = bandit.moved(chances, [one.share for one in found], most, FLOOR, STEP)
    return _given(look, kept, dict(zip(part, percents, strict=True)))


def _scaled(parts: list[float]) -> list[float]:
    return [100.0 * part / sum(parts) for part in parts]


def _given(look: Look, kept: ExperimentStatus, percents: dict[str, int]) -> ExperimentStatus:
    """The experiment with these shares; what tells whether users are divided as asked begins anew with them."""
    found = [one.model_copy(update={"share": percents.get(one.version, 0)}) for one in kept.contenders]
    if found == kept.contenders:
        return kept
    fresh = kept.division.model_copy(update={"counts": [], "since": None, "log_evidence": "0"})
    return kept.model_copy(update={"contenders": found, "moved_at": look.stamp, "division": fresh})
