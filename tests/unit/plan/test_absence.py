"""What is not there is no zero: names that no page has, warm-ups that nobody counted, traffic that does not come."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import METRICS, PodCounts, Sim, spec

from fairlead.plan.requests import Answer, PromQuery, Vector

LATENCY = {"metric": "latency", "quantile": "p95", "worseBy": "50%"}


def page(counts: PodCounts, label: str = "code", name: str = "requests_total") -> str:
    """As client libraries write it: a series for each outcome that there has been."""
    fine = counts.requests - counts.failures
    lines = [f"# TYPE {name} counter"]
    lines += [f'{name}{{{label}="200"}} {fine}'] if fine else []
    lines += [f'{name}{{{label}="500"}} {counts.failures}'] if counts.failures else []
    return "\n".join([*lines, ""])


def version(sim: Sim, name: str, **names: str | None) -> None:
    """A version whose pods have a real page, and whose counters are named so."""
    metrics = {key: value for key, value in (METRICS | names).items() if value is not None}
    sim.pages[name] = page
    sim.version(name, server={"runtime": "custom", "image": "server:1", "metrics": metrics})


def begun(**names: str | None) -> Sim:
    """A second version has been applied, and its pods are ready."""
    sim = Sim(spec(steps=[(50, "3s", 10)]), errors={"m-2": 0.5})
    sim.go_live()
    sim.tick(40)
    version(sim, "m-2", **names)
    sim.look()
    sim.ready("m-2")
    sim.look()
    return sim


WRONG: list[tuple[dict[str, str | None], str, str]] = [
    ({"failures": 'requests_total{status=~"5.."}'}, "LabelMissing", "their labels: code"),
    ({"failures": 'requests_totl{code=~"5.."}'}, "MetricMissing", "requests_total"),
    ({"failures": "failures_total"}, "MetricMissing", "a # TYPE line is enough"),
    ({"requests": "requests_totl"}, "MetricMissing", "requests_total"),
    ({"requests": "requests_total + other_total"}, "MetricMissing", "other_total"),
    ({"requests": 'requests_total{kind="infer"}'}, "LabelMissing", "kind"),
    ({"requests": 'requests_total{code="299"}'}, "NotCounted", 'requests_total{code="299"}'),
]


@pytest.mark.parametrize(("names", "reason", "words"), WRONG, ids=[f"{one[1]}-{i}" for i, one in enumerate(WRONG)])
def test_b03_what_no_page_has_is_said_before_the_rollout_and_nothing_is_promoted(
    names: dict[str, str | None], reason: str, words: str
) -> None:
    sim = begun(**names)
    sim.run(20, 100)
    assert sim.candidate["weight"] == 0
    assert sim.status["live"]["version"] == "m-1"
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("False", reason)
    assert words in told["message"]
    assert "ModelVersion" in told["message"]
    assert sim.condition("EvidenceAvailable")["reason"] == reason
    assert sim.status["phase"] == "Holding"


def test_b03_a_first_failure_that_is_still_to_come_holds_nothing_up() -> None:
    sim = begun()
    sim.errors["m-2"] = 0.0
    sim.run(20, 100)
    assert sim.status["live"]["version"] == "m-2"


def test_b03_failures_are_seen_as_soon_as_their_series_is_there() -> None:
    sim = begun()
    sim.run(20, 100)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"


def test_b03_a_pod_that_has_had_no_request_yet_is_known_by_its_siblings() -> None:
    """A library that makes its metrics at the first request, and a pod that comes while the others are busy."""
    sim = Sim(spec(steps=[(50, "3s", 10)], replicas={"min": 2}))
    sim.go_live()
    version(sim, "m-2")
    sim.pages["m-2"] = lambda counts: page(counts) if counts.requests else "up 1\n"
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.counted[sim.pods("m-2")[0]["metadata"]["uid"]] = PodCounts()
    sim.tell_of_restart("m-2", sim.now)
    sim.tick(0)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    sim.run(20, 100)
    assert sim.status["live"]["version"] == "m-2"


def test_b03_the_first_version_is_told_too_as_it_can_not_be_changed_later() -> None:
    sim = Sim(spec())
    version(sim, "m-1", failures='requests_total{status=~"5.."}')
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert "live" not in sim.status
    assert sim.condition("Progressing")["reason"] == "LabelMissing"
    version(sim, "m-2")
    sim.look()
    sim.ready("m-2")
    sim.look()
    assert sim.status["live"]["version"] == "m-2"


def test_b03_a_live_version_whose_names_went_wrong_is_said_to_need_a_person() -> None:
    sim = begun()
    sim.pages["m-1"] = lambda counts: page(counts, "status")
    sim.run(10, 100)
    assert sim.status["live"]["version"] == "m-1"
    told = sim.condition("EvidenceAvailable")
    assert told["reason"] == "LabelMissing"
    assert "promote web -n team --force" in told["message"]


def test_b03_after_the_promotion_too() -> None:
    sim = begun()
    sim.errors["m-2"] = 0.0
    sim.run(20, 100)
    sim.pages["m-2"] = lambda counts: page(counts, name="renamed_total")
    for _ in range(3):
        sim.tick(100, seconds=10)
    told = sim.condition("Watched")
    assert (told["status"], told["reason"]) == ("False", "MetricMissing")
    assert "renamed_total" in told["message"]


@pytest.mark.parametrize("named", ["secnds", None])
def test_b03_a_candidate_whose_latency_nobody_measures_is_not_as_fast_as_the_live_version(named: str | None) -> None:
    sim = Sim(spec({"metric": "errors"}, LATENCY, steps=[(50, "3s", 10)]))
    sim.go_live()
    sim.tick(2000)
    version(sim, "m-2", latency=named)
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.run(20, 100)
    assert sim.status["live"]["version"] == "m-1"
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "NoHistogram")
    assert "spec.server.metrics.latency" in told["message"]


def test_b03_no_traffic_is_told_as_no_traffic() -> None:
    sim = begun()
    sim.run(10, 0)
    assert sim.condition("Progressing")["reason"] == "Observing"
    for _ in range(7):
        sim.tick(0, seconds=10)
    told: dict[str, Any] = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("True", "NoTraffic")
    assert "no request has come to m-2" in told["message"]
    assert sim.condition("EvidenceAvailable")["reason"] == "NoTraffic"
    sim.errors.clear()
    sim.tick(100)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    sim.run(10, 100)
    assert sim.status["live"]["version"] == "m-2"


def test_b03_no_traffic_does_not_keep_a_person_from_raising_the_weight() -> None:
    sim = begun()
    for _ in range(8):
        sim.tick(0, seconds=10)
    sim.spec["rollout"]["steps"][0]["weight"] = 90
    sim.tick()
    assert sim.candidate["weight"] == 90


@pytest.mark.parametrize(
    "text", ["<html>hello</html>", '{"requests": 5}', "requests_total NaN\n", "requests_total -1\n"]
)
def test_b03_pages_of_something_else_hold_a_rollout(text: str) -> None:
    sim = begun()
    sim.pages["m-2"] = lambda _: text
    sim.run(10, 100)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("EvidenceAvailable")["reason"] in ("NotMetrics", "UnusableValue")


# --- outcomes --------------------------------------------------------------------------------------------------------


class Unspelt(Sim):
    """The application names something else than the guard's second expression does."""

    def _query(self, request: PromQuery) -> Answer:
        part = request.expression.rpartition(":")[0]
        return Vector(()) if part in ("failures", "successes") else super()._query(request)


def asking(part: str) -> Sim:
    promql = {"total": "total:{{version}}", part: f"{part}:{{{{version}}}}"}
    guard = {"metric": "outcomes", "promql": promql, "minEvents": 5}
    sim = Unspelt(spec({"metric": "errors"}, guard, steps=[(50, "3s", 10)]), wrong={"m-1": 0.2, "m-2": 0.9})
    sim.go_live()
    sim.tick(500)
    sim.begin()
    return sim


def test_b03_outcomes_among_which_nothing_is_ever_good_are_not_judged() -> None:
    sim = asking("successes")
    sim.run(20, 100)
    assert sim.status["live"]["version"] == "m-1"
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "NoSeries")
    assert "spec.rollout.guard[1].promql.successes" in told["message"]


def test_b03_outcomes_among_which_nothing_is_ever_bad_are_told_of() -> None:
    """An application that has never been wrong has no such series: it may go on, and people are asked."""
    sim = asking("failures")
    sim.run(2, 100)
    told = sim.condition("EvidenceAvailable")
    assert told["status"] == "True"
    assert "spec.rollout.guard[1].promql.failures has no series" in told["message"]


def test_b03_the_proxy_lists_what_it_counts_only_when_a_request_has_come() -> None:
    sim = begun(requests="rq_xx", failures='rq_xx{class="5"}')
    assert sim.candidate["weight"] == 0
    metrics = {"port": 8092, "path": "/stats/prometheus", "requests": "rq_xx", "failures": 'rq_xx{class="5"}'}
    sim.version("m-3", server={"runtime": "custom", "image": "server:1", "metrics": metrics})
    warmed: list[int] = []

    def stats(counts: PodCounts) -> str:
        warmed[:] = warmed or [counts.requests]
        seen = counts.requests - warmed[0]  # warm-ups do not pass it
        return f'rq_xx{{class="2"}} {seen}\n' if seen else "uptime 5\n"

    sim.pages["m-3"] = stats
    sim.look()
    sim.ready("m-3")
    sim.look()
    assert sim.candidate["weight"] == 50
    sim.run(10, 100)
    assert sim.status["live"]["version"] == "m-3"


def test_b03_counters_that_never_move_are_told_of() -> None:
    """The page of another server, with the right names and numbers of its own."""
    sim = begun()
    sim.pages["m-2"] = lambda _: 'requests_total{code="200"} 1000\n'
    said = set()
    for _ in range(100):
        sim.tick(20)
        said.add(sim.condition("EvidenceAvailable").get("reason"))
    assert sim.status["live"]["version"] == "m-1"
    assert said & {"SplitWrong", "NoTraffic"}
