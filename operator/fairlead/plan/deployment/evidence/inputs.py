"""What was asked, beside the pairs of answers that people compare: read from the recorders, once for each pair.

A pair's request is asked for at the candidate's pods, which are few: one of them has answered a copy of it. None knows
which, so all are asked. What the recorder has not kept, or not any more, is shown as such; the answers can be judged
all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.api.candidate import Candidate
from fairlead.api.review import Review, ReviewInput, ReviewPair
from fairlead.manifests import presets
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import answers, signals
from fairlead.plan.deployment.excerpts import of_input
from fairlead.plan.requests import KeptInput, ReadInput

AT_ONCE = 4
"""Pairs that are asked for in one look: bodies may be long, and recorders hold 4 MiB of them."""


def requests(look: Look, candidate: Candidate) -> list[ReadInput]:
    """What is asked from the recorders, when a window is due."""
    if candidate.review is None or not signals.due(candidate.last_window_at, look, candidate):
        return []
    return [request for pair in _next(look, candidate.review) for request in _asked(look, candidate, pair)]


def seen(look: Look, candidate: Candidate, review: Review) -> Review:
    """The review with what the recorders have told. Where one of them did not answer, it is asked again."""
    told = {pair.id: _told(look, candidate, pair) for pair in _next(look, review)}
    if not any(told.values()):
        return review
    pairs = [pair.model_copy(update={"input": told.get(pair.id) or pair.input}) for pair in review.pairs]
    return review.model_copy(update={"pairs": pairs})


def _next(look: Look, review: Review) -> list[ReviewPair]:
    if look.spec.recorded is None or not look.spec.recorded.inputs:
        return []
    return [pair for pair in review.pairs if pair.input is None and pair.request][:AT_ONCE]


def _asked(look: Look, candidate: Candidate, pair: ReviewPair) -> Iterator[ReadInput]:
    for pod in signals.judged(look, candidate.version)[0]:
        if answers.has_recorder(pod):
            yield ReadInput(f"{signals.base(pod, presets.RECORDER_PORT)}/answers", pair.request, look.namespace)


def _told(look: Look, candidate: Candidate, pair: ReviewPair) -> ReviewInput | None:
    replies = [look.world.answer(request) for request in _asked(look, candidate, pair)]
    kept = [reply.text for reply in replies if isinstance(reply, KeptInput)]
    found = next((text for text in kept if text), None)
    if found is None and (len(kept) < len(replies) or not replies):
        return None
    return of_input(found or "")
