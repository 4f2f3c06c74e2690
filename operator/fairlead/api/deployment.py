"""Deployment: a model behind a gateway, rolled out by evidence and rolled back by evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.deploymentstatus import (
    ArmCounts,
    Candidate,
    Common,
    Cursor,
    DeploymentStatus,
    GuardEvidence,
    Live,
    Proven,
    Retiring,
    RolloutRecord,
    Split,
    Stored,
    Watch,
    WatchedGuard,
    WayBack,
)
from fairlead.api.schema import (
    LIST_ATOMIC,
    Duration,
    Model,
    Name,
    Percent,
    cel,
    exactly_one_of,
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


class Deployment(Model):
    """A model behind a gateway, rolled out by evidence and rolled back by evidence."""

    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()


__all__ = [
    "AfterPromotion", "Alerts", "ArmCounts", "CanaryStep", "Candidate", "Common", "Cursor", "Deployment",
    "DeploymentSpec", "DeploymentStatus", "GatewayRef", "Guard", "GuardEvidence", "Live", "ModelRef", "Override",
    "PromCounters", "Proven", "Replicas", "Retiring", "Rollout", "RolloutRecord", "Route", "Slo", "Split", "Stored",
    "Watch", "WatchedGuard", "WayBack",
]  # fmt: skip
