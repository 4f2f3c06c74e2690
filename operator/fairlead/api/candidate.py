"""A version on its way: in a rollout or in an experiment, and what stays of it afterwards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.evidence import Ahead, AnswerCursor, ArmCounts, Common, Copies, Cursor, GuardEvidence, Split
from fairlead.api.experiment import Comparison, Contender, Division
from fairlead.api.halves import Own
from fairlead.api.ledger import Ledger
from fairlead.api.review import Review
from fairlead.api.schema import LIST_ATOMIC, Model, Name, Text, list_map


class GpuPlace(Model):
    """The place of a candidate among those of the namespace that need GPUs. It has pods only while it holds one."""

    state: Literal["Waiting", "Held"] = "Waiting"
    since: Timestamp
    """When it asked: the first that asked is the first that starts."""
    held_since: Timestamp | None = None
    gpus: int = 0
    """What its pods request, all together."""
    tries: int = 0
    """How often it gave its place up, because no node had room."""
    until: Timestamp | None = None
    """It does not ask again before."""


class Says(Model):
    """What a server said instead of an answer."""

    version: Name
    status: int
    """Of HTTP."""
    body: Annotated[str, Field(max_length=256)] = ""
    """Its beginning, as text in one line."""


class Waived(Model):
    """What a step did not wait for."""

    step: int
    """The last step in which that was so."""
    message: Text = ""


class Candidate(Model):
    """The version on its way."""

    version: Name
    since: Timestamp
    against: Annotated[str, Field(max_length=63)] = ""
    """The live version when the rollout began: promotion happens only if it still is. Empty for the first version."""
    place: GpuPlace | None = None
    """Of one whose pods need GPUs."""
    pods: Annotated[int, Field(ge=0)] = 0
    """Where somebody scales: pods that it has for its step and the next one; never fewer than before in this rollout."""
    step: Annotated[int, Field(ge=-1)] = -1
    """Index of the step; -1 while its pods start and are warmed."""
    weight: int = 0
    shadow: Annotated[str, Field(max_length=12)] = ""
    """In a shadow step: the share of the live version's requests that it gets copies of, `25%`."""
    copies: Copies = Copies()
    """Of this step."""
    step_since: Timestamp | None = None
    """When the step's weight was asked for."""
    let_on: Own[int] = -1
    """The last step, with `manual: true`, that a person has let go on."""
    routed_at: Own[Timestamp | None] = None
    """When the route was first seen to have this weight."""
    kept_since: Own[Timestamp | None] = None
    """Since when Fairlead itself keeps it from going on: what was seen can't be saved, or what is asked for is unknown."""
    kept: Own[Annotated[str, Field(max_length=32)]] = "0"
    """Seconds for which that was so before. Patience does not count them."""
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds of this step in which evidence came in."""
    step_requests: int = 0
    """Requests that the candidate answered in this step."""
    answered: ArmCounts = ArmCounts()
    """What the candidate's pods have counted in this rollout."""
    live_answered: ArmCounts = ArmCounts()
    """What the live version's pods have counted in the same windows."""
    counting_since: Own[Timestamp | None] = None
    """When the counters of both versions' pods were first read, just before the first traffic."""
    restarts: Own[int] = 0
    """Restarts of its pods then: later ones are held against it."""
    unready: Own[Annotated[int, Field(ge=0)]] = 0
    """How often all its pods lost their readiness under traffic, without a restart and while the live version's kept
    theirs."""
    tries_at: Own[Timestamp | None] = None
    """After such a loss: it gets no requests before."""
    warmed: Own[Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)]] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""
    verdict: Literal["Starting", "Continue", "Harm", "NoEvidence"] = "Starting"
    expected: Annotated[str, Field(max_length=16)] = ""
    """How long it will still take at the present traffic if nothing is found, `4m10s`; empty while it isn't known."""
    doubling: Annotated[str, Field(max_length=16)] = ""
    """How long it takes at the present traffic to find out that it fails twice as often; empty while nothing fails."""
    guards: Annotated[list[GuardEvidence], Field(max_length=9, json_schema_extra=list_map("guard"))] = []
    split: Own[Split] = Split()
    common: Own[Common] = Common()
    ahead: Own[Ahead] = Ahead()
    """By the servers' own counters."""
    answering: Own[Ahead] = Ahead()
    """By the answers that were kept, refused requests included; only while they are read."""
    says: Annotated[list[Says], Field(max_length=2, json_schema_extra=list_map("version"))] = []
    """The last failure that each of the two versions answered with, where answers are kept."""
    waived: Own[Waived | None] = None
    """What was not waited for, because the live version fails where this one answers."""
    cursors: Own[Annotated[list[Cursor], Field(max_length=512, json_schema_extra=list_map("source"))]] = []
    answers: Own[Annotated[list[AnswerCursor], Field(max_length=256, json_schema_extra=list_map("source"))]] = []
    """Of the recorders whose answers are compared."""
    ledger: Own[Ledger] = Ledger()
    """What was seen, window by window, and what was decided on it."""
    review: Review | None = None
    """With a guard on `review`: answers that wait for a person's judgement, and what was said of others."""
    counters_fell_at: Own[Timestamp | None] = None
    """When a pod's counters last fell without a restart of its container."""
    first_request_at: Own[Timestamp | None] = None
    last_request_at: Own[Timestamp | None] = None
    """End of the last window in which it answered any."""
    last_window_at: Own[Timestamp | None] = None


class ExperimentStatus(Model):
    """An experiment on its way, or how it ended; kept while the spec has it."""

    key: Annotated[str, Field(max_length=16)]
    """Digest of its versions and its reward, part of every cookie: another experiment assigns its users anew."""
    since: Timestamp
    against: Name
    """The live version when it began."""
    phase: Literal["Starting", "Running", "Ended"] = "Starting"
    result: Literal["", "Won", "Undecided", "Stopped"] = ""
    winner: Annotated[str, Field(max_length=63)] = ""
    message: Text = ""
    """How it ended, and why."""
    ended_at: Timestamp | None = None
    contenders: Annotated[list[Contender], Field(max_length=5, json_schema_extra=list_map("version"))] = []
    """The live version first."""
    arms: Annotated[list[Candidate], Field(max_length=4, json_schema_extra=list_map("version"))] = []
    """The candidates that take part, each held against the live version as in a rollout."""
    comparisons: Own[Annotated[list[Comparison], Field(max_length=20, json_schema_extra=LIST_ATOMIC)]] = []
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence a version is shown to be worse than another one."""
    division: Own[Division] = Division()
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds in which evidence came in."""
    counted_at: Own[Timestamp | None] = None
    """When the reward's counters were last read."""
    moved_at: Own[Timestamp | None] = None
    """When the shares were last changed."""
    silent: Annotated[str, Field(max_length=64)] = ""
    """Why the reward is not known at the moment, in a word,"""
    said: Text = ""
    """and in a sentence."""
    cursors: Own[Annotated[list[Cursor], Field(max_length=512, json_schema_extra=list_map("source"))]] = []


class RolloutRecord(Model):
    """How a rollout ended, and why."""

    version: Name
    against: Annotated[str, Field(max_length=63)] = ""
    result: Literal["Live", "RolledBack", "Superseded", "Failed"]
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""
    started_at: Timestamp
    ended_at: Timestamp
    weight: int = 0
    """The weight that it had reached."""
    stable: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()
    guards: Annotated[list[GuardEvidence], Field(max_length=9, json_schema_extra=LIST_ATOMIC)] = []
    ledger: Annotated[str, Field(max_length=1024)] = ""
    """Where its evidence lies in the store, window by window: `kubectl fairlead replay` judges it once more."""
