"""What guards on labels have joined with the answers: part of a Deployment's status."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.schema import LIST_ATOMIC, Model, Name, Text


class LabelCounts(Model):
    """Answers of one version: kept, labelled by now, wrong."""

    answered: int = 0
    labelled: int = 0
    wrong: int = 0


class PairCounts(Model):
    """Requests that both versions answered, of which it is known which answers were right."""

    alike: int = 0
    candidate_wrong: int = 0
    """It alone."""
    stable_wrong: int = 0


class LabelsSeen(Model):
    """What a guard on labels has seen."""

    dataset: Annotated[str, Field(max_length=16)] = ""
    """The version of the Dataset that was joined last."""
    at: Timestamp | None = None
    oldest: Timestamp | None = None
    """When the first of the answers that are labelled by now was given, to within the stretch of time that it belongs
    to;"""
    youngest: Timestamp | None = None
    """and the last one."""
    stable: LabelCounts = LabelCounts()
    candidate: LabelCounts = LabelCounts()
    pairs: PairCounts = PairCounts()


class UsedLabels(Model):
    """A file with the ids of requests whose labels have been counted."""

    key: Annotated[str, Field(max_length=256)]
    rows: int


class Asks(Model):
    """That a join also asks the version before for its answers to the same requests."""

    question: int
    """Its number."""
    against: Name
    margin: Annotated[str, Field(max_length=32)]
    """By which it is called not better."""


class JoinJob(Model):
    """The Job that joins a version of the Dataset with the answers."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    dataset: Annotated[str, Field(max_length=16)]
    attempt: int = 1
    unreadable: int = 0
    """Attempts at this version whose answer could not be read; at most 3."""
    not_before: Timestamp | None = None
    asks: Asks | None = None


class Joined(Model):
    """How far a guard's labels have been joined with the answers: each label is counted once."""

    version: Name
    """On its way, or watched."""
    guard: Annotated[str, Field(max_length=64)]
    digest: Annotated[str, Field(max_length=16)] = ""
    """Of the guard as it was written."""
    rollout: Annotated[str, Field(max_length=128)] = ""
    against: Annotated[str, Field(max_length=63)] = ""
    """The version that was live during the rollout."""
    since: Timestamp
    """Answers since then count."""
    dataset: Annotated[str, Field(max_length=16)] = ""
    """The version of the Dataset that was joined last, or that was there at the beginning."""
    job: JoinJob | None = None
    used: Annotated[list[UsedLabels], Field(max_length=32, json_schema_extra=LIST_ATOMIC)] = []
    """Labels that have been counted. The first label of a request counts."""
    cuts: Annotated[list[Timestamp], Field(max_length=40, json_schema_extra=LIST_ATOMIC)] = []
    """When the weights changed: no cohort spans that."""
    pending: Annotated[list[list[int]], Field(max_length=128, json_schema_extra=LIST_ATOMIC)] = []
    """Cohorts that are still to be judged, one a look: answers of a stretch of time whose labels came together. Seconds
    after `since`; labelled and wrong ones of the live version; the same of the candidate."""
    reference: LabelCounts = LabelCounts()
    """Of the live version, before its rate, which `worseBy` is added to, was known well enough. Not judged."""
    log_coverage: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = []
    """State of the test whether both versions' answers are labelled alike."""
    changed: int = 0
    """Labels that said something else later."""
    contradictory: int = 0
    """Requests with two different labels in one version of the Dataset: none was counted."""
    unmatched: int = 0
    """Labels without an answer since `since`."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why there is no evidence at present; empty if nothing is wrong."""
    message: Text = ""
    canary: Annotated[str, Field(max_length=4096)] = ""
    """After the promotion: the rollout's guard, as JSON. Labels that come late for its time are judged by it."""
