"""The guard on the answers themselves: more of them than usual lie where the live version has none, or in one place.

What is usual follows from the live version's first answers in the rollout (`verdict.scores`); from then on answers of
both versions that are not usual are counted, window by window, and judged as failures are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import fsum, hypot, isfinite
from typing import Any

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence, Scores
from fairlead.api.guard import Guard
from fairlead.api.record import Output
from fairlead.manifests.meta import short_hash
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards
from fairlead.plan.deployment.evidence.answers import Batch
from fairlead.plan.deployment.evidence.likeness import Told
from fairlead.plan.deployment.evidence.promcounters import field
from fairlead.plan.deployment.evidence.signals import guard_of
from fairlead.plan.deployment.evidence.steps import compared
from fairlead.plan.deployment.metrics.base import Metric
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import KeptAnswer
from fairlead.verdict import engine, scores
from fairlead.verdict.guards import decode, encode
from fairlead.verdict.scores import KNOWN, OUT, OWN
from fairlead.verdict.trace import Prior

_LONGEST = 32
Score = float | str | None
"""A number, a label, or nothing that can be read."""


class _Scores(Metric):
    name = "scores"
    reason = "ScoresUnusual"
    unit = "answers"
    source = "Answers"
    comparing = True

    def answered(
        self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, batch: Batch, told: Told | None
    ) -> GuardEvidence:  # fmt: skip
        """While the two versions' requests can't be compared, nothing is missed."""
        if not compared(candidate):
            return guards.watching(state)
        return _one(look, candidate, index, state, batch)

    def unread(self, candidate: Candidate, state: GuardEvidence, why: Problem) -> GuardEvidence:
        return guards.silent(state, why.reason, why.message)

    def did(self, threshold: str) -> str:
        return "answered otherwise than usual in"

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        """In a step in which answers are compared, a guard that has seen no answer of the candidate has seen
        nothing."""
        return self._unseen(look, candidate) if compared(candidate) else None

    def stuck(self, look: Look, candidate: Candidate) -> Problem | None:
        if not self._unseen(look, candidate):
            return None
        return Problem(
            "CopiesUsedUp", f"all {candidate.step_requests} copies were answered before the guard on scores knew what "
            "the live version usually answers: raise copies in spec.rollout.steps",
        )  # fmt: skip

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        return replace(super().rules(name, guard, prior, begun), shared=True)

    def shortened(self, state: GuardEvidence) -> GuardEvidence:
        return super().shortened(state).model_copy(update={"scores": None})

    def _unseen(self, look: Look, candidate: Candidate) -> str | None:
        unseen = (state.guard for _, state in self.states(look, candidate) if not state.step_events)
        return next((f"answers for {name}" for name in unseen), None)


def _one(look: Look, candidate: Candidate, index: int, state: GuardEvidence, batch: Batch) -> GuardEvidence:
    assert look.spec.recorded
    output = look.spec.recorded.output
    live, own = (_read(output, answers) for answers in (batch.stable, batch.candidate))
    kept = state.scores or Scores()
    if not kept.live:
        return _known(look, candidate, index, state, kept, live)
    return _counted(look, state, kept, live, own)


def _read(output: Output, answers: Sequence[KeptAnswer]) -> list[Score]:
    """Requests that failed are not judged here: they have no answer."""
    return [score(output, answer.output) for answer in answers if answer.status < 400]


# --- what an answer says -------------------------------------------------------------------------------------------


def score(output: Output, told: Any) -> Score:
    """One number or one label of an answer, whatever its form: of several rows the mean, or the first label; of a
    vector its largest element (the confidence of class probabilities), of an embedding its length, of a text the number
    of its characters."""
    if told is None:
        return None
    match output.type:
        case "class":
            return _label(told[0] if isinstance(told, list) and told else told)
        case "text":
            return _finite([len(one) if isinstance(one, str) else None for one in _listed(told)], _mean)
        case "number":
            return _finite(_listed(told), _mean)
        case "vector":
            return _finite(_listed(told), max)
        case "embedding":
            return _finite(_listed(told), lambda values: hypot(*values))


def _listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)


def _finite(values: list[Any], put: Callable[[list[float]], float]) -> Score:
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e300]
    found = put(numbers) if values and len(numbers) == len(values) else None
    return found if found is not None and isfinite(found) else None


def _label(told: Any) -> Score:
    """Servers write whole labels as floats too. Long ones by their hash."""
    if not isinstance(told, str | int | float):
        return None
    text = told if isinstance(told, str) else json.dumps(int(told) if float(told).is_integer() else told)
    return text if 0 < len(text) <= _LONGEST else short_hash(text, length=16)


# --- what is usual -------------------------------------------------------------------------------------------------


def _known(
    look: Look, candidate: Candidate, index: int, state: GuardEvidence, kept: Scores, live: list[Score]
) -> GuardEvidence:  # fmt: skip
    """The first answers of the live version."""
    usable = [one for one in live if one is not None]
    unread = kept.unread + len(live) - len(usable)
    first = [*kept.first, *(encode(one) if isinstance(one, float) else one for one in usable)][:KNOWN]
    grown = kept.model_copy(update={"first": first, "unread": unread})
    waiting = state.model_copy(update={"scores": grown})
    if unread > KNOWN and unread > len(first):
        return guards.silent(waiting, "OutputUnreadable", f"{field(index, 'metric')}: {unread} answers of "
                             f"{candidate.against} are not of the declared type: correct spec.record.output (type, "
                             "path)")  # fmt: skip
    if len(first) < KNOWN:
        return guards.silent(waiting, "TooFewSamples", f"{field(index, 'metric')}: {len(first)} of {KNOWN} answers of "
                             f"{candidate.against} are known, which say what is usual")  # fmt: skip
    return _begun(look, state, first)


def _begun(look: Look, state: GuardEvidence, first: list[str]) -> GuardEvidence:
    assert look.spec.recorded
    guard = guard_of(look, state.guard)
    if look.spec.recorded.output.type == "class":
        usual = Scores(labels=list(scores.labels(first)))
        places = [_place(usual, label) for label in first]
    else:
        values = [decode(one) for one in first]
        usual = Scores(bounds=[encode(one) for one in scores.bounds(values)])
        places = [_place(usual, value) for value in values]
    margin = guards.frozen(look, guard, len(places), places.count(OUT), by_difference=METRIC.by_difference)
    return state.model_copy(update={
        **margin, "scores": usual.model_copy(update={"live": _tally({}, places)}), "began_at": look.stamp,
        "since": look.stamp, "state": "Watching", "reason": "", "message": "",
    })  # fmt: skip


def _place(usual: Scores, told: Score) -> str:
    """Where an answer lies."""
    if isinstance(told, str):
        return told if told in usual.labels else OUT
    if told is None or not usual.bounds:
        return OUT
    return scores.tenth([decode(one) for one in usual.bounds], told)


def _tally(before: dict[str, int], places: list[str]) -> dict[str, int]:
    return dict(sorted((Counter(before) + Counter(places)).items()))


# --- a window ------------------------------------------------------------------------------------------------------


def _counted(
    look: Look, state: GuardEvidence, kept: Scores, live: list[Score], own: list[Score]
) -> GuardEvidence:  # fmt: skip
    theirs, mine = ([_place(kept, told) for told in arm] for arm in (live, own))
    strange = {OUT, kept.favourite}
    seen = guards.seen(look, state, *((len(places), sum(p in strange for p in places)) for places in (theirs, mine)))
    return seen.model_copy(update={"scores": kept if kept.chosen else _liked(kept, mine)})


def _liked(kept: Scores, mine: list[str]) -> Scores:
    """The candidate's first answers say where it has many more than the live version."""
    own = _tally(kept.own, mine)
    if sum(own.values()) < OWN:
        return kept.model_copy(update={"own": own})
    return kept.model_copy(update={"own": {}, "chosen": True, "favourite": scores.favourite(kept.live, own)})


METRIC = _Scores()
