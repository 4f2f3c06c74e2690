"""That a PrometheusRule was made does not mean that Prometheus has it: whether it has is a condition."""

from __future__ import annotations

import pytest
from tests.unit.plan.rollout_world import METRICS, Sim, spec

from fairlead.manifests import alerts
from fairlead.plan.core import PROMETHEUS_RULE
from fairlead.plan.deployment import alerting
from fairlead.plan.requests import Failed, RulesSeen


def said(sim: Sim) -> tuple[str, str]:
    condition = sim.condition(alerting.CONDITION)
    return condition["status"], condition["reason"]


def live() -> Sim:
    sim = Sim(spec())
    sim.go_live()
    return sim


def test_new_rules_are_on_their_way_and_then_loaded() -> None:
    sim = live()
    assert said(sim) == ("Unknown", "NotLoadedYet")
    assert sim.rules_asked == 0
    sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("True", "Loaded")
    assert sim.rules_asked == 1


def test_attack_10_rules_that_prometheus_operator_leaves_out_are_told_of() -> None:
    sim = live()
    sim.loaded = RulesSeen(())
    for _ in range(20):
        sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("False", "NotLoaded")
    message = sim.condition(alerting.CONDITION)["message"]
    assert "kubectl describe prometheusrule web -n team" in message
    assert "ruleSelector" in message
    assert sim.status["phase"] == "Live", "the model is served all the same"
    sim.loaded = None
    sim.tick(seconds=alerting.AGAIN)
    assert said(sim) == ("True", "Loaded")


def test_the_rules_before_an_edit_are_not_taken_for_those_after_it() -> None:
    sim = live()
    sim.tick(seconds=alerting.SOON)
    (old,) = sim.of(PROMETHEUS_RULE).values()
    sim.loaded = RulesSeen(tuple((g, one, "") for g, ones in alerts.wanted(old).items() for one in ones))
    sim.spec["alerts"] = {"labels": {"team": "b"}}
    sim.generation += 1
    sim.look()
    assert said(sim) == ("Unknown", "NotLoadedYet")
    for _ in range(20):
        sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("False", "NotLoaded")


def test_a_part_that_is_missing_and_a_rule_that_fails_are_told_of() -> None:
    sim = live()
    (rule,) = sim.of(PROMETHEUS_RULE).values()
    wanted = [(group, one) for group, ones in sorted(alerts.wanted(rule).items()) for one in sorted(ones)]
    sim.loaded = RulesSeen(tuple((*one, "") for one in wanted[1:]))
    for _ in range(20):
        sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("False", "NotLoaded")
    assert f"1 of {len(wanted)} alert rules" in sim.condition(alerting.CONDITION)["message"]
    sim.loaded = RulesSeen(tuple((*one, "many-to-many matching" if one == wanted[2] else "") for one in wanted))
    sim.tick(seconds=alerting.AGAIN)
    assert said(sim) == ("False", "Failing")
    assert "many-to-many matching" in sim.condition(alerting.CONDITION)["message"]


def test_a_prometheus_that_does_not_answer_is_no_sign_of_missing_rules() -> None:
    sim = live()
    sim.loaded = Failed("Timeout", "it did not answer within 2 s")
    for _ in range(20):
        sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("Unknown", "Timeout")


def test_without_prometheus_nothing_is_said() -> None:
    sim = Sim(spec(), prometheus=None)
    sim.go_live()
    assert "alerts" not in sim.status
    assert not [c for c in sim.status["conditions"] if c["type"] == alerting.CONDITION]


@pytest.mark.parametrize("change", [{"url": None}, {"enabled": False}])
def test_when_nobody_is_told_any_more_nothing_is_said_any_more(change: dict[str, bool | None]) -> None:
    sim = live()
    sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("True", "Loaded")
    config = sim.config.prometheus.model_copy(update=change)
    sim.config = sim.config.model_copy(update={"prometheus": config})
    sim.tick()
    assert "alerts" not in sim.status
    assert not [c for c in sim.status["conditions"] if c["type"] == alerting.CONDITION]


def test_an_alert_that_prometheus_would_not_understand_is_left_out_and_told_of() -> None:
    sim = Sim(spec())
    metrics = {**METRICS, "failures": 'requests_total{code=~"(?=5).."}'}
    sim.go_live(server={"runtime": "custom", "image": "server:1", "metrics": metrics})
    sim.tick(seconds=alerting.SOON)
    assert said(sim) == ("False", "BadSelector")
    message = sim.condition(alerting.CONDITION)["message"]
    assert "FairleadErrorBudgetBurn" in message
    assert "spec.server.metrics.failures" in message
    (rule,) = sim.of(PROMETHEUS_RULE).values()
    assert [group["name"].split(".")[2] for group in rule["spec"]["groups"]] == ["rollout"], "the others are there"


@pytest.mark.parametrize("change", ["labels", "annotations", "alert"])
def test_fingerprints_tell_rules_apart(change: str) -> None:
    rule = {"alert": "A", "labels": {"a": "1"}, "annotations": {"summary": "x"}}
    other = {**rule, change: "B" if change == "alert" else {"a": "2"}}
    assert alerts.fingerprint(**rule) != alerts.fingerprint(**other)  # type: ignore[arg-type]
