"""What is watched of a live version for as long as it is live, and what is known of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.explain import Explain, Explained
from fairlead.api.halves import Own
from fairlead.api.ledger import Ledger
from fairlead.api.schema import LIST_SET, Model, Name, Share, Span, Text, cel, list_map


class Gap(Model):
    """How far groups of requests may differ in how often they get the positive answer."""

    by: Annotated[str, Field(min_length=1, max_length=256)]
    """The column that tells the groups apart; one of the profile's slices."""
    max: Share = "10%"
    """The largest difference that is tolerated, in percentage points."""


class React(Model):
    """What follows from an alarm, besides a condition, an event and an alert."""

    estimated_harm: Literal["Hold", "Alert"] = "Hold"
    """`Hold`: no version that was made before it begins or advances."""


class Monitors(Model):
    """Watch the live version's requests and answers for as long as it is live: are they still what it learnt from?"""

    every: Span = "10m"
    """A window. One of few requests stays open until there are enough of them."""
    false_alarms_per_year: Annotated[str, Field(max_length=8, pattern=r"^[0-9]{1,4}(\.[0-9]{1,3})?$")] = "1"
    """How many are expected of this Deployment while nothing changes, all monitors together."""
    tolerance: Share = "3%"
    """Drift: the share of a feature's values that may have moved to other bins."""
    worse_by: Share = "2%"
    """Quality: percentage points by which the expected loss may be larger than on the profile's held-out rows."""
    fairness: Annotated[list[Gap], Field(max_length=4, json_schema_extra=list_map("by"))] = []
    stale: Span | None = None
    """A version that was made longer ago is stale: `60d`."""
    without: Annotated[
        list[Literal["data", "drift", "outliers", "quality"]], Field(max_length=4, json_schema_extra=LIST_SET)
    ] = []
    """Monitors that are not wanted."""
    react: React = React()
    explain: Explain | None = None

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.every) || self.every.matches('[1-9][0-9]*[mhd]([0-9]|$)')", "a window has a minute at least: 1m, 1h"),
            ("!has(self.falseAlarmsPerYear) || self.falseAlarmsPerYear.matches('[1-9]')",
             "falseAlarmsPerYear must be above 0"),
            ("!has(self.tolerance) || (self.tolerance.matches('[1-9]') && !self.tolerance.startsWith('100'))",
             "tolerance must be above 0% and below 100%"),
            ("!has(self.worseBy) || !self.worseBy.startsWith('100')", "worseBy must be below 100%"),
        )
    )  # fmt: skip


class MonitorLine(Model):
    """What one monitor says."""

    monitor: Annotated[str, Field(max_length=16)]
    state: Literal["Ok", "Watch", "Drifting", "Bad", "Harmed", "Unfair", "Stale", "Unknown"]
    """`Watch`: there is a difference, and not enough evidence yet. `Unknown` is neither well nor an alarm."""
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Text = ""
    since: Timestamp


class Mark(Model):
    """How far a recorder's counts have been counted."""

    pod: Annotated[str, Field(max_length=36)]
    """Its uid."""
    boot: Annotated[str, Field(max_length=64)]
    """The recorder's process."""
    at: Annotated[str, Field(max_length=32)]
    """Names the counts that were counted last."""


class Monitored(Model):
    """What is known of the live version by its monitors."""

    version: Name
    since: Timestamp
    windows: int = 0
    """Windows that were closed."""
    rows: int = 0
    """Rows of the last one."""
    closed_at: Timestamp | None = None
    """When it was closed."""
    lost: int = 0
    """How often a pod's rows of a window were not counted, because its recorder did not know any more how far they had
    been counted."""
    lines: Annotated[list[MonitorLine], Field(max_length=8, json_schema_extra=list_map("monitor"))] = []
    doubted_at: Own[Timestamp | None] = None
    """When harm was estimated first; absent: never."""
    next_at: Own[Timestamp | None] = None
    """When recorders are read next; absent: now."""
    opened_at: Own[Timestamp | None] = None
    """When the window that is open began; absent: nothing has been read yet."""
    profile: Own[Annotated[str, Field(max_length=64)]] = ""
    """Digest of the profile that the state is of."""
    settings: Own[Annotated[str, Field(max_length=16)]] = ""
    """Digest of the settings that the state goes by."""
    state: Own[Annotated[str, Field(max_length=131072)]] = ""
    """Of the tests, packed."""
    marks: Own[Annotated[list[Mark], Field(max_length=64, json_schema_extra=list_map("pod"))]] = []
    ledger: Own[Ledger] = Ledger()
    """Each window's counts, and what was found."""
    explained: Explained | None = None
