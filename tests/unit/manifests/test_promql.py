"""What reaches a PrometheusRule is what Prometheus' parser takes: one that it refuses costs all the others."""

from __future__ import annotations

import re

import pytest

from fairlead.api.deployment import Alerts
from fairlead.api.selectors import WRITTEN, terms
from fairlead.api.server import Server
from fairlead.manifests import alerts, promql

ABOUT = alerts.About("web", "team", {"name": "web"}, {})


def written(selector: str) -> str:
    return promql.total(selector, "rate", "5m", {"deployment": "web"})


@pytest.mark.parametrize(
    ("selector", "series"),
    [
        ("a_total", 'a_total{deployment="web"}'),
        (' a_total{ code =~ "5.." , } ', 'a_total{code=~"5..",deployment="web"}'),
        (r'a{path=~"/v1\\.0/.*"}', r'a{path=~"/v1\\.0/.*",deployment="web"}'),
        # Prometheus knows no such escape: as it was meant, it is written with one that it knows
        (r'a{path=~"/v1\.0"}', 'a{path=~"/v1.0",deployment="web"}'),
        (r'a{x="\"\\\n"}', r'a{x="\"\\\n",deployment="web"}'),
        ('a{x="\n"}', r'a{x="\n",deployment="web"}'),
        ('a{x="é\ufffd"}', r'a{x="\U000000e9\U0000fffd",deployment="web"}'),
        # words of PromQL
        ("bool", '{__name__="bool",deployment="web"}'),
        ("Inf", '{__name__="Inf",deployment="web"}'),
        ('group_left{a="b"}', '{__name__="group_left",a="b",deployment="web"}'),
        ('a{x=~"(?:4|5)[0-9]{2}"}', 'a{x=~"(?:4|5)[0-9]{2}",deployment="web"}'),
    ],
)
def test_a_selector_in_words_that_prometheus_takes(selector: str, series: str) -> None:
    assert written(selector) == f"(sum(rate({series}[5m])) or vector(0))"


WEIRD = [
    "", "a{", 'a{code="5"', 'a{code="5"} b', "a{code=5}", "1a", "a}", 'a{x=~"("}', 'a{x=~"[z-a]"}', 'a{__name__="b"}',
    'a{x=~"(?=b)"}', r'a{x=~"\\Z"}', r'a{x=~"\\u0041"}', r'a{x=~"(a)\\1"}', 'a{x=~"a{1001}"}', 'a{x=~"a*+"}',
    'a{x=~"[[:alfa:]]"}', r'a{x=~"\\é"}', r'a{x=~"\\Q"}', 'a{x=~"(?P<n>a)"}', 'a{x=~"(?i)a"}', r'a{x=~"[\\b]"}',
]  # fmt: skip


@pytest.mark.parametrize("selector", WEIRD)
def test_a_selector_that_prometheus_may_refuse_costs_the_alert_on_errors_only(selector: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        written(selector)
    for metrics in ({"requests": selector, "failures": "b"}, {"requests": "b", "failures": selector}):
        live = Server.model_validate({"runtime": "custom", "image": "server:1", "metrics": metrics})
        made = alerts.rules(ABOUT, Alerts(), live, 10)
        assert [group["name"].split(".")[2] for group in made["spec"]["groups"]] == ["rollout"]
        (field,) = (name for name, value in metrics.items() if value == selector)
        assert alerts.unwritten(live, grpc=False).startswith(f"spec.server.metrics.{field}: ")


def test_presets_can_be_written() -> None:
    for grpc in (False, True):
        assert alerts.unwritten(Server(), grpc) == ""


@pytest.mark.parametrize(
    ("selector", "good"),
    [
        ("a", True), ("a:b_total", True), ("a{}", True), (' a{ x = "y" , z=~"5.." , } + b ', True),
        (r'a{x="\\\"\n"}', True),
        ('a{x="}+{"}', True), ('a{x="é"}', True),
        ("", False), ("a + ", False), ("+ a", False), ("a b", False), ("a{", False), ("a{,}", False), ("a{x}", False),
        ('a{x="y" z="w"}', False), (r'a{x=~"\."}', False), ('a{x="\n"}', False), ("rate(a[5m])", False), ("a-b", False),
    ],
)  # fmt: skip
def test_what_is_asked_at_apply_is_what_is_read(selector: str, good: bool) -> None:
    assert (re.search(WRITTEN, selector) is not None) == good
    if good:
        assert terms(selector)
