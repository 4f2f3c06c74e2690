"""Deployment: a model behind a gateway, rolled out by evidence and rolled back by evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import StatusBase, Timestamp
from fairlead.api.ledger import Ledger
from fairlead.api.schema import (
    LIST_ATOMIC,
    Duration,
    Model,
    Name,
    Percent,
    Text,
    cel,
    exactly_one_of,
    list_map,
)


class ModelRef(Model):
    """Which versions go live."""

    name: Name | None = None
    """A model: each newly approved version of it is rolled out."""
    version: Name | None = None
    """One ModelVersion: git decides."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("name", "version")))


class Replicas(Model):
    """How many pods each version has while it gets traffic."""

    min: Annotated[int, Field(ge=1, le=500)] = 1
    """Pods of a version."""


class GatewayRef(Model):
    """A Gateway; one in another namespace must allow routes from this one."""

    name: Name
    namespace: Name | None = None


class Route(Model):
    """How clients reach the model. Fairlead owns the HTTPRoute whole."""

    gateway: GatewayRef
    host: Annotated[str, Field(max_length=253, pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] | None = None
    """Host name; default: any."""
    path: Annotated[str, Field(max_length=256, pattern=r"^/[-A-Za-z0-9._~/]*$")] | None = None
    """Path prefix, taken off before the server sees the request. Default `/<namespace>/<name>`."""


class CanaryStep(Model):
    """A share of the traffic, and what must have been seen before the next step."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """Percent of the requests that the candidate gets."""
    for_: Annotated[Duration, Field(alias="for")] = "60s"
    """At least this long, counting only time in which evidence came in."""
    requests: Annotated[int, Field(ge=1, le=10_000_000)] = 100
    """At least this many requests answered by the candidate in this step."""
    manual: bool = False
    """Besides, a person must let it go on: `kubectl fairlead continue NAME`."""


class PromCounters(Model):
    """Two counters by version, from Prometheus. In the expressions `{{version}}` stands for the version's name and
    `{{namespace}}` for the namespace. Write plain counters without rate() or increase(): resets are handled here."""

    total: Annotated[str, Field(min_length=1, max_length=1024)]
    """PromQL whose series count all outcomes of a version."""
    failures: Annotated[str, Field(min_length=1, max_length=1024)]
    """PromQL whose series count the bad ones among them."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.total.contains('{{version}}') && self.failures.contains('{{version}}')",
             "both expressions must contain {{version}}: they are asked for each version"),
        )
    )  # fmt: skip


class Guard(Model):
    """A way in which the candidate must not be worse than the live version at the same time on the same traffic."""

    metric: Literal["errors", "latency", "outcomes"]
    """`errors`: failed requests, by the servers' own counters. `latency`: requests slower than the live version's
    quantile was when the rollout began. `outcomes`: any two counters in Prometheus."""
    role: Literal["alarm", "guardrail", "target"] = "alarm"
    """What it takes to go live. `alarm`: it was not shown to be worse. `guardrail`: besides, it was proven not to be
    worse by `worseBy`. `target`: besides, it was proven to be better. Harm rolls back in every role."""
    worse_by: Percent = "0%"
    """How much worse is tolerable: percentage points of failures; for latency, percent on top of the quantile."""
    quantile: Literal["p50", "p90", "p95", "p99"] | None = None
    """With `latency`; default p95."""
    promql: PromCounters | None = None
    """With `outcomes`."""
    min_events: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """With `outcomes`: a step is not left before this many outcomes of the candidate have been counted in it."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("(self.metric == 'outcomes') == has(self.promql)", "outcomes needs promql, and only outcomes"),
            ("!has(self.quantile) || self.metric == 'latency'", "quantile goes with latency"),
            (
                "!has(self.role) || self.role != 'guardrail' || (has(self.worseBy) && self.worseBy.matches('[1-9]'))",
                "a guardrail needs worseBy above 0%: that two versions are exactly equal can't be proven",
            ),
            (
                "!has(self.role) || self.role != 'target' || !has(self.worseBy) || !self.worseBy.matches('[1-9]')",
                "worseBy does not go with a target, which must be better",
            ),
            (
                "!has(self.minEvents) || self.minEvents == 0 || self.metric == 'outcomes'",
                "minEvents goes with outcomes",
            ),
        )
    )


class AfterPromotion(Model):
    """The watch over a version that has taken over from another one. It is rolled back when it has become worse."""

    for_: Annotated[Duration, Field(alias="for")] = "1h"
    """How long, counting only time in which requests were seen; it ends after twice as long in any case. `0s`: no
    watch."""
    holdback: Annotated[str, Field(max_length=4, pattern=r"^([0-9]|[1-4][0-9]|50)%$")] = "0%"
    """Share of the requests that the previous version goes on answering meanwhile. The two are then compared on the
    same traffic; without it, with what the previous version did during the rollout."""
    tolerance: Percent = "1%"
    """Without a holdback: percentage points by which the share of bad answers may have risen since the rollout, on
    top of `worseBy`, for reasons that are not the version's."""
    false_alarms: Percent = "1%"
    """The chance that a version that has not become worse is rolled back, over the whole watch and all guards."""
    standby: Duration = "0s"
    """How long the previous version's pods stay after the promotion, without requests, for an instant way back. With
    a holdback they stay until it ends."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.falseAlarms) || self.falseAlarms.matches('[1-9]')", "falseAlarms must be above 0%"),
            ("!has(self.holdback) || !self.holdback.matches('[1-9]') || !has(self.__for__) || self.__for__.matches('[1-9]')",
             "a holdback ends with the watch, so it needs `for` above 0s"),
        )
    )  # fmt: skip


class Rollout(Model):
    """How a new version takes over."""

    steps: Annotated[list[CanaryStep], Field(min_length=1, max_length=20, json_schema_extra=LIST_ATOMIC)] = [
        CanaryStep(weight=10), CanaryStep(weight=50),
    ]  # fmt: skip
    """Shares of the traffic in rising order; after the last one the candidate is promoted."""
    guard: Annotated[list[Guard], Field(min_length=1, max_length=8, json_schema_extra=LIST_ATOMIC)] = [
        Guard(metric="errors"),
    ]
    """What is watched; any harm rolls back."""
    false_alarms: Annotated[Percent, Field()] = "1%"
    """The chance that a version that is no worse is rolled back, over the whole rollout and all guards."""
    missed_harm: Percent = "5%"
    """The chance that a guardrail or a target is called proven though it is not so."""
    design_effect: Annotated[str, Field(max_length=8, pattern=r"^[1-9][0-9]{0,3}(\.[0-9]{1,2})?$")] = "1"
    """How many requests stand for one independent one: above 1 where clients retry or send bursts that fail together.
    Evidence then grows more slowly by this factor."""
    patience: Duration = "24h"
    """A rollout that has not ended by then is taken back, and a condition says why."""
    after_promotion: AfterPromotion = AfterPromotion()
    """How it is watched once it is live."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.steps) || self.steps.size() < 2 || "
             "self.steps.all(s, self.steps.filter(t, t.weight == s.weight).size() == 1)",
             "two steps have the same weight"),
            ("!has(self.steps) || self.steps.map(s, s.weight).isSorted()", "the steps' weights must rise"),
            ("!has(self.falseAlarms) || self.falseAlarms.matches('[1-9]')", "falseAlarms must be above 0%"),
            ("!has(self.missedHarm) || self.missedHarm.matches('[1-9]')", "missedHarm must be above 0%"),
        )
    )  # fmt: skip


class Override(Model):
    """A person's decision, with no regard to evidence. Each is carried out once; nothing happens if it has no object
    (any more)."""

    action: Literal["Rollback", "Promote", "Continue"]
    """`Rollback`: `version` becomes the live one again, and what is live or on its way is not tried again. `Promote`:
    `version`, which must be on its way, goes live as soon as its pods are warm. `Continue`: the step that `version` is
    in, with `manual: true`, may be left as far as people are concerned; evidence is waited for as in every step."""
    version: Name
    """The version that shall be live."""
    reason: Annotated[str, Field(min_length=1, max_length=512)]
    """Why; it goes into the history."""
    at: Timestamp
    """When it was decided. The same decision with another time is a new one."""


class Slo(Model):
    """What users may expect; alert rules are made from it."""

    availability: Percent = "99%"
    """Share of requests that succeed."""


class Alerts(Model):
    """The PrometheusRule that is made for this Deployment."""

    labels: Annotated[dict[str, Annotated[str, Field(max_length=128)]], Field(max_length=16)] = {}
    """Added to each alert, for example the team."""
    slo: Slo = Slo()


class DeploymentSpec(Model):
    """Which model is served where, and how a new version earns its traffic."""

    model: ModelRef
    replicas: Replicas = Replicas()
    route: Route
    rollout: Rollout = Rollout()
    alerts: Alerts = Alerts()
    paused: bool = False
    """Freeze: no new rollout begins, and a running one keeps its weight. Harm still rolls back."""
    override: Override | None = None
    """Written by `kubectl fairlead rollback` and `promote --force`."""


class Live(Model):
    """The version that serves."""

    version: Name
    since: Timestamp


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


class GuardEvidence(Model):
    """What a guard has seen in this rollout, over all its windows."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    stable: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()
    windows: int = 0
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Log likelihood ratio per odds ratio of the test's grid: the whole state of the test."""
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    """Log of the evidence that the candidate is worse."""
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is rolled back."""
    odds: Annotated[str, Field(max_length=32)] = "1"
    """The tolerated odds ratio, from `worseBy` and the live version's rate when the rollout began."""
    floor: Annotated[str, Field(max_length=32)] = "0"
    """With a margin: the candidate's own share of bad answers up to which nothing is harm, fixed with `odds`."""
    proven: Proven | None = None
    """Of a guardrail or a target."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds."""
    state: Literal["Watching", "Harm", "NoEvidence"] = "NoEvidence"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    message: Text = ""
    digest: Annotated[str, Field(max_length=16)] = ""
    """Of the guard as it was written: a changed guard begins anew."""
    began_at: Timestamp | None = None
    """When its counters were first read; what they counted before is not evidence."""
    step_events: int = 0
    """What it has counted for the candidate in this step."""
    since: Timestamp | None = None
    """When its last window ended."""


class Cursor(Model):
    """How far a source's counters have been read: each delta is counted once, whatever happens to the operator."""

    source: Annotated[str, Field(max_length=128)]
    """Pod uid and container start, or the hash of a series' labels, with the arm and guard."""
    values: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=4)]
    """Of a pod: requests and failures, or requests and slow ones. Of a series: its value."""


class Split(Model):
    """Whether the traffic is divided as asked, in this step."""

    stable: int = 0
    candidate: int = 0
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    wrong: bool = False
    """The traffic was not divided as asked; it is counted anew, to see when it is again."""


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


class Candidate(Model):
    """The version on its way."""

    version: Name
    since: Timestamp
    against: Annotated[str, Field(max_length=63)] = ""
    """The live version when the rollout began: promotion happens only if it still is. Empty for the first version."""
    step: Annotated[int, Field(ge=-1)] = -1
    """Index of the step; -1 while its pods start and are warmed."""
    weight: int = 0
    step_since: Timestamp | None = None
    """When the step's weight was asked for."""
    let_on: int = -1
    """The last step, with `manual: true`, that a person has let go on."""
    routed_at: Timestamp | None = None
    """When the route was first seen to have this weight."""
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds of this step in which evidence came in."""
    step_requests: int = 0
    """Requests that the candidate answered in this step."""
    answered: ArmCounts = ArmCounts()
    """What the candidate's pods have counted in this rollout."""
    live_answered: ArmCounts = ArmCounts()
    """What the live version's pods have counted in the same windows."""
    counting_since: Timestamp | None = None
    """When the counters of both versions' pods were first read, just before the first traffic."""
    restarts: int = 0
    """Restarts of its pods then: later ones are held against it."""
    warmed: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""
    verdict: Literal["Starting", "Continue", "Harm", "NoEvidence"] = "Starting"
    expected: Annotated[str, Field(max_length=16)] = ""
    """How long it will still take at the present traffic if nothing is found, `4m10s`; empty while it isn't known."""
    doubling: Annotated[str, Field(max_length=16)] = ""
    """How long it takes at the present traffic to find out that it fails twice as often; empty while nothing fails."""
    guards: Annotated[list[GuardEvidence], Field(max_length=8, json_schema_extra=list_map("guard"))] = []
    split: Split = Split()
    common: Common = Common()
    cursors: Annotated[list[Cursor], Field(max_length=256, json_schema_extra=list_map("source"))] = []
    ledger: Ledger = Ledger()
    """What was seen, window by window, and what was decided on it."""
    first_request_at: Timestamp | None = None
    last_window_at: Timestamp | None = None


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
    guards: Annotated[list[GuardEvidence], Field(max_length=8, json_schema_extra=LIST_ATOMIC)] = []
    ledger: Annotated[str, Field(max_length=1024)] = ""
    """Where its evidence lies in the store, window by window: `kubectl fairlead replay` judges it once more."""


class WatchedGuard(Model):
    """What a guard has seen after the promotion."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    digest: Annotated[str, Field(max_length=16)] = ""
    """Of the guard as it was written: a changed guard is not watched any more."""
    state: Literal["Watching", "Alarm", "NoEvidence"] = "Watching"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    tolerated: Annotated[str, Field(max_length=32)] = ""
    """Without a holdback: the share of bad answers up to which nothing is wrong, fixed at the promotion. Empty: too
    little was known."""
    odds: Annotated[str, Field(max_length=32)] = "1"
    """With a holdback: the tolerated odds ratio, as in the rollout."""
    floor: Annotated[str, Field(max_length=32)] = "0"
    """With a holdback: as in the rollout."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds, as in the rollout."""
    live: ArmCounts = ArmCounts()
    previous: ArmCounts = ArmCounts()
    """With a holdback."""
    windows: int = 0
    """Those that could say something."""
    log_r: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """The detector's whole state, per alternative."""
    log_evidence: Annotated[str, Field(max_length=32)] = "-inf"
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is rolled back."""


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
    restarts: int = 0
    """Restarts of its pods at the promotion."""
    last_window_at: Timestamp
    guards: Annotated[list[WatchedGuard], Field(max_length=8, json_schema_extra=list_map("guard"))] = []
    cursors: Annotated[list[Cursor], Field(max_length=32, json_schema_extra=list_map("source"))] = []


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
    warmed: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""


class Stored(Model):
    """What was found when the way back's model was last looked for in the store."""

    version: Name
    at: Timestamp
    state: Literal["Found", "Missing", "Unknown"]
    """`Unknown`: it could not be looked for."""


class Retiring(Model):
    """A version without traffic whose pods finish what they have."""

    version: Name
    until: Timestamp


class DeploymentStatus(StatusBase):
    """What is live, what is on its way, and what became of earlier rollouts. Phases: Pending, Progressing, Live,
    Holding, RolledBack, Degraded. Conditions: Ready, Progressing, RouteAccepted, EvidenceAvailable, Watched,
    RollbackReady."""

    live: Live | None = None
    candidate: Candidate | None = None
    previous: Name | None = None
    """The last good version before the live one: the way back."""
    watch: Watch | None = None
    """The live version's behaviour since it was promoted, while it is watched."""
    way_back: WayBack | None = None
    """A rollback of the live version that is under way."""
    stored: Stored | None = None
    """Whether the way back's model is still in the store; looked for once an hour."""
    heeded: Annotated[str, Field(max_length=16)] = ""
    """Digest of the override that was carried out last."""
    refused: Annotated[list[Name], Field(max_length=50, json_schema_extra=LIST_ATOMIC)] = []
    """Versions that were rolled back here; they are not tried again, unless the annotation `fairlead.dev/retry`
    names one."""
    retried: Annotated[str, Field(max_length=63)] = ""
    """The value of the annotation `fairlead.dev/retry` that has been heeded."""
    retiring: Annotated[list[Retiring], Field(max_length=10, json_schema_extra=list_map("version"))] = []
    history: Annotated[list[RolloutRecord], Field(max_length=10, json_schema_extra=LIST_ATOMIC)] = []
    """The last 10 rollouts, newest first."""
    unsaved: Annotated[list[Ledger], Field(max_length=3, json_schema_extra=LIST_ATOMIC)] = []
    """Evidence of ended rollouts that the store does not have yet."""
    address: Annotated[str, Field(max_length=512)] = ""
    """Where clients reach it."""
    ready_replicas: int = 0


class Deployment(Model):
    """A model behind a gateway, rolled out by evidence and rolled back by evidence."""

    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()
