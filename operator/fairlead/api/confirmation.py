"""What an alarm of a watch asks: is it the version, or the world? And what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.evidence import Cursor, GuardEvidence
from fairlead.api.halves import Own
from fairlead.api.schema import LIST_ATOMIC, Model, Name, Text, list_map


class Confirmation(Model):
    """A question that is under way: the version before answers a share of the requests again, at the same time as the
    live one, until it is known which of both is to blame, the version or the world."""

    question: int
    """Its number in this watch, from 1: each further one needs stronger evidence for a rollback."""
    phase: Literal["Waiting", "Starting", "Asking"] = "Starting"
    """`Waiting`: a candidate or an experiment has traffic. `Starting`: the pods of the version before start and are
    warmed. `Asking`: it answers its share."""
    blocked: bool = False
    """While `Starting`: it can't be asked at the moment. Then it holds up nobody."""
    rung: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=9, json_schema_extra=LIST_ATOMIC)] = []
    """The guards whose alarm asks."""
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""
    """What was seen, in words."""
    since: Timestamp
    started_at: Timestamp | None = None
    """When the pods of the version before were asked for."""
    warmed: Own[Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)]] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""
    share: int = 0
    """Percent of the requests that the version before answers; 0 until it is warm."""
    counting_since: Own[Timestamp | None] = None
    """When the counters of both were first read since it has its share."""
    settled: Own[bool] = False
    """Whether the requests from before the version before had its share have been answered: only then it is counted."""
    last_window_at: Own[Timestamp | None] = None
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds in which both answered requests."""
    guards: Annotated[list[GuardEvidence], Field(max_length=9, json_schema_extra=list_map("guard"))] = []
    """What each guard that is asked has seen: `candidate` is the live version, `stable` the one before."""
    cursors: Own[Annotated[list[Cursor], Field(max_length=64, json_schema_extra=list_map("source"))]] = []


class WorldChange(Model):
    """A change that is not the live version's fault, or of which nobody could find out whose it is. It stays after the
    watch, until another version is live. `since` is another one for each further change, while the condition may stay
    as it is: who trains anew because of a change does so once for each `since` of a `Changed` one."""

    state: Literal["Changed", "Unknown"]
    version: Name
    """The version that was live."""
    against: Name
    """The version that it was held against."""
    guard: Annotated[str, Field(max_length=64)] = ""
    """The guard that saw it."""
    since: Timestamp
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""


class Unasked(Model):
    """A rollback without a question, since no pod of the version was ready: there was nothing to compare. So it is
    looked at whether the version that is live again does any better."""

    version: Name
    """The version that is live again."""
    left: Name
    """The one that was taken back."""
    until: Timestamp
    restarts: int = 0
    """Restarts of its pods when it became live again."""
