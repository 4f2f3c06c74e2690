"""A live version after its promotion: what watches it, and the way back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.confirmation import Confirmation
from fairlead.api.evidence import ArmCounts, Cursor
from fairlead.api.halves import Own
from fairlead.api.ledger import Ledger
from fairlead.api.schema import Duration, Model, Name, Text, list_map


class WatchedGuard(Model):
    """What a guard has seen after the promotion."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    digest: Own[Annotated[str, Field(max_length=16)]] = ""
    """Of the guard as it was written: a changed guard is not watched any more."""
    state: Literal["Watching", "Alarm", "NoEvidence"] = "Watching"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    tolerated: Own[Annotated[str, Field(max_length=32)]] = ""
    """Without a holdback: the share of bad answers up to which nothing is wrong, fixed at the promotion. Empty: too
    little was known."""
    odds: Own[Annotated[str, Field(max_length=32)]] = "1"
    """With a holdback: the tolerated odds ratio, as in the rollout."""
    floor: Own[Annotated[str, Field(max_length=32)]] = "0"
    """With a holdback: as in the rollout."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds, as in the rollout."""
    live: ArmCounts = ArmCounts()
    previous: ArmCounts = ArmCounts()
    """With a holdback."""
    lately: Own[ArmCounts] = ArmCounts()
    """What the live version has answered since the evidence began to rise: what an alarm is about,"""
    lately_previous: Own[ArmCounts] = ArmCounts()
    """and with a holdback the previous one."""
    hopeless: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """Errors: the state of the detector that finds out that nearly all requests fail, while most do."""
    first: Own[Annotated[str, Field(max_length=32)]] = ""
    """While the world has changed: what was tolerated before,"""
    log_back: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """and the state of the detector that finds out that the live version is back within it."""
    windows: int = 0
    """Those that could say something."""
    log_r: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """The detector's whole state, per alternative."""
    log_evidence: Annotated[str, Field(max_length=32)] = "-inf"
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is an alarm."""


class Watch(Model):
    """The live version under watch after its promotion."""

    version: Name
    against: Name
    """The version before it: the way back."""
    since: Timestamp
    until: Timestamp
    """It ends by then in any case."""
    length: Duration
    """It ends after so much observed time."""
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds in which requests were seen."""
    holdback: int = 0
    """Percent of the requests that the previous version answers."""
    standby: Timestamp | None = None
    """The previous version's pods stay until then."""
    restarts: Own[int] = 0
    """Restarts of its pods at the promotion."""
    last_window_at: Own[Timestamp]
    counters_fell_at: Own[Timestamp | None] = None
    """When a pod's counters last fell without a restart of its container."""
    guards: Annotated[list[WatchedGuard], Field(max_length=9, json_schema_extra=list_map("guard"))] = []
    cursors: Own[Annotated[list[Cursor], Field(max_length=64, json_schema_extra=list_map("source"))]] = []
    ledger: Own[Ledger] = Ledger()
    """What was seen since the promotion, window by window."""
    questions: int = 0
    """How often an alarm has asked whether it is the version."""
    confirmation: Confirmation | None = None
    """The question that is under way."""


class WayBack(Model):
    """A rollback of the live version that waits for the pods of the version before it."""

    version: Name
    """The version that shall be live again."""
    leaves: Name
    """The version that is live until then."""
    since: Timestamp
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""
    forced: bool = False
    """A person's decision."""
    warmed: Own[Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)]] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""
