"""What is watched of a live version for as long as it is live, and what is known of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api import modelversion
from fairlead.api.common import Timestamp
from fairlead.api.explain import Explain, Explained
from fairlead.api.halves import Own
from fairlead.api.labelled import JoinJob, UsedLabels
from fairlead.api.ledger import Ledger
from fairlead.api.schema import LIST_ATOMIC, LIST_SET, Key, Model, Name, Share, Span, Text, cel, list_map


class Truth(Model):
    """What was really the case, known later: rows of a Dataset that name the request that they belong to."""

    dataset: Name
    """In the same namespace; each of its versions is joined with the live version's answers that were kept."""
    request_id: Key = "request_id"
    """Column with the value of the answer's header `x-request-id`."""
    label: Key = "label"
    """Column with the truth."""


class Gap(Model):
    """How far groups of requests may differ in a share."""

    by: Annotated[str, Field(min_length=1, max_length=256)]
    """The column that tells the groups apart; one of the profile's slices."""
    metric: modelversion.Gap = "selection_rate_gap"
    """As gates have them. All but `selection_rate_gap`, how often a group gets the positive answer, need `labels`."""
    max: Share = "10%"
    """The largest difference that is tolerated, in percentage points."""


class React(Model):
    """What follows from an alarm, besides a condition, an event and an alert."""

    estimated_harm: Literal["Hold", "Alert"] = "Hold"
    """`Hold`: no version that was made before it begins or advances."""
    harm: Literal["Confirm", "Alert"] = "Confirm"
    """By labels. `Confirm`: would the version before have done better on the same requests?"""


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
    labels: Truth | None = None
    """The real quality, and gaps of it, by labels that come later."""
    fairness: Annotated[list[Gap], Field(max_length=4, json_schema_extra=LIST_ATOMIC)] = []
    stale: Span | None = None
    """A version that was made longer ago is stale: `60d`."""
    without: Annotated[
        list[Literal["data", "drift", "outliers", "quality", "skew"]], Field(max_length=5, json_schema_extra=LIST_SET)
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
            ("!has(self.fairness) || self.fairness.all(a, self.fairness.exists_one(b, a.by == b.by && "
             "(has(a.metric) ? a.metric : '') == (has(b.metric) ? b.metric : '')))",
             "fairness has two rules of the same metric by the same column"),
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


class Figure(Model):
    """How good the live version's answers are, by one metric."""

    metric: Annotated[str, Field(max_length=16)]
    source: Literal["estimated", "realised"]
    """`realised`: by labels."""
    value: Annotated[str, Field(max_length=32)]


class Mark(Model):
    """How far a recorder's counts have been counted."""

    pod: Annotated[str, Field(max_length=36)]
    """Its uid."""
    boot: Annotated[str, Field(max_length=64)]
    """The recorder's process."""
    at: Annotated[str, Field(max_length=32)]
    """Names the counts that were counted last."""


class RealFigure(Model):
    """A metric by labels."""

    metric: Annotated[str, Field(max_length=32)]
    value: Annotated[str, Field(max_length=32)]


class RealQuality(Model):
    """What labels said last."""

    at: Timestamp
    rows: int
    """Labels that came together then."""
    state: Literal["Ok", "Watch", "Harmed", "Unknown"]
    message: Text = ""
    figures: Annotated[list[RealFigure], Field(max_length=8, json_schema_extra=LIST_ATOMIC)] = []


class GapKnown(Model):
    """What labels said last of a gap."""

    rule: Annotated[str, Field(max_length=320)]
    at: Timestamp
    state: Literal["Ok", "Watch", "Unfair", "Unknown"]
    message: Annotated[str, Field(max_length=512)] = ""


class LabelsJoined(Model):
    """How far labels have been joined with the live version's answers: each is counted once."""

    dataset: Annotated[str, Field(max_length=16)] = ""
    """The Dataset's version that was joined last, or that was there when this version became live."""
    at: Timestamp | None = None
    """When."""
    labelled: int = 0
    """Answers whose labels were counted."""
    unmatched: int = 0
    """Labels of the last join without an answer of this version."""
    contradictory: int = 0
    """Requests with two different labels in the last version of the Dataset: none was counted."""
    changed: int = 0
    """Labels that said something else later. The first one counts."""
    unread: int = 0
    """Labelled answers that were not understood."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why labels say nothing at present; empty if nothing is wrong."""
    message: Text = ""
    real: RealQuality | None = None
    gaps: Own[Annotated[list[GapKnown], Field(max_length=4, json_schema_extra=LIST_ATOMIC)]] = []
    well: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=12)]] = []
    """Log evidence per bet that the real loss is tolerable, of all labels so far."""
    digest: Own[Annotated[str, Field(max_length=16)]] = ""
    """Of the settings and the profile that they are counted by."""
    job: Own[JoinJob | None] = None
    used: Own[Annotated[list[UsedLabels], Field(max_length=32, json_schema_extra=LIST_ATOMIC)]] = []
    """Labels that have been counted."""
    pending: Own[Annotated[str, Field(max_length=32768)]] = ""
    """What a join has counted and no window has taken in yet, packed."""


class Question(Model):
    """Real harm asks: would the version before have lost less on the same requests? It stays as long as the harm that
    asked, so one alarm asks once."""

    number: int
    """Of this live version, from 1: each further one needs stronger evidence for a rollback."""
    against: Name | None = None
    """The version before; absent: there is none."""
    state: Literal["Asking", "Blocked", "Better", "NotBetter", "Unknown", "Dropped"] = "Asking"
    """`Blocked`: it can't be asked at the moment. `Better`: it was rolled back to. `NotBetter`: the world has changed.
    `Unknown`: nobody could find out. `Dropped`: a person has decided, or does not want to know."""
    since: Timestamp
    until: Timestamp
    """If nothing is known by then, a person is asked."""
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Text = ""
    """Where it stands, in words."""
    pairs: int = 0
    """Requests that both versions answered, whose labels came since."""
    refused: int = 0
    """Those that the version before did not answer,"""
    unkept: int = 0
    """and those whose body was not kept, so that it could not be asked."""
    log_better: Annotated[str, Field(max_length=32)] = "0"
    """Log evidence that the version before is better,"""
    bound: Annotated[str, Field(max_length=32)] = ""
    """shown at this;"""
    log_not_better: Annotated[str, Field(max_length=32)] = "0"
    """that it is not, by `margin`,"""
    bound_not_better: Annotated[str, Field(max_length=32)] = ""
    """shown at this."""
    trouble: Own[Text] = ""
    """Why the version before could not be asked last time."""
    margin: Own[Annotated[str, Field(max_length=32)]] = ""
    design_effect: Own[Annotated[str, Field(max_length=32)]] = "1"
    total: Own[Annotated[str, Field(max_length=32)]] = "0"
    """Sum of the differences of losses, live less before."""
    better: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """Log capital per stake,"""
    not_better: Own[Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]] = []
    """and of the other question."""


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
    labels: LabelsJoined | None = None
    figures: Own[Annotated[list[Figure], Field(max_length=3, json_schema_extra=list_map("metric"))]] = []
    """What Prometheus is told of its quality."""
    questions: Own[int] = 0
    """How often real harm has asked."""
    question: Question | None = None
    """The last one, as long as the harm that asked it is there."""
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
    part: Own[Annotated[str, Field(max_length=32)]] = ""
    """Of its budget of false alarms that the window may spend which is open; empty: all of it."""
    state: Own[Annotated[str, Field(max_length=131072)]] = ""
    """Of the tests, packed."""
    marks: Own[Annotated[list[Mark], Field(max_length=64, json_schema_extra=list_map("pod"))]] = []
    ledger: Own[Ledger] = Ledger()
    """Each window's counts, and what was found."""
    explained: Explained | None = None
