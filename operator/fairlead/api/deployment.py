"""Deployment: a model behind a gateway, rolled out by evidence and rolled back by evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.experiment import Experiment
from fairlead.api.guard import IS_OFF, Guard
from fairlead.api.monitors import Monitors
from fairlead.api.record import Output, Record
from fairlead.api.replicas import Replicas
from fairlead.api.requirement import Requirement
from fairlead.api.review import JUDGED, Judgement
from fairlead.api.schema import (
    LIST_ATOMIC,
    Chance,
    Duration,
    Model,
    Name,
    Share,
    Span,
    cel,
    exactly_one_of,
    list_map,
    strictly,
)

_ERRORS = Guard(metric="errors")
OFF = Guard(metric="errors", off=True)
"""Errors are not guarded."""
"""Guarded unless that is switched off by name."""


class ModelRef(Model):
    """Which versions go live."""

    name: Name | None = None
    """A model: each newly approved version of it is rolled out."""
    version: Name | None = None
    """One ModelVersion: git decides."""
    require: Requirement = Requirement()
    """What a version must have to be chosen. A version that was live here may become so again."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("name", "version")))


class GatewayRef(Model):
    """A Gateway; one in another namespace must allow routes from this one."""

    name: Name
    namespace: Name | None = None


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Host = Annotated[
    str,
    Field(
        max_length=253, pattern=rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$",
        json_schema_extra=cel(("!self.matches('^[0-9.]+$')", "an address is no host name")),
    ),
]  # fmt: skip
PathPrefix = Annotated[
    str,
    Field(
        max_length=256, pattern=r"^/([-A-Za-z0-9._~]+/)*[-A-Za-z0-9._~]*$",
        json_schema_extra=cel(("!self.matches('/[.][.]?(/|$)')", "`.` and `..` are no parts of a path")),
    ),
]  # fmt: skip


class Route(Model):
    """How clients reach the model. Fairlead owns the HTTPRoute or GRPCRoute whole."""

    gateway: GatewayRef
    protocol: Literal["HTTP", "GRPC"] = "HTTP"
    """`GRPC`: a GRPCRoute. The server listens for gRPC without TLS on port 8081 (a custom one is told so by the
    environment variable `GRPC_PORT`); on `$PORT` it goes on saying by HTTP whether it is ready."""
    host: Host | None = None
    """Host name; default: any. One that no other namespace has is this one's own, with all of its paths."""
    path: PathPrefix | None = None
    """Path prefix, taken off before the server sees the request. Default `/<namespace>/<name>`. Without a host of its own
    it must be below `/<namespace>/`, unless the installation grants more. Not with GRPC."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.protocol) || self.protocol != 'GRPC' || has(self.host)",
                "GRPC needs a host of its own: a method's path has no room for a prefix that says which model is meant",
            ),
            ("!has(self.protocol) || self.protocol != 'GRPC' || !has(self.path)", "GRPC has no path: take it out"),
        )
    )


class CanaryStep(Model):
    """A share of the traffic, and what must have been seen before the next step."""

    weight: Annotated[int, Field(ge=0, le=100)] = 0
    """Percent of the requests that the candidate gets. 0: only those that ask for it by the header
    `x-fairlead-version`, and with `shadow` copies of the others."""
    shadow: Share | None = None
    """With weight 0: of so many of the live version's requests the candidate gets a copy, whose answer nobody gets."""
    copies: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """With `shadow`: after about so many copies no more are made, and the step is judged by what they showed."""
    for_: Annotated[Duration, Field(alias="for")] = "60s"
    """At least this long, counting only time in which evidence came in. With weight 0 and no `shadow`, just time."""
    requests: Annotated[int, Field(ge=1, le=10_000_000)] = 100
    """At least this many requests answered by the candidate in this step. Not with weight 0 and no `shadow`."""
    manual: bool = False
    """Besides, a person must let it go on: `kubectl fairlead continue NAME`."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.shadow) || (self.shadow.matches('[1-9]') && (!has(self.weight) || self.weight == 0))",
                "a shadow step has a share above 0% and no weight: its candidate answers nobody",
            ),
            ("!has(self.copies) || has(self.shadow)", "copies goes with shadow"),
            (
                "!has(self.copies) || !has(self.requests) || self.copies >= self.requests",
                "copies must be at least requests, or the step could never be left",
            ),
        )
    )


class Confirm(Model):
    """How an alarm is confirmed: the version before answers a share of the requests again, and both are compared at
    the same time."""

    share: Annotated[str, Field(max_length=3, pattern=r"^([1-9]|[1-4][0-9]|50)%$")] = "20%"
    """Share of the requests that the version before gets, from `1%` to `50%`. About latency is asked with one half,
    since it depends on load."""
    for_: Annotated[Duration, Field(alias="for")] = "10m"
    """How long, counting only time in which both answered requests. If nothing was found by then, it is the world that
    has changed."""

    model_config = ConfigDict(
        json_schema_extra=cel(("!has(self.__for__) || self.__for__.matches('[1-9]')", "`for` must be above 0s"))
    )


class AfterPromotion(Model):
    """The watch over a version that has taken over from another one. It is rolled back when it has become worse than
    the one before."""

    for_: Annotated[Duration, Field(alias="for")] = "1h"
    """How long, counting only time in which requests were seen; it ends after twice as long in any case. `0s`: no
    watch."""
    holdback: Annotated[str, Field(max_length=4, pattern=r"^([0-9]|[1-4][0-9]|50)%$")] = "0%"
    """Share of the requests that the previous version goes on answering meanwhile. The two are then compared on the
    same traffic; without it, with what the previous version did during the rollout."""
    tolerance: Share = "1%"
    """Without a holdback: percentage points by which the share of bad answers may have risen since the rollout, on
    top of `worseBy`, for reasons that are not the version's."""
    false_alarms: Chance = "1%"
    """The chance that a version that is no worse than the one before is rolled back, over the whole watch, all guards
    and all questions."""
    confirm: Confirm = Confirm()
    """Without a holdback an alarm compares with the past, so it takes nothing back: it asks whether it is the version,
    or the world."""
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
    """Shares of the traffic in rising order, shadow steps first; after the last one the candidate is promoted."""
    guard: Annotated[list[Guard], Field(min_length=1, max_length=9, json_schema_extra=LIST_ATOMIC)] = [
        Guard(metric="errors"),
    ]
    """What is watched; any harm rolls back. Errors are guarded also where the list does not name them, unless it ends
    with `{metric: errors, off: true}`. At most 8 besides errors."""
    false_alarms: Chance = "1%"
    """The chance that a version that is no worse is rolled back, over the whole rollout and all guards."""
    missed_harm: Chance = "5%"
    """The chance that a guardrail or a target is called proven though it is not so."""
    design_effect: Annotated[str, Field(max_length=8, pattern=r"^[1-9][0-9]{0,3}(\.[0-9]{1,2})?$")] = "1"
    """How many requests stand for one independent one: above 1 where clients retry or send bursts that fail together.
    Evidence then grows more slowly by this factor."""
    patience: Span = "24h"
    """A rollout that has not ended by then is taken back, and a condition says why."""
    after_promotion: AfterPromotion = AfterPromotion()
    """How it is watched once it is live."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.steps) || self.steps.size() < 2 || self.steps.all(s, !has(s.weight) || s.weight == 0 || "
             "self.steps.filter(t, has(t.weight) && t.weight == s.weight).size() == 1)",
             "two steps have the same weight"),
            ("!has(self.steps) || self.steps.map(s, has(s.weight) ? s.weight : 0).isSorted()",
             "the steps' weights must rise"),
            ("!has(self.falseAlarms) || self.falseAlarms.matches('[1-9]')", "falseAlarms must be above 0%"),
            ("!has(self.missedHarm) || self.missedHarm.matches('[1-9]')", "missedHarm must be above 0%"),
            ("!has(self.guard) || self.guard.filter(g, g.metric != 'errors').size() <= 8",
             "at most 8 guards besides errors"),
            (f"!has(self.guard) || !self.guard.exists(g, {IS_OFF.format('g')}) || "
             "self.guard.filter(g, g.metric == 'errors').size() == 1",
             "errors are guarded and off: keep one of the two"),
            (f"!has(self.guard) || !self.guard.exists(g, {IS_OFF.format('g')}) || "
             f"{IS_OFF.format('self.guard[self.guard.size() - 1]')}",
             "write {metric: errors, off: true} as the last of the list: the others are named by their place in it"),
            (f"!has(self.guard) || self.guard.exists(g, !{IS_OFF.format('g')})",
             "nothing would be guarded: with errors off, guard something else"),
        )
    )  # fmt: skip

    @property
    def guards(self) -> list[Guard]:
        """What is really guarded, in the order that gives guards their ids: the list as it was written, and errors
        behind it if it does not speak of them. This, not `guard`, is what everything goes by."""
        if "errors" in [one.metric for one in self.guard]:  # asked for very often: without a generator
            return [one for one in self.guard if not one.is_off]
        return [*self.guard, _ERRORS]

    @property
    def spelt_out(self) -> list[Guard]:
        """`guard` with what it leaves unsaid: from this list `guards` are the same, and it says itself if errors are
        off."""
        return self.guard if any(one.metric == "errors" for one in self.guard) else self.guards


class Override(Model):
    """A person's decision, with no regard to evidence. Each is carried out once; nothing happens if it has no object
    (any more)."""

    action: Literal["Rollback", "Promote", "Continue"]
    """`Rollback`: `version`, which was live here, becomes so again, and what is live or on its way is not tried again. `Promote`:
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

    availability: Share = "99%"
    """Share of requests that succeed."""


class Alerts(Model):
    """The PrometheusRule that is made for this Deployment."""

    labels: Annotated[
        dict[
            Annotated[str, Field(json_schema_extra=strictly("^[a-zA-Z_][a-zA-Z0-9_]{0,62}$"))],
            Annotated[str, Field(max_length=128)],
        ],
        Field(
            max_length=16,
            json_schema_extra=cel(
                (
                    "self.all(key, !key.startsWith('__') && "
                    "!(key in ['alertname', 'severity', 'namespace', 'deployment', 'window']))",
                    "alertname, severity, namespace, deployment and window are set by Fairlead, and names with __ are "
                    "Prometheus' own: choose others",
                ),
                ("self.all(key, !self[key].contains('{{'))", "a label is plain text: no template ({{…}})"),
            ),
        ),
    ] = {}
    """Added to each alert, for example the team. Plain text, under names that Prometheus takes."""
    slo: Slo = Slo()


class DeploymentSpec(Model):
    """Which model is served where, and how a new version earns its traffic."""

    model: ModelRef
    replicas: Replicas = Replicas()
    route: Route
    rollout: Rollout = Rollout()
    record: Record | None = None
    """Keep the answers: a proxy beside each server hands a copy of them to a recorder. Needed to compare answers."""
    monitors: Monitors | None = None
    """Watch the live version on: `{}` is a sensible whole. Answers are recorded then (turning it on or off replaces
    pods, as `record` does)."""
    experiment: Experiment | None = None
    """Compare several versions with each other: A/B tests, bandits. No rollout begins meanwhile."""
    alerts: Alerts = Alerts()
    paused: bool = False
    """Freeze: no new rollout begins, and a running one keeps its weight. Harm still rolls back."""
    override: Override | None = None
    """Written by `kubectl fairlead rollback` and `promote --force`."""
    judgements: Annotated[list[Judgement], Field(max_length=JUDGED, json_schema_extra=list_map("pair"))] = []
    """What people say of pairs of answers. Written by `kubectl fairlead review`; not for git."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.record) || !has(self.rollout) || !has(self.rollout.guard) || "
                "!self.rollout.guard.exists(g, g.metric in ['disagreement', 'labels', 'scores', 'review'])",
                "a guard on disagreement, labels, scores or review needs `record`: it compares the answers themselves",
            ),
            (
                "!has(self.rollout) || !has(self.rollout.guard) || !has(self.rollout.steps) || "
                "!self.rollout.guard.exists(g, g.metric in ['disagreement', 'review']) || "
                "self.rollout.steps.exists(s, has(s.shadow))",
                "a guard on disagreement or review needs a step with `shadow`: only there both versions answer the same "
                "requests",
            ),
            (
                "!has(self.rollout) || !has(self.rollout.guard) || "
                "self.rollout.guard.filter(g, g.metric == 'review').size() <= 1",
                "one guard on review is enough: people judge each pair once",
            ),
            (
                "!has(self.experiment) || !has(self.route.protocol) || self.route.protocol != 'GRPC' || "
                "(has(self.experiment.sticky) && has(self.experiment.sticky.__for__) && "
                "!self.experiment.sticky.__for__.matches('[1-9]'))",
                "users stay with their version by a cookie, which gRPC has not: set experiment.sticky.for to 0s, so "
                "that requests are divided, or use HTTP",
            ),
            (
                "!has(self.experiment) || !has(self.model.version) || "
                "!self.experiment.versions.exists(v, v == self.model.version)",
                "experiment.versions names model.version, which takes part anyway: name only the others",
            ),
        )
    )

    @property
    def recorded(self) -> Record | None:
        """How answers are recorded: for the monitors too. This, not `record`, is what pods go by."""
        if self.record is not None or self.monitors is None:
            return self.record
        if self.monitors.labels is not None:
            return _LABELLED
        return _MONITORED if self.monitors.explain is None else _WITH_BODIES


_MONITORED = Record()
_WITH_BODIES = Record(inputs=True)
_LABELLED = Record(inputs=True, output=Output(path=""))
"""With their requests, which tell slices apart, and whole, for probabilities stand beside the answers."""


class Deployment(Model):
    """A model behind a gateway, rolled out by evidence and rolled back by evidence."""

    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()
