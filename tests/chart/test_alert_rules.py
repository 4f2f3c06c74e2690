"""Prometheus' own tool on all alert rules: each fires when it must, and not when it must not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hack.install.chart import ROOT
from tests import exposed
from tests.chart import alert_cases as cases
from tests.chart import promtool
from tests.chart.alert_cases import Case
from tests.chart.helm import one, render

from fairlead.manifests import alerts
from fairlead.plan.deployment.monitors.registry import MONITORS

Json = dict[str, Any]
RUNBOOKS = ROOT / "docs" / "how-to" / "act-on-alerts.md"


OURS = cases.of_a_deployment()
QUICK: list[Case] = [
    *cases.of_gauges(cases.deadlines(OURS)), *cases.of_pipelines(), *cases.of_the_operator(),
]  # fmt: skip
SLOW: list[Case] = list(cases.of_the_budget())


def of_the_chart(**values: Any) -> list[Json]:
    """The chart's groups of rules."""
    found = render({"metrics": {"rules": {"enabled": True}}, **values})
    return list(one(found, "PrometheusRule")["spec"]["groups"])


@pytest.fixture(scope="module")
def chart() -> list[Json]:
    """The chart's groups of rules."""
    return of_the_chart()


@pytest.fixture(scope="module")
def rules(chart: list[Json]) -> list[Json]:
    """All alert rules that Fairlead makes."""
    return [rule for group in (*chart, *OURS) for rule in group["rules"]]


def test_prometheus_takes_all_rules(chart: list[Json], tmp_path: Path) -> None:
    files = []
    for name, groups in (("chart", chart), ("deployment", OURS)):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(json.dumps({"groups": groups}))
    done = promtool.checked(*files)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text(json.dumps({"groups": [{"name": "a", "rules": [{"alert": "A", "expr": "rate(a[5m]"}]}]}))
    assert promtool.checked(broken).returncode != 0


def asked(case: Case, rules: Sequence[Json]) -> Json:
    """A case in promtool's words. The budget's rules, which have one name, are told apart by their labels."""
    waits = cases.deadlines([{"rules": rules}])
    step = cases.SLOW_STEP if case.alert == cases.BUDGET else cases.step_of(waits[case.alert])
    expected = [_expected(case, labels, rules) for labels in case.fires]
    check = {"alertname": case.alert, "eval_time": f"{case.at}s", "exp_alerts": expected}
    return {
        "name": case.name, "interval": f"{step}s", "input_series": promtool.series(case.series),
        "alert_rule_test": [check],
    }  # fmt: skip


def _expected(case: Case, labels: cases.Labels, rules: Sequence[Json]) -> Json:
    named = (rule for rule in rules if rule["alert"] == case.alert)
    rule = next(rule for rule in named if rule["labels"].get("window") == labels.get("window"))
    known = {**labels, **rule["labels"]}
    texts = {name: _filled(text, known, case.value) for name, text in rule["annotations"].items()}
    return {"exp_labels": known, "exp_annotations": texts}


def _filled(text: str, labels: cases.Labels, value: str) -> str:
    """As Prometheus fills in its templates."""
    text = re.sub(r"{{\s*\$labels\.(\w+)\s*}}", lambda found: labels[found[1]], text)
    return re.sub(r"{{\s*\$value[^}]*}}", value, text)


@pytest.fixture(scope="module")
def wrong(chart: list[Json], rules: list[Json], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is wrong, by the case's name."""
    files = []
    for name, wait in cases.deadlines([*chart, *OURS]).items():
        mine = [asked(case, rules) for case in (*QUICK, *SLOW) if case.alert == name]
        every = cases.RARELY if name == cases.BUDGET else f"{cases.step_of(wait)}s"
        files.append(promtool.File(mine, [rule for rule in rules if rule["alert"] == name], every))
    return promtool.failures(tmp_path_factory.mktemp("alerts"), *files)


@pytest.mark.parametrize("case", [*QUICK, *SLOW], ids=lambda case: case.name)
def test_fires_when_it_must_and_only_then(case: Case, wrong: dict[str, str]) -> None:
    assert wrong[case.name] == ""


def test_each_alert_is_tried_in_all_that_may_be(chart: list[Json], rules: list[Json]) -> None:
    waits = cases.deadlines([*chart, *OURS])
    whats = {name: [case for case in (*QUICK, *SLOW) if case.alert == name] for name in waits}
    for name, tried in whats.items():
        told = {case.what for case in tried}
        assert any(case.fires for case in tried), f"{name} never fires"
        assert any(not case.fires and case.series for case in tried), f"{name} always fires"
        assert cases.NOTHING in told, f"{name}: what if nothing is exported?"
        assert not waits[name] or cases.EARLY in told, f"{name}: is `for` heeded?"
    counting = {rule["alert"] for rule in rules if re.search(r"\b(rate|increase)\(", rule["expr"])}
    for name in counting:
        assert {cases.RESET} <= {case.what for case in whats[name]}, f"{name}: what if the counter begins anew?"
    assert {case.alert for case in (*QUICK, *SLOW)} == set(waits)


def test_what_is_tried_is_tried_in_earnest(tmp_path: Path) -> None:
    """A case that is wrong is told of."""
    (case,) = [one for one in QUICK if one.name == f"FairleadNoReadyPod: {cases.TRUE}"]
    (group,) = [one for one in OURS if ".rollout." in one["name"]]
    said = asked(case, group["rules"])
    assert promtool.failures(tmp_path, promtool.File([said], group["rules"])) == {case.name: ""}
    said["alert_rule_test"][0]["exp_alerts"] = []
    assert "FairleadNoReadyPod" in promtool.failures(tmp_path, promtool.File([said], group["rules"]))[case.name]


# --- what people are told ------------------------------------------------------------------------------------------


def test_an_alert_says_what_is_wrong_what_to_do_and_where_more_stands(rules: list[Json]) -> None:
    for rule in rules:
        told, name = rule["annotations"], rule["alert"]
        assert set(told) == {"summary", "description", "runbook_url"}, name
        assert rule["labels"]["severity"] in ("warning", "critical"), name
        assert re.search(r"kubectl|log|pods|docs|Compare|Give", told["description"]), f"{name}: what to do?"
        page, _, section = told["runbook_url"].partition("#")
        assert ROOT / page == RUNBOOKS, name
        assert section == name.lower()
        assert section in sections()


def sections() -> Sequence[str]:
    """The anchors of the page."""
    return [line.removeprefix("### ").lower() for line in RUNBOOKS.read_text().splitlines() if line.startswith("### ")]


def test_alerts_go_by_metrics_that_there_are(rules: list[Json]) -> None:
    known = exposed.known()
    for rule in rules:
        asked = exposed.named(rule["expr"])
        assert asked, rule["alert"]
        assert asked <= known.keys(), rule["alert"]


def test_the_page_has_a_section_for_each_alert_and_for_no_other(rules: list[Json]) -> None:
    assert sorted(sections()) == sorted({rule["alert"].lower() for rule in rules})


def test_each_monitor_has_an_alert_of_its_own_and_a_remedy() -> None:
    monitors = {one.name for one in MONITORS}
    assert set(alerts.ALERTS) == set(alerts.REMEDIES) == monitors
    assert len({name for name, _ in alerts.ALERTS.values()}) == len(monitors)


def test_where_the_docs_are_is_a_value() -> None:
    base = "https://git.example/docs/"
    chart = of_the_chart(prometheus={"runbooks": base})
    ours = alerts.rules(
        alerts.About("web", "team", {}, {}, docs=base), cases.Alerts(), None, cases.DEADLINE, []
    )["spec"]["groups"]  # fmt: skip
    links = {rule["annotations"]["runbook_url"] for group in (*chart, *ours) for rule in group["rules"]}
    assert links
    assert all(re.fullmatch(r"https://git\.example/docs/how-to/act-on-alerts\.md#[a-z]+", link) for link in links)
