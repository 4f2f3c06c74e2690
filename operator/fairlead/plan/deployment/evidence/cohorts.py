"""What a join of labels has counted, between its form in status and the one that the statistics use.

A cohort is a window of test A: a request is a labelled answer, a failure a wrong one. Requests that both versions
answered are in no cohort; they are judged by test F.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.labelled import Joined, LabelCounts, LabelsSeen
from fairlead.api.tasks import JoinResult
from fairlead.api.units import share
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards, pairs
from fairlead.verdict.cohorts import Bucket, Cell, log_coverage_of
from fairlead.verdict.failures import GRID, log_mean
from fairlead.verdict.guards import decode, encode_all
from fairlead.verdict.pairs import Pairs
from fairlead.verdict.split import BOUND

UNEQUAL, UNKNOWN = "UnequalCoverage", "LabelsUnknown"


def taken(
    look: Look, joined: Joined, evidence: GuardEvidence, result: JoinResult, until: float = inf, together: float = inf
) -> tuple[Joined, GuardEvidence]:  # fmt: skip
    """Both after what a join has counted: pairs are judged, cohorts wait for their turn. Where the versions are not
    labelled alike, neither is. until: seconds after the rollout's beginning; later cohorts are not this guard's.
    together: from then on only one of them answers, but for a last few: these are older, so more of them are labelled,
    and nothing is compared."""
    joined = joined.model_copy(update={
        "used": result.used, "changed": joined.changed + result.changed, "contradictory": result.contradictory,
        "unmatched": result.unmatched, "log_coverage": _covered(joined, result, together),
        "reason": UNKNOWN if result.strange else "",
    })  # fmt: skip
    seen = _seen(look, joined, evidence.labels or LabelsSeen(), result)
    evidence = evidence.model_copy(update={"labels": seen})
    if unequal(joined):
        return joined.model_copy(update={"reason": UNEQUAL}), evidence
    fresh = [cohort for cell in result.cells if cell[0] < until and any(cohort := _cohort(cell))]
    joined, both = joined.model_copy(update={"pending": [*joined.pending, *fresh]}), sum(result.pairs)
    if not both:
        return joined, evidence
    known = pairs.written(pairs.read(seen.pairs) + _pairs(result))
    labels = seen.model_copy(update={"pairs": known})
    events = {"labels": labels, "step_events": evidence.step_events + both}
    return joined, guards.weighed(look, evidence.model_copy(update=events))


def _cohort(cell: list[int]) -> list[int]:
    """What both versions have alone: beginning; labelled and wrong of the live version; of the candidate."""
    return [cell[0], cell[3], cell[4], cell[7], cell[8]] if cell[3] + cell[7] else []


def _covered(joined: Joined, result: JoinResult, together: float) -> list[str]:
    """Whether labels come alike is judged by all answers of a stretch of time, paired ones too."""
    found = [decode(text) for text in joined.log_coverage] or [0.0] * (2 * len(GRID))
    for cell in (one for one in result.cells if one[0] < together):
        gained = log_coverage_of(Bucket(Cell(cell[1], cell[2]), Cell(cell[5], cell[6])))
        found = [have + new for have, new in zip(found, gained, strict=True)]
    return encode_all(found)


def unequal(joined: Joined) -> bool:
    """Whether it is shown that the versions' answers are not labelled alike."""
    return bool(joined.log_coverage) and log_mean([decode(text) for text in joined.log_coverage]) >= BOUND


def _pairs(result: JoinResult) -> Pairs:
    both_right, candidate_wrong, stable_wrong, both_wrong = result.pairs or [0, 0, 0, 0]
    return Pairs(both_right + both_wrong, candidate_wrong, stable_wrong)


def _seen(look: Look, joined: Joined, before: LabelsSeen, result: JoinResult) -> LabelsSeen:
    """For people: what was counted so far."""
    sums = [sum(cell[i] for cell in result.cells) for i in range(9)]
    both = result.pairs or [0, 0, 0, 0]
    stable_wrong, candidate_wrong = sums[4] + both[2] + both[3], sums[8] + both[1] + both[3]
    return before.model_copy(update={
        "dataset": joined.dataset, "at": look.stamp, **_given(joined, before, result),
        "stable": _plus(before.stable, sums[3] + sum(both), stable_wrong, result.kept[:1]),
        "candidate": _plus(before.candidate, sums[7] + sum(both), candidate_wrong, result.kept[1:]),
    })  # fmt: skip


def _given(joined: Joined, before: LabelsSeen, result: JoinResult) -> dict[str, str | None]:
    """From when to when the labelled answers were given, by the beginnings of their stretches of time."""
    fresh = [rfc3339(epoch(joined.since) + cell[0]) for cell in result.cells if cell[2] + cell[6]]
    known = [at for at in (before.oldest, before.youngest, *fresh) if at]
    return {"oldest": min(known, key=epoch, default=None), "youngest": max(known, key=epoch, default=None)}


def _plus(counts: LabelCounts, labelled: int, wrong: int, kept: Sequence[int] = ()) -> LabelCounts:
    """kept: how many answers there are by now, if that was counted."""
    return LabelCounts(
        answered=kept[0] if kept else counts.answered, labelled=counts.labelled + labelled, wrong=counts.wrong + wrong
    )


def judge_next(look: Look, guard: Guard, joined: Joined, evidence: GuardEvidence) -> tuple[Joined, GuardEvidence]:
    """Both after the next cohort. The first ones may serve to learn the live version's rate, which a margin is added
    to; these are not judged, for the margin must not depend on what is judged by it. The margin is fixed in a look of
    its own, for the ledger tells it as it was before the first cohort."""
    if not evidence.odds:
        return _learnt(look, guard, joined, evidence)
    (_, labelled, wrong, own_labelled, own_wrong), rest = joined.pending[0], joined.pending[1:]
    joined = joined.model_copy(update={"pending": rest})
    return joined, guards.seen(look, evidence, (labelled, wrong), (own_labelled, own_wrong))


def _learnt(look: Look, guard: Guard, joined: Joined, evidence: GuardEvidence) -> tuple[Joined, GuardEvidence]:
    known, (_, labelled, wrong, *_) = joined.reference, joined.pending[0]
    if share(guard.worse_by) > 0 and known.labelled < guards.ENOUGH:
        learnt = {"pending": joined.pending[1:], "reference": _plus(known, labelled, wrong)}
        return joined.model_copy(update=learnt), evidence
    fixed = guards.frozen(look, guard, known.labelled, known.wrong, by_difference=False)
    return joined, evidence.model_copy(update=fixed)
