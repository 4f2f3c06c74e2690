"""Spot checks: people compare answers that the two versions of a rollout gave to the same requests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.schema import LIST_ATOMIC, Model, Name, list_map

SHOWN = 20
"""Pairs that wait for a person at a time."""
JUDGED = 100
"""Pairs that can be judged in one rollout."""
OFFERED = 200
"""Pairs that are remembered as having been shown, so that a judgement that took its time still counts."""
LONGEST = 300
"""Characters of an answer that are shown,"""
LONGEST_INPUT = 1000
"""and of what was asked."""

PairId = Annotated[str, Field(max_length=16, pattern=r"^[0-9a-f]{1,16}$")]
"""A hash of the rollout and the request."""
Excerpt = Annotated[str, Field(max_length=LONGEST + 1)]
Better = Literal["Live", "Candidate", "Same", "BothBad"]


class Judgement(Model):
    """What a person says of a pair of answers. The API server checks that `by` is who writes it and may judge."""

    pair: PairId
    """`status.candidate.review.pairs[].id`."""
    version: Name
    """The version on its way that gave one of the answers."""
    better: Better
    """Whose answer is better: the live version's, the candidate's; or both are as good, or as bad, as each other."""
    by: Annotated[str, Field(min_length=1, max_length=253)]
    """Who says so."""
    at: Timestamp


class ReviewInput(Model):
    """What was asked: the request's body, as its recorder kept it."""

    text: Annotated[str, Field(max_length=LONGEST_INPUT + 1)] = ""
    """JSON in one line, else as it is."""
    length: int = 0
    """Characters of the whole body; 0: it was not kept (no text, more than 256 KiB, gRPC), or is gone by now."""
    cut: bool = False
    """Parts are left out of `text`; a `…` stands where they were."""


class ReviewPair(Model):
    """Two answers to the same request."""

    id: PairId
    request: Annotated[str, Field(max_length=128)] = ""
    """The request's id: by it the whole answers are found in the store, and with `record.inputs` the whole request."""
    input: ReviewInput | None = None
    """With `record.inputs`: what was asked; none while the recorders have not been asked for it."""
    live: Excerpt = ""
    """The live version's answer; text as it is, anything else as JSON; cut off."""
    candidate: Excerpt = ""


class Review(Model):
    """A sample of the answers that differ, and what people said of them."""

    pairs: Annotated[list[ReviewPair], Field(max_length=SHOWN, json_schema_extra=list_map("id"))] = []
    """To be judged: of the requests that were answered differently, those with the smallest ids."""
    offered: Annotated[list[PairId], Field(max_length=OFFERED, json_schema_extra=LIST_ATOMIC)] = []
    """All that were ever shown and are not judged."""
    judged: Annotated[list[PairId], Field(max_length=JUDGED, json_schema_extra=LIST_ATOMIC)] = []
    """Counted, each once."""
    unknown: Annotated[list[PairId], Field(max_length=JUDGED, json_schema_extra=LIST_ATOMIC)] = []
    """Judgements in the spec that name no pair that was shown in this rollout."""
    better: int = 0
    """Pairs in which the candidate's answer was the better one,"""
    worse: int = 0
    """the worse one,"""
    same: int = 0
    """as good as the live version's,"""
    both_bad: int = 0
    """or as bad."""
