"""What the guards of a version have seen, and what tells where counting stands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.halves import Own
from fairlead.api.labelled import LabelsSeen
from fairlead.api.schema import Model, Text


class ArmCounts(Model):
    """What a window, or a whole rollout, counted for one version."""

    requests: int = 0
    failures: int = 0


class Proven(Model):
    """What has been shown for a guardrail or a target so far."""

    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    """Log of the evidence that it holds."""
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is proven."""
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per alternative: the state of the test."""
    rate: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the live version's share of bad answers, as it is expected in the next window."""
    weight: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the requests that `rate` stands for."""
    worse_by: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the margin as a difference of shares, fixed with the guard's `odds`."""


class Values(Model):
    """What a guard on a value has seen: the whole state of its test (`verdict.gauges`)."""

    pairs: int = 0
    """Of the live version's and the candidate's value at the same moment."""
    sums: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=2)] = []
    """Of the live version's values, and of the candidate's."""
    at: Timestamp
    """When the last pair was read that counted."""
    last: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=2)] = []
    """That pair."""
    length: int = 1
    """Pairs of a batch; it grows while batches next to each other are alike."""
    means: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=48)] = []
    """Of each batch: by how much the candidate was worse than tolerated."""
    open: int = 0
    """Pairs of the batch that is not complete."""
    rest: Annotated[str, Field(max_length=32)] = "0"
    """The sum of their differences."""


Place = Annotated[str, Field(max_length=32)]
"""An answer, or the number of the tenth that it lies in."""


class Scores(Model):
    """What a guard on the answers themselves holds them against (`verdict.scores`)."""

    first: Annotated[list[Place], Field(max_length=200)] = []
    """The live version's first answers, until there are enough of them."""
    unread: int = 0
    """Answers of the live version meanwhile that could not be read."""
    bounds: Annotated[list[Place], Field(max_length=11)] = []
    """Of numbers: the live version's 5 % quantile, its deciles, and its 95 % quantile."""
    labels: Annotated[list[Place], Field(max_length=50)] = []
    """Of labels: those that the live version gave."""
    live: Annotated[dict[str, int], Field(max_length=64)] = {}
    """Its first answers by place: a tenth, or a label; empty: beyond."""
    own: Annotated[dict[str, int], Field(max_length=64)] = {}
    """The candidate's first answers, until there are enough of them."""
    chosen: bool = False
    """Whether it is known if the candidate has a favourite."""
    favourite: Place = ""
    """The place where the candidate has many more answers than the live version; empty: none."""


class Beyond(Model):
    """Of a guard with `worseBy`: the evidence that the candidate's rate lies above the live version's by more than
    that. It is what counts."""

    worse_by: Annotated[str, Field(max_length=32)]
    """A difference of shares."""
    began: Annotated[str, Field(max_length=32)]
    """The live version's share of bad answers, as it was known at the start."""
    rate: Annotated[str, Field(max_length=32)]
    """The same, as it is expected in the next window."""
    weight: Annotated[str, Field(max_length=32)]
    """The requests that `rate` stands for."""
    log_e: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per alternative: the state of the test."""


class GuardEvidence(Model):
    """What a guard has seen in this rollout, over all its windows."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    stable: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()
    windows: int = 0
    log_lr: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """Log likelihood ratio per odds ratio of the test's grid: the whole state of the test."""
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    """Log of the evidence that the candidate is worse."""
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is rolled back."""
    odds: Own[Annotated[str, Field(max_length=32)]] = "1"
    """The tolerated odds ratio, from `worseBy` and the live version's rate when the rollout began."""
    floor: Own[Annotated[str, Field(max_length=32)]] = "0"
    """With a margin: the candidate's own share of bad answers up to which nothing is harm, fixed with `odds`."""
    beyond: Own[Beyond | None] = None
    """With `worseBy` in percentage points. Rollouts that began before there was this go on by `odds` and `floor`."""
    proven: Own[Proven | None] = None
    """Of a guardrail or a target."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds."""
    values: Own[Values | None] = None
    """With `gauge`."""
    scores: Own[Scores | None] = None
    """With `scores`."""
    state: Literal["Watching", "Harm", "NoEvidence"] = "NoEvidence"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    message: Text = ""
    digest: Own[Annotated[str, Field(max_length=16)]] = ""
    """Of the guard as it was written: a changed guard begins anew."""
    began_at: Own[Timestamp | None] = None
    """When its counters were first read; what they counted before is not evidence."""
    falls: Own[Annotated[int, Field(ge=0)]] = 0
    """With `outcomes`: how often its series have fallen, one fall soon after the other."""
    fell_at: Own[Timestamp | None] = None
    """When they last did."""
    step_events: Own[int] = 0
    """What it has counted for the candidate in this step."""
    since: Own[Timestamp | None] = None
    """When its last window ended."""
    labels: LabelsSeen | None = None


class Cursor(Model):
    """How far a source's counters have been read: each delta is counted once, whatever happens to the operator."""

    source: Annotated[str, Field(max_length=128)]
    """Pod uid and container start, or the hash of a series' labels, with the arm and guard."""
    values: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=4)]
    """Of a pod: requests and failures, or requests and slow ones. Of a series: its value."""


class AnswerCursor(Model):
    """How far a pod's recorder has been read."""

    source: Annotated[str, Field(max_length=128)]
    """Arm and pod uid."""
    boot: Annotated[str, Field(max_length=64)] = ""
    """The recorder's process."""
    after: int = 0
    """Number of the last answer that has been dealt with."""


class Copies(Model):
    """What came of a shadow step's copies so far."""

    pairs: int = 0
    """Requests that both versions answered, and whose answers could be compared."""
    different: int = 0
    """Those among them with different answers."""
    unclear: int = 0
    """Requests that both answered, but where the live version's answer is not of the declared type, or a failure."""
    failed: int = 0
    """Those among `unclear` in which it is a failure."""
    alone: int = 0
    """Requests that only the live version answered."""


class Split(Model):
    """Whether the traffic is divided as asked, in this step."""

    stable: int = 0
    candidate: int = 0
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    wrong: bool = False
    """The traffic was not divided as asked; it is counted anew, to see when it is again."""


class Ahead(Model):
    """Whether the candidate is shown to fail less than the live version: its failures are none of the candidate's."""

    stable: ArmCounts = ArmCounts()
    """Since the step, or the freeze, began,"""
    candidate: ArmCounts = ArmCounts()
    """of both versions."""
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per odds ratio of the test's grid: the whole state of the test; empty at its start."""


class Common(Model):
    """Whether the live version itself fails more than it used to: then a step is not left."""

    before: ArmCounts = ArmCounts()
    """What it had counted when the rollout began."""
    tolerated: Annotated[str, Field(max_length=32)] = "0"
    """Its share of failures up to which nothing is wrong; 0: too little was known."""
    log_r: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """The detector's state, per alternative; empty at its start."""
    requests: int = 0
    """Since the detector began (anew)."""
    worse: bool = False
