"""The dashboards ask for metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
from hack.gen import dashboards, metrics

Json = dict[str, Any]
FILES = {path.rsplit("/", 1)[1]: json.loads(text) for path, text in dashboards.files().items()}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
OF_TARGETS = {"instance", "job", "le"}


def known() -> dict[str, set[str]]:
    """Labels by metric, from the reference."""
    (page,) = metrics.files().values()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", page, re.M)
    found = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    for name, kind, _ in rows:
        if kind == "histogram":
            found[f"{name}_bucket"] = found[name]
    return found


def panels(name: str) -> list[Json]:
    return [panel for panel in FILES[name]["panels"] if panel["type"] != "row"]


def queries(name: str) -> list[tuple[str, str]]:
    found = [(target["expr"], target["legendFormat"]) for panel in panels(name) for target in panel["targets"]]
    variables = [v["query"]["query"] for v in FILES[name]["templating"]["list"] if v["type"] == "query"]
    return [*found, *((query, "") for query in variables)]


@pytest.mark.parametrize("name", FILES)
def test_every_metric_exists_and_has_the_labels(name: str) -> None:
    reference = known()
    for expression, legend in queries(name):
        asked = set(re.findall(r"\b(?:fairlead|process)_\w+", expression))
        assert asked, expression
        assert asked <= reference.keys() | PROCESS, expression
        labels = set[str]().union(*(reference.get(metric, set()) for metric in asked)) | OF_TARGETS
        named = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in group.split(", ")}
        named |= set(re.findall(r'(\w+)=~"', expression)) | set(re.findall(r"{{(\w+)}}", legend))
        assert named <= labels, (expression, legend)


@pytest.mark.parametrize("name", FILES)
def test_panels_have_ids_of_their_own_and_do_not_cover_each_other(name: str) -> None:
    placed = FILES[name]["panels"]
    assert len({panel["id"] for panel in placed}) == len(placed)
    for one, other in combinations([panel["gridPos"] for panel in placed], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= dashboards.WIDE for panel in placed)


def test_brackets_are_closed() -> None:
    for name in FILES:
        for expression, _ in queries(name):
            for opened, closed in ("()", "{}", "[]"):
                assert expression.count(opened) == expression.count(closed), expression
