"""What no cluster could carry out, or what would mean something else than it says, is refused by the API server itself
with the field's name: one wrong value in a manifest that is right otherwise."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config

from tests.contract.apiserver import ApiServer

Json = dict[str, Any]
GOOD = Path(__file__).parent / "manifests" / "good"

STEP, SERVER, ROLLOUT = "spec.steps.0", "spec.server", "spec.rollout"
CASES: list[tuple[str, str, Any, str]] = [
    # --- quantities: what a node would take for an error in everybody's pods, or for half a byte
    *(("pipeline-most", f"{STEP}.resources", {"cpu": cpu}, "resources.cpu")
      for cpu in ("99999999999T", "10000", "0", "0m", "2Gi", "1k", "-1", "1e3", "0.0001", "0.0", "0.000")),
    *(("pipeline-most", f"{STEP}.resources", {"memory": memory}, "resources.memory")
      for memory in ("99999999999T", "100Ti", "0", "128", "500m", "8", "0Gi0", "8GB", "-1Gi", "1e9", "1Ki",
                     "99999999Gi", "0Gi", "0.000Ti", "0.0G")),
    ("modelversion-custom", f"{SERVER}.resources", {"cpu": "99999999999T"}, "resources.cpu"),
    ("modelversion-custom", f"{SERVER}.resources", {"gpu": {"count": 65}}, "resources.gpu.count"),
    # --- lengths of time: none where there must be one, and longer than anybody waits
    *(("dataset-most", "spec.watch.every", every, "spec.watch.every")
      for every in ("0s", "1ms", "500ms", "0h0m", "10000000000000000000d", "1000d", "99999999s", "00s", "-1s", "1w")),
    *(("dataset-most", "spec.watch.settle", settle, "spec.watch.settle") for settle in ("10000d", "99999999999ms")),
    *(("pipeline-most", f"{STEP}.timeout", timeout, "timeout")
      for timeout in ("0s", "1ms", "1000d", "10000000000000000000d")),
    ("pipeline-most", f"{STEP}.retry.backoff", "10000d", "backoff"),
    ("pipeline-most", "spec.cooldown", "99999999999h", "cooldown"),
    ("modelversion-custom", f"{SERVER}.timeout", "0s", "spec.server.timeout"),
    ("modelversion-custom", "spec.evaluation.timeout", "0s", "spec.evaluation.timeout"),
    ("modelversion-custom", "spec.approval.expires", "0s", "spec.approval.expires"),
    ("deployment-most", f"{ROLLOUT}.patience", "0s", "spec.rollout.patience"),
    ("deployment-most", f"{ROLLOUT}.patience", "10000d", "spec.rollout.patience"),
    ("deployment-most", f"{ROLLOUT}.afterPromotion.for", "99999d", "afterPromotion.for"),
    ("deployment-experiment", "spec.experiment.patience", "0s", "spec.experiment.patience"),
    ("deployment-experiment", "spec.record", {"every": "0s"}, "spec.record.every"),
    # --- shares and chances
    ("deployment-most", f"{ROLLOUT}.guard.0.worseBy", "99999%", "worseBy"),
    ("deployment-most", f"{ROLLOUT}.guard.0.worseBy", "1001%", "worseBy"),
    *(("deployment-most", f"{ROLLOUT}.guard.0", {"metric": "errors", "worseBy": by}, "guard[0]")
      for by in ("101%", "100.1%", "1000%")),
    ("deployment-most", f"{ROLLOUT}.falseAlarms", "51%", "falseAlarms"),
    ("deployment-most", f"{ROLLOUT}.falseAlarms", "99999%", "falseAlarms"),
    ("deployment-most", f"{ROLLOUT}.missedHarm", "50.01%", "missedHarm"),
    ("deployment-most", f"{ROLLOUT}.afterPromotion.falseAlarms", "100%", "falseAlarms"),
    ("deployment-most", f"{ROLLOUT}.afterPromotion.tolerance", "100.1%", "tolerance"),
    ("deployment-most", "spec.alerts.slo.availability", "101%", "availability"),
    ("deployment-shadow", f"{ROLLOUT}.steps.0.shadow", "200%", "shadow"),
    ("deployment-experiment", "spec.record", {"sample": "101%"}, "spec.record.sample"),
    # --- numbers that no float holds
    ("dataset-most", "spec.schema.columns.0.max", "1e999", "max"),
    ("modelversion-custom", "spec.evaluation.gates.0", {"metric": "mae", "max": "1e400"}, "gates[0].max"),
    ("dataset-most", "spec.checks.0", {"rows": {"min": 10**16}}, "rows.min"),
    ("deployment-most", "spec.replicas.min", 10**9, "spec.replicas.min"),
    # --- names, places and addresses
    *(("deployment-most", "spec.route.host", host, "spec.route.host")
      for host in ("a..b", "*.*.example.com", "A.example.com", "a_b.example", "-a.example", "a.example.",
                   "10.0.0.1", "x" * 254)),
    *(("deployment-most", "spec.route.path", path, "spec.route.path")
      for path in ("/../a", "/a/..", "/./a", "//", "/a//b", "/%2e%2e/a", "/a?b=c", "/a b", "a", "/a#b",
                   "/a\\b", "/" + "a" * 256)),
    ("modelversion-custom", f"{SERVER}.metrics.path", "/metrics with spaces", "metrics.path"),
    ("modelversion-custom", f"{SERVER}.metrics.path", "/metrics\r\nHost: other", "metrics.path"),
    ("modelversion-custom", f"{SERVER}.metrics.port", 99999, "metrics.port"),
    ("modelversion-custom", f"{SERVER}.image", "example.com/server latest", "spec.server.image"),
    ("modelversion-custom", f"{SERVER}.image", " ", "spec.server.image"),
    ("modelversion-custom", "spec.artifact.uri", "s3://models/a\nb", "spec.artifact.uri"),
    ("dataset-most", "spec.source.s3.prefix", "a\x1bb", "prefix"),
    ("dataset-most", "spec.source.s3.region", "eu 1", "region"),
    *(("dataset-most", "spec.source.s3.endpoint", endpoint, "endpoint")
      for endpoint in ("http://s3.example:0", "http://s3.example:65536", "http://s3.example:99999",
                       "http://s3.example:09")),
    ("dataset-most", "spec.schema.columns.0", {"name": "kind", "type": "string", "in": []}, "columns[0].in"),
    *(("dataset-most", "spec", {"source": {"s3": {"bucket": "city"}}, "format": "csv", "csv": csv}, "spec.csv")
      for csv in ({"escape": "\n"}, {"escape": "\r"}, {"nullText": "a\nb"}, {"delimiter": "\n"}, {"quote": "\r"})),
    # --- counters that Prometheus could not read: it would refuse all rules of the Deployment
    *(("modelversion-custom", f"{SERVER}.metrics.{field}", selector, f"metrics.{field}")
      for field in ("requests", "failures", "latency")
      for selector in ("", "a b", "a{", 'a{code="5"', 'a{code="5"} b', "rate(a[5m])", 'a{__name__="b"}',
                       r'a{path=~"\."}', 'a{x="\n"}', "a +")),
    # --- where pods may run
    ("pipeline-most", f"{STEP}.tolerations", [{}], "a toleration without key"),
    ("pipeline-most", f"{STEP}.tolerations", [{"operator": "Equal", "value": "x"}], "a toleration without key"),
    ("pipeline-most", f"{STEP}.tolerations", [{"key": "a", "operator": "Exists", "value": "x"}], "without a value"),
    ("pipeline-most", f"{STEP}.tolerations", [{"key": "bad key"}], "tolerations[0].key"),
    ("pipeline-most", f"{STEP}.tolerations", [{"key": "a", "value": "not a label!"}], "tolerations[0].value"),
    ("pipeline-most", f"{STEP}.nodeSelector", {"disk": "not a label!"}, "nodeSelector.disk"),
    ("pipeline-most", f"{STEP}.nodeSelector", {"bad key!": "ssd"}, "nodeSelector"),
    ("modelversion-custom", f"{SERVER}.nodeSelector", {"/disk": "ssd"}, "nodeSelector"),
    # --- labels with which prometheus-operator would refuse all of a Deployment's rules
    *(("deployment-most", "spec.alerts.labels", labels, "spec.alerts.labels")
      for labels in ({"bad key!": "x"}, {"team": "{{ query"}, {"team": "{{ $value }}"}, {"": "x"}, {"1a": "x"},
                     {"a-b": "x"}, {"__name__": "x"}, {"alertname": "x"}, {"severity": "none"}, {"namespace": "x"},
                     {"a" * 64: "x"})),
]  # fmt: skip


def changed(name: str, path: str, value: Any) -> Json:
    """A good manifest with another value at a place; what is on the way there is made if need be."""
    found: Json = copy.deepcopy(yaml.safe_load((GOOD / f"{name}.yaml").read_text()))
    node: Any = found
    *way, last = path.split(".")
    for part in way:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    node[int(last) if isinstance(node, list) else last] = value
    return found


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.mark.parametrize(("name", "path", "value", "fragment"), CASES)
def test_refused_with_the_fields_name(server: ApiServer, name: str, path: str, value: Any, fragment: str) -> None:
    answer = server.create("default", changed(name, path, value), dry=True)
    assert answer.code == 422, answer.body
    assert fragment in answer.message


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        *(("pipeline-most", f"{STEP}.resources", {"cpu": cpu})
          for cpu in ("500m", "2", "0.5", "0.050", "0.001", "1.5", "9999", "96")),
        *(("pipeline-most", f"{STEP}.resources", {"memory": m})
          for m in ("8Gi", "512Mi", "1.5Gi", "0.5Gi", "0.250Ti", "1Ti", "134217728", "131072Ki", "2G", "64M")),
        *(("dataset-most", "spec.watch.every", every) for every in ("1s", "5m", "1h30m", "999d", "90s500ms")),
        *(("deployment-most", f"{ROLLOUT}.afterPromotion.standby", length) for length in ("0s", "250ms", "14d")),
        ("deployment-most", f"{ROLLOUT}.guard.1.worseBy", "1000%"),
        ("deployment-most", f"{ROLLOUT}.falseAlarms", "50%"),
        ("deployment-most", "spec.alerts.slo.availability", "100%"),
        ("deployment-most", "spec.alerts.labels", {"team": "taxi & bus", "_x": "", "runbook": "https://example.com/{a}"}),
        ("pipeline-most", f"{STEP}.tolerations", [{"operator": "Exists"}]),
        ("pipeline-most", f"{STEP}.nodeSelector", {"example.com/disk": "ssd", "gpu": ""}),
        ("modelversion-custom", f"{SERVER}.metrics.path", "/stats/prometheus?usedonly&filter=a.b"),
        ("modelversion-custom", f"{SERVER}.image", "Example.com:5000/a/b_c:v1.2@sha256:" + "0" * 64),
        ("dataset-most", "spec.schema.columns.0.max", "1e99"),
        *(("dataset-most", "spec.source.s3.endpoint", endpoint)
          for endpoint in ("http://s3.example", "https://s3.example:65535", "http://[fd00::6699]", "http://[fd00::1]:9000")),
        *(("dataset-most", "spec", {"source": {"s3": {"bucket": "city"}}, "format": "csv", "csv": csv})
          for csv in ({"escape": "\\", "nullText": "\\N"}, {"nullText": ""}, {"delimiter": "\t", "quote": ""})),
        ("deployment-most", f"{ROLLOUT}.guard.0", {"metric": "errors", "worseBy": "100%"}),
        *(("modelversion-custom", f"{SERVER}.metrics.requests", selector)
          for selector in ("a:b_total", ' a{ code =~ "5..", } + b{} ', r'a{path=~"/v1\\.0/\".*"}', 'a{x="}+{"}')),
    ],
)  # fmt: skip
def test_what_makes_sense_is_accepted(server: ApiServer, name: str, path: str, value: Any) -> None:
    answer = server.create("default", changed(name, path, value), dry=True)
    assert answer.ok, answer.message
