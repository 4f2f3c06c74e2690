"""What is tried of each alert: series, a time, and which alerts fire then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.deployment import Alerts, Slo
from fairlead.api.server import Server
from fairlead.manifests import alerts, presets
from fairlead.plan.deployment.monitors.registry import MONITORS

Json = dict[str, Any]
Labels = Mapping[str, str]
STEP = 15
"""Seconds between two scrapes, and between two evaluations, at least."""
NAMESPACE, NAME = "team", "web"
DEADLINE = 60.0
SERVER = Server(runtime="sklearn")
NOTHING, GONE = "nothing is exported", "the series ends"
TRUE, FALSE, EARLY, BROKEN = "it is so", "it is not so", "not for long enough", "not all the time"
ELSEWHERE, TWICE, RESET = "of another one", "two replicas say so", "the counter begins anew"


@dataclass(frozen=True)
class Case:
    """One situation."""

    alert: str
    what: str
    series: Mapping[str, str]
    at: int
    """Seconds."""
    fires: tuple[Labels, ...] = ()
    """The labels of each alert that fires, without those that the rule has."""
    value: str = ""
    """What stands in the annotations for `{{ $value … }}`."""

    @property
    def name(self) -> str:
        """Of its own."""
        return f"{self.alert}: {self.what}"


def of_a_deployment() -> list[Json]:
    """The groups of rules of a Deployment with all that there is to watch."""
    about = alerts.About(NAME, NAMESPACE, {}, {})
    wanted = Alerts(labels={"team": "a"}, slo=Slo(availability="99.9%"))
    found = alerts.rules(about, wanted, SERVER, DEADLINE, [one.name for one in MONITORS])
    return [*found["spec"]["groups"]]


def deadlines(groups: Sequence[Json]) -> dict[str, int]:
    """How long something must be so, by alert, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600}
    asked = {rule["alert"]: str(rule.get("for", "0s")) for group in groups for rule in group["rules"]}
    return {name: int(text[:-1]) * units[text[-1]] for name, text in asked.items()}


# --- gauges that the operator exports of objects -------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """An alert that goes by the value of a gauge."""

    alert: str
    metric: str
    bad: int = 0
    good: tuple[int, ...] = (1,)
    more: Labels = field(default_factory=dict)
    """Labels besides the object's."""
    kept: bool = True
    """Whether the alert has the labels in `more`."""


ROLLOUTS = (
    Told("FairleadRolledBack", "rollback_info", 1, (0,), {"version": "web-2", "reason": "ErrorsWorse"}),
    Told("FairleadNoEvidence", "evidence_available"),
    Told("FairleadRollbackNotReady", "rollback_ready"),
    Told("FairleadNotWatched", "watched"),
    Told("FairleadWorldChanged", "world_changed", 1, (0,)),
    Told("FairleadCannotConfirm", "cannot_confirm", 1, (0,)),
    Told("FairleadNoReadyPod", "ready_replicas", 0, (1, 3)),
    Told("FairleadRolloutStuck", "phase", 1, (0,), {"phase": "Holding"}),
    Told("FairleadNotMonitored", "monitored"),
)
WATCHED = tuple(
    Told(name, "monitor", 2, (0, 1, -1), {"monitor": monitor, "version": "web-1"})
    for monitor, (name, _) in alerts.ALERTS.items()
)


def of_gauges(waits: Mapping[str, int]) -> Iterator[Case]:
    """Each alert on a gauge of a Deployment, in all situations."""
    for one in (*ROLLOUTS, *WATCHED):

        def named(pod: str, deployment: str = NAME, one: Told = one) -> str:
            return exported(f"fairlead_deployment_{one.metric}", pod, {
                "namespace": NAMESPACE, "deployment": deployment, **one.more,
            })  # fmt: skip

        yield from _situations(one.alert, one.bad, one.good, waits[one.alert], one.more, named)


def of_pipelines() -> Iterator[Case]:
    """The alert on a Pipeline that has given up."""

    def named(pod: str, pipeline: str = "train") -> str:
        return exported("fairlead_pipeline_gave_up", pod, {"namespace": NAMESPACE, "pipeline": pipeline})

    alert = "FairleadGaveUp"
    mine = {"namespace": NAMESPACE, "pipeline": "train"}
    for case in _situations(alert, 1, (0,), 0, mine, named):
        if case.what != ELSEWHERE:
            yield case
    yield Case(alert, "two of them", {named("fairlead-a"): "1x9", named("fairlead-a", "other"): "1x9"}, 60,
               (mine, mine | {"pipeline": "other"}))  # fmt: skip
    yield Case(alert, ELSEWHERE, {named("other-a"): "1x9"}, 60)


def _situations(
    alert: str, bad: int, good: Sequence[int], wait: int, labels: Labels, named: Any
) -> Iterator[Case]:  # fmt: skip
    """named: the series that a pod of the operator exports."""
    step = step_of(wait)
    long = wait // step + 8
    over = wait + 2 * step
    fires = (labels,)
    yield Case(alert, TRUE, {named("fairlead-a"): f"{bad}x{long}"}, over, fires)
    yield Case(alert, TWICE, {named(pod): f"{bad}x{long}" for pod in ("fairlead-a", "fairlead-b")}, over, fires)
    for value in good:
        yield Case(alert, f"{FALSE}: {value}", {named("fairlead-a"): f"{value}x{long}"}, over)
    yield Case(alert, NOTHING, {}, over)
    yield Case(alert, ELSEWHERE, {named("fairlead-a", "another"): f"{bad}x{long}"}, over)
    yield Case(alert, GONE, {named("fairlead-a"): f"{bad}x{wait // step} stale"}, over)
    if wait:
        yield Case(alert, EARLY, {named("fairlead-a"): f"{bad}x{long}"}, wait - step)
        yield Case(alert, BROKEN, {named("fairlead-a"): f"{bad}x{wait // step - 1} {good[0]} {bad}x9"}, over)


def step_of(wait: int) -> int:
    """Seconds between two scrapes, and between two evaluations, where it takes so long until an alert fires."""
    return max(STEP, wait // 72)


def exported(metric: str, pod: str, labels: Labels) -> str:
    """A series of the operator's as Prometheus has it."""
    target = {"instance": f"{pod}:8080", "pod": pod, "container": "operator", "endpoint": "http", "job": "fairlead"}
    return selector(metric, {**target, **labels})


def selector(metric: str, labels: Labels) -> str:
    """As it is written."""
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}"


# --- the operator itself --------------------------------------------------------------------------------------------


def of_the_operator() -> Iterator[Case]:
    """The alerts of the chart on the operator itself."""
    yield from _leading()
    yield from _failing()
    yield from _slow()
    yield from _behind()


def _leading() -> Iterator[Case]:
    alert, a, b = "FairleadNotLeading", *(exported("fairlead_leader", f"fairlead-{one}", {}) for one in "ab")
    mine: tuple[Labels, ...] = ({},)
    yield Case(alert, TRUE, {a: "0x20", b: "0x20"}, 150, mine)
    yield Case(alert, NOTHING, {}, 150, mine)
    yield Case(alert, FALSE, {a: "1x20", b: "0x20"}, 150)
    yield Case(alert, EARLY, {a: "0x20", b: "0x20"}, 105)
    yield Case(alert, "another takes over", {a: "1x4 0x30", b: "0x8 1x26"}, 240)
    yield Case(alert, GONE, {a: "1x4 stale"}, 255, mine)
    yield Case(alert, ELSEWHERE, {exported("fairlead_leader", "other-a", {}): "1x20"}, 150, mine)


def _failing() -> Iterator[Case]:
    """Rates above .05 for ten minutes: 3 in 15 s are .2, 3 in 300 s are .01."""
    counters: tuple[tuple[str, str, Labels, tuple[Labels, ...], str], ...] = (
        ("FairleadErrors", "fairlead_errors_total", {"kind": "Dataset", "error": "OSError"},
         ({"kind": "Dataset", "error": "Invalid"}, {"kind": "Dataset", "error": "Conflict"}), "200m"),
        ("FairleadApiServerRefuses", "fairlead_api_requests_total", {"verb": "GET", "resource": "pods", "code": "503"},
         tuple({"verb": "GET", "resource": "pods", "code": code} for code in ("200", "404", "409")), ""),
    )  # fmt: skip
    for alert, metric, bad, harmless, value in counters:
        one = exported(metric, "fairlead-a", bad)
        yield Case(alert, TRUE, {one: "0+3x100"}, 1500, (bad,), value)
        yield Case(alert, FALSE, {exported(metric, "fairlead-a", each): "0+3x100" for each in harmless}, 1500)
        yield Case(alert, "a few", {one: "0x19 3x19 6x19 9x19 12x24"}, 1500)
        yield Case(alert, NOTHING, {}, 1500)
        yield Case(alert, EARLY, {one: "0+3x100"}, 600)
        yield Case(alert, BROKEN, {one: "0+3x40 123x60"}, 1500)
        yield Case(alert, RESET, {one: "0+3x50 0+3x50"}, 1500, (bad,), value)
        yield Case(alert, f"{RESET}, and nothing happens", {one: "90000x50 0x50"}, 1500)
        yield Case(alert, ELSEWHERE, {exported(metric, "other-a", bad): "0+3x100"}, 1500)
        halves = {exported(metric, f"fairlead-{each}", bad): "0+3x100" for each in "ab"}
        yield Case(alert, TWICE, halves, 1500, (bad,), value and "400m")


def _slow() -> Iterator[Case]:
    alert = "FairleadSlow"

    def waits(quick: str, slow: str, pod: str = "fairlead-a") -> dict[str, str]:
        found = (("1", quick), ("5", quick), ("10", slow), ("+Inf", slow))
        return {exported("fairlead_queue_wait_seconds_bucket", pod, {"kind": "Dataset", "le": le}): values
                for le, values in found}  # fmt: skip

    yield Case(alert, TRUE, waits("0x100", "0+4x100"), 1500, ({},), "9.95s")
    yield Case(alert, FALSE, waits("0+4x100", "0+4x100"), 1500)
    yield Case(alert, "one of many", waits("0+999x100", "0+1000x100"), 1500)
    yield Case(alert, "nothing to look at", waits("50x100", "70x100"), 1500)
    yield Case(alert, NOTHING, {}, 1500)
    yield Case(alert, EARLY, waits("0x100", "0+4x100"), 600)
    yield Case(alert, ELSEWHERE, waits("0x100", "0+4x100", "other-a"), 1500)
    yield Case(alert, RESET, waits("0x100", "0+4x50 0+4x50"), 1500, ({},), "9.95s")
    yield Case(alert, f"{RESET}, and nothing happens", waits("0x100", "5000x50 0x50"), 1500)


def _behind() -> Iterator[Case]:
    for alert, metric, wait, labels, value in (
        ("FairleadClockBehind", "fairlead_clock_behind_objects", 300, {}, "2"),
        ("FairleadKindWithheld", "fairlead_kind_withheld", 600, {"kind": "GRPCRoute"}, ""),
    ):
        long = wait // STEP + 8
        one, other = (exported(metric, f"fairlead-{each}", labels) for each in "ab")
        yield Case(alert, TRUE, {one: f"2x{long}"}, wait + 30, (labels,), value)
        yield Case(alert, TWICE, {one: f"2x{long}", other: f"1x{long}"}, wait + 30, (labels,), value)
        yield Case(alert, FALSE, {one: f"0x{long}"}, wait + 30)
        yield Case(alert, NOTHING, {}, wait + 30)
        yield Case(alert, EARLY, {one: f"2x{long}"}, wait - STEP)
        yield Case(alert, BROKEN, {one: f"2x{wait // STEP - 1} 0 2x9"}, wait + 30)
        yield Case(alert, GONE, {one: f"2x{wait // STEP} stale"}, wait + 30)
        yield Case(alert, ELSEWHERE, {exported(metric, "other-a", labels): f"2x{long}"}, wait + 30)


# --- the error budget -----------------------------------------------------------------------------------------------

SLOW_STEP = 150
"""Seconds between two scrapes where windows are days long."""
RARELY = "4d"
"""How often rules are evaluated there: at the end."""
_HOUR = 3600 // SLOW_STEP
BUDGET = "FairleadErrorBudgetBurn"


def of_the_budget() -> Iterator[Case]:
    """Of 99.9 %: 1,000 requests at a time, of which one may fail. What fires is named by its long window."""
    day, hour = 24 * _HOUR, _HOUR
    many = 4 * day
    at = many * SLOW_STEP
    fire: dict[str, Labels] = {"1h": {"severity": "critical"}, "6h": {"severity": "critical"}}
    fire |= {"1d": {"severity": "warning"}, "3d": {"severity": "warning"}}

    def case(what: str, failed: str, *windows: str, requests: str = f"0+1000x{many}") -> Case:
        found = {_counted("200"): requests} | ({_counted("500"): failed} if failed else {})
        return Case(BUDGET, what, found, at, tuple({"window": one, **fire[one]} for one in windows))

    yield case(f"{FALSE}: nothing has failed yet", "")
    yield case(f"{FALSE}: less than it may", f"0+0.9x{many}")
    yield case(f"{TRUE}: 1.5 times for days", f"0+1.5x{many}", "3d")
    yield case(f"{TRUE}: 4 times for days", f"0+4x{many}", "1d", "3d")
    yield case(f"{TRUE}: 8 times for days", f"0+8x{many}", "6h", "1d", "3d")
    yield case(f"{TRUE}: 20 times for days", f"0+20x{many}", "1h", "6h", "1d", "3d")
    yield case(f"{TRUE}: 20 times for two hours", f"0x{many - 2 * hour} 20+20x{2 * hour - 1}", "1h", "6h")
    yield case(f"{FALSE}: it is over", f"0+20x{many - 3 * hour} {20 * (many - 3 * hour)}x{3 * hour}", "3d")
    yield case(f"{FALSE}: it is over since days", f"0+20x{day // 2} {10 * day}x{4 * day}")
    yield case("few requests: a single failure is a large share", f"0x{many - 1} 9", requests=f"0+0.01x{many}")
    yield Case(BUDGET, NOTHING, {}, at)
    yield Case(BUDGET, ELSEWHERE, {_counted("500", "another"): f"0+20x{many}"}, at)
    yield case(RESET, f"0+20x{many // 2} 0+20x{many // 2}", "1h", "6h", "1d", "3d")
    yield case(f"{RESET}, and nothing fails", f"90000x{many // 2} 0x{many // 2}",
               requests=f"0+1000x{many // 2} 0+1000x{many // 2}")  # fmt: skip
    pods = {_counted(code, pod=pod): f"0+{each}x{many}" for code, each in (("200", 500), ("500", 10)) for pod in "ab"}
    yield Case(BUDGET, "two pods", pods, at,
               tuple({"window": one, **labels} for one, labels in fire.items()))  # fmt: skip


def _counted(code: str, deployment: str = NAME, pod: str = "a") -> str:
    asked = presets.counters(SERVER, grpc=False).requests
    metric = re.match(r"\w+", asked)
    assert metric
    return selector(metric[0], {
        "namespace": NAMESPACE, "deployment": deployment, "version": "web-1", "pod": pod, "method": "POST",
        "path": "/v2/models/{model_name}/infer", "status_code": code,
    })  # fmt: skip
