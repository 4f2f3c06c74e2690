"""The dashboards ask for metrics that there are, by labels that they have, and Grafana can draw them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hack.gen import dashboards, panels
from tests.exposed import known, named

from fairlead.plan.deployment.monitors.registry import MONITORS

Json = dict[str, Any]
FILES = {path.rsplit("/", 1)[1]: json.loads(text) for path, text in dashboards.files().items()}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
OF_TARGETS = {"instance", "job", "le", "namespace", "pod", "deployment", "version"}
"""Labels that a series has by where it was scraped; of pods of Fairlead's also whose they are (`manifests.alerts`)."""
UNITS = {"short", "none", "percent", "percentunit", "s", "bytes", "mbytes", "ops", "reqps", "rowsps", "watth"}
"""Grafana's names of those that are in use."""
KINDS = {"timeseries", "stat", "table", "state-timeline"}


KNOWN = known()


def drawn(name: str) -> list[Json]:
    return [panel for panel in FILES[name]["panels"] if panel["type"] != "row"]


def queries(name: str) -> Iterator[tuple[str, str]]:
    for panel in drawn(name):
        yield from ((target["expr"], target["legendFormat"]) for target in panel["targets"])
    yield from ((one["query"]["query"], "") for one in FILES[name]["templating"]["list"] if one["type"] == "query")


@pytest.mark.parametrize("name", FILES)
def test_every_metric_exists_and_has_the_labels(name: str) -> None:
    for expression, legend in queries(name):
        asked = named(expression)
        assert asked, expression
        assert asked <= KNOWN.keys() | PROCESS, (sorted(asked - KNOWN.keys() - PROCESS), expression)
        labels = set[str]().union(*(KNOWN.get(metric, set()) for metric in asked)) | OF_TARGETS
        by = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in group.split(", ")}
        by |= set(re.findall(r'(\w+)=~?"', expression)) - {"__name__"} | set(re.findall(r"{{(\w+)}}", legend))
        assert by - {""} <= labels, (sorted(by - labels), expression, legend)


def test_a_renamed_metric_or_label_would_be_seen() -> None:
    assert named('max by (a) (renamed_total{b="c"}) * on (d) group_left (e) rate(up[5m])') == {"renamed_total", "up"}
    assert named('label_values(renamed{a="$b"}, c)') == {"renamed"}
    assert named('sum({__name__=~"a_1|b_2",c="d"})') == {"a_1", "b_2"}


@pytest.mark.parametrize("name", FILES)
def test_panels_have_ids_of_their_own_and_do_not_cover_each_other(name: str) -> None:
    placed = FILES[name]["panels"]
    assert len({panel["id"] for panel in placed}) == len(placed)
    for one, other in combinations([panel["gridPos"] for panel in placed], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= panels.WIDE for panel in placed)


def test_brackets_are_closed() -> None:
    for name in FILES:
        for expression, _ in queries(name):
            for opened, closed in ("()", "{}", "[]"):
                assert expression.count(opened) == expression.count(closed), expression


@pytest.mark.parametrize("name", FILES)
def test_each_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    titles = [panel["title"] for panel in drawn(name)]
    assert len(set(titles)) == len(titles)
    for panel in drawn(name):
        assert panel["title"]
        assert panel["description"].endswith((".", "NAME")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["type"] in KINDS, panel["title"]


@pytest.mark.parametrize("name", FILES)
def test_grafana_finds_what_it_expects_of_a_dashboard_of_this_version(name: str) -> None:
    board = FILES[name]
    assert board["schemaVersion"] == panels.SCHEMA
    assert re.fullmatch(r"[a-z-]{1,40}", board["uid"])
    assert (board["title"], board["time"]) == (board["title"].strip(), {"from": "now-1h", "to": "now"})
    choices = {one["name"]: one for one in board["templating"]["list"]}
    assert {one["type"] for one in choices.values()} <= {"datasource", "query", "textbox"}
    assert board["templating"]["list"][0] == choices["datasource"]
    for panel in drawn(name):
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) >= 1
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            asked = set(re.findall(r"\$(\w+)", target["expr"])) - {"1", "__rate_interval"}
            assert asked <= choices.keys(), panel["title"]
            assert target["instant"] is not target["range"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
    assert len({board["uid"] for board in FILES.values()}) == len(FILES)


def test_one_model_has_all_that_a_forecast_is_watched_by() -> None:
    titles = {panel["title"] for panel in drawn("deployment.json")}
    assert titles >= {
        "Steps", "MAPE", "RMSE", "RMSE where the actual value is 0", "Drift", "Data quality", "Stale", "Predictions",
        "Errors", "Latency", "Could be rolled back", "Taken back", "The world has changed", "Use of GPUs",
        "Cost per 1,000 predictions",
    }  # fmt: skip


def test_each_monitor_is_shown() -> None:
    shown = "".join(expression for expression, _ in queries("deployment.json"))
    assert [one.name for one in MONITORS if f'monitor="{one.name}"' not in shown] == []
