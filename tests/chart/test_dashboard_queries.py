"""Prometheus' own tool on the dashboards' queries: it takes all of them, and those that find nothing on the local
cluster say what they should of series in the form in which others export them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hack.gen.boards.deployment import TITLES
from hack.gen.boards.gpus import DCGM
from hack.gen.dashboards import BOARDS
from hack.gen.panels import Panel
from hack.gen.reading import filled
from tests.chart import promtool
from tests.chart.alert_cases import exported, selector

from fairlead.plan.deployment.monitors.registry import MONITORS

Json = dict[str, Any]
PANELS: dict[str, Panel] = {f"{name}/{panel.title}": panel for name, board in BOARDS.items() for panel in board.panels}
CHOSEN = {"namespace": "team", "deployment": "web", "pipeline": "train", "price": "3.6", "__rate_interval": "5m"}
AT = "20m"
"""When the queries are asked."""
WEB = {"namespace": "team", "deployment": "web"}


def test_prometheus_takes_all_queries(tmp_path: Path) -> None:
    expressions = sorted({filled(expr, CHOSEN) for panel in PANELS.values() for expr, _ in panel.queries})
    records = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": records}]}))
    done = promtool.checked(path)
    assert done.returncode == 0, done.stdout + done.stderr


# --- GPUs: as dcgm-exporter 4 exports them -------------------------------------------------------------------------


def dcgm(metric: str, uuid: str, pod: str = "", instance: str = "", honoured: bool = False) -> str:
    """A series, by the GPU and the pod that holds it. honoured: Prometheus leaves it the exporter's label `pod`."""
    labels = {"gpu": uuid[-1], "UUID": uuid, "modelName": "NVIDIA A100", "Hostname": "node-1", "job": "dcgm-exporter"}
    if instance:
        labels |= {"GPU_I_ID": instance, "GPU_I_PROFILE": "3g.20gb"}
    if honoured:
        own = {"namespace": "team", "pod": pod, "container": "server"} if pod else {}
        return selector(metric, labels | own)
    whose = {"exported_namespace": "team", "exported_pod": pod, "exported_container": "server"} if pod else {}
    return selector(metric, labels | {"namespace": "gpu-operator", "pod": "dcgm-x", "container": "exporter"} | whose)


def memory(uuid: str, total: int, used: int, **more: Any) -> dict[str, str]:
    """Of a GPU or an instance, in MiB."""
    values = {"DCGM_FI_DEV_FB_USED": used, "DCGM_FI_DEV_FB_FREE": total - used}
    return {dcgm(metric, uuid, **more): f"{value}x30" for metric, value in values.items()}


def scraped(pod: str, deployment: str, version: str, up: int = 1) -> dict[str, str]:
    """Of a pod of Fairlead's: two of its containers are read."""
    labels = {"namespace": "team", "pod": pod, "deployment": deployment, "version": version}
    return {selector("up", {**labels, "container": one, "instance": f"{pod}:{one}"}): f"{up}x30"
            for one in ("server", "proxy")}  # fmt: skip


def asked(version: str, deployment: str, a_minute: int) -> dict[str, str]:
    """So many requests are answered by the proxy's counters."""
    labels = {"namespace": "team", "deployment": deployment, "version": version, "pod": f"{version}-a",
              "envoy_cluster_name": "server", "envoy_response_code_class": "2"}  # fmt: skip
    return {selector("envoy_cluster_upstream_rq_xx", labels): f"0+{a_minute}x30"}


LIVE, NEXT, OTHER = (scraped(f"{one}-a", one[:3], one) for one in ("web-1", "web-2", "ads-1"))
WHOLE = {**memory("GPU-1", 40960, 10240, pod="web-1-a"), **memory("GPU-2", 40960, 20480, pod="web-2-a"),
         **memory("GPU-3", 40960, 0, pod="ads-1-a"), **memory("GPU-4", 40960, 0)}  # fmt: skip
"""Three GPUs are held, one by another Deployment, and one by nobody."""
PARTS = {**memory("GPU-1", 20000, 5000, pod="web-1-a", instance="1"), **memory("GPU-1", 20000, 0, instance="2")}
BUSY = {
    dcgm("DCGM_FI_DEV_GPU_UTIL", "GPU-1", pod="web-1-a"): "80x30",
    dcgm("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "GPU-1", pod="web-1-a"): "0.5x30",
    dcgm("DCGM_FI_DEV_GPU_UTIL", "GPU-2", pod="web-2-a"): "30x30",
    dcgm("DCGM_FI_DEV_GPU_UTIL", "GPU-3", pod="ads-1-a"): "99x30",
}
POWER = {dcgm("DCGM_FI_DEV_POWER_USAGE", f"GPU-{number}", pod=pod): "300x30"
         for number, pod in enumerate(("web-1-a", "web-2-a", "ads-1-a"), 1)}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a panel's first query finds (`query`: or another one) among series."""

    panel: str
    what: str
    series: Mapping[str, str]
    values: Mapping[str, float]
    """By the labels that matter, `version=web-1`."""
    query: int = 0
    price: str = "3.6"

    @property
    def name(self) -> str:
        """Of its own."""
        return f"{self.panel}: {self.what}"


def _of(**versions: float) -> dict[str, float]:
    return {f"deployment=web,namespace=team,version={one.replace('_', '-')}": value for one, value in versions.items()}


WEB_COSTS = "deployment=web,namespace=team"
BY_PROXY = asked("web-1", "web", 900) | asked("web-2", "web", 300) | asked("ads-1", "ads", 60)
BEGUN_ANEW = {name: f"{text[:-2]}17 {text.split('+')[1][:-3]}{text[1:]}" for name, text in BY_PROXY.items()}
"""After a first request."""
CARDS = WHOLE | LIVE | NEXT | OTHER
COST, HOURLY = "deployment/Cost per 1,000 predictions", "deployment/Cost per hour"
GPUS = (
    Found("deployment/Use of GPUs", "by version", BUSY | LIVE | NEXT | OTHER, _of(web_1=80, web_2=30)),
    Found("deployment/Use of GPUs", "an instance has no GPU_UTIL",
          {dcgm("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "GPU-1", "web-1-a", "1"): "0.25x30"} | LIVE, _of(web_1=25)),
    Found("deployment/Use of GPUs", "the exporter's labels are honoured",
          {dcgm("DCGM_FI_DEV_GPU_UTIL", "GPU-1", "web-1-a", honoured=True): "80x30"} | LIVE, _of(web_1=80)),
    Found("deployment/Use of GPUs", "pods that can't be scraped hold GPUs all the same",
          BUSY | scraped("web-1-a", "web", "web-1", up=0), _of(web_1=80)),
    Found("deployment/Use of GPUs", "no exporter", LIVE, {}),
    Found("deployment/Use of GPUs", "time slicing: the exporter names no pod",
          {dcgm("DCGM_FI_DEV_GPU_UTIL", "GPU-1"): "80x30"} | LIVE, {}),
    Found("deployment/Memory of GPUs", "by version", CARDS, _of(web_1=10240, web_2=20480)),
    Found("deployment/GPUs held", "by version", CARDS, _of(web_1=1, web_2=1)),
    Found("deployment/GPUs held", "an instance is its part of the memory", PARTS | LIVE, _of(web_1=0.5)),
    Found("deployment/GPUs held", "several pods of a version",
          WHOLE | LIVE | scraped("web-2-a", "web", "web-1"), _of(web_1=2)),
    # 2 GPUs at 3.60 an hour are 0.002 a second; 1,200 predictions a minute are 20 a second
    Found(COST, "of all versions", CARDS | BY_PROXY, {WEB_COSTS: 0.1}),
    Found(COST, "the counter began anew", CARDS | BEGUN_ANEW, {WEB_COSTS: 0.1}),
    Found(COST, "without a price", CARDS | BY_PROXY, {}, price="0"),
    Found(COST, "without predictions", CARDS | asked("web-1", "web", 0), {}),
    Found(COST, "nobody counts", CARDS, {}),
    Found(HOURLY, "of all versions", CARDS, {WEB_COSTS: 7.2}),
    Found(HOURLY, "without a price", CARDS, {}, price="0"),
    # 600 W are 1/6 Wh a second, for 20 predictions
    Found("deployment/Energy per 1,000 predictions", "of all versions", POWER | CARDS | BY_PROXY,
          {WEB_COSTS: 1000 * 600 / 3600 / 20}),
    Found("models/GPUs of Deployments and of nobody", "each chosen Deployment", CARDS, {WEB_COSTS: 2}),
    Found("models/GPUs of Deployments and of nobody", "the rest", CARDS, {"": 1}, query=1),
    Found("models/GPUs of Deployments and of nobody", "nobody's are all", WHOLE, {"": 4}, query=1),
    Found("models/GPUs of Deployments and of nobody", "no exporter", LIVE, {}, query=1),
)  # fmt: skip


# --- what else the local cluster does not have ---------------------------------------------------------------------


def gauge(name: str, value: float, **labels: str) -> dict[str, str]:
    """A gauge of the operator's, of both replicas after a change of the leader."""
    return {exported(f"fairlead_deployment_{name}", pod, WEB | labels): f"{value}x30"
            for pod in ("fairlead-a", "fairlead-b")}  # fmt: skip


def monitor(name: str, value: float) -> dict[str, str]:
    """What a monitor says."""
    return gauge("monitor", value, monitor=name, version="web-1")


def quality(metric: str, value: float, source: str) -> dict[str, str]:
    """A figure of the live version."""
    return gauge("quality", value, metric=metric, source=source, version="web-1")


def said(**labels: str) -> str:
    """Labels as a result has them."""
    return ",".join(f"{name}={value}" for name, value in sorted({**WEB, **labels}.items()))


_UNREAD = {"namespace": "team", "deployment": "web", "version": "web-1", "pod": "web-1-a"}
ELSE = (
    *(Found(f"deployment/{TITLES.get(one.name, one.name.capitalize())}", "its line alone",
            monitor(one.name, 2) | monitor("other", 0), {said(version="web-1"): 2}) for one in MONITORS),
    Found("deployment/Monitors", "each", monitor("drift", 1) | monitor("data", -1),
          {said(monitor="drift"): 1, said(monitor="data"): -1}),
    Found("deployment/Something is seen", "no", gauge("monitored", 0), {said(): 0}),
    Found("deployment/MAPE", "estimated", quality("mape", 0.2, "estimated") | quality("rmse", 9, "estimated"),
          {said(version="web-1", metric="mape", source="estimated"): 0.2}),
    Found("deployment/RMSE", "realised", quality("rmse", 9, "realised") | quality("rmse_zero", 7, "realised"),
          {said(version="web-1", metric="rmse", source="realised"): 9}),
    Found("deployment/RMSE where the actual value is 0", "realised",
          quality("rmse", 9, "realised") | quality("rmse_zero", 7, "realised"),
          {said(version="web-1", metric="rmse_zero", source="realised"): 7}),
    Found("deployment/Accuracy, AUC, F1", "all three",
          quality("auc", 0.8, "estimated") | quality("f1", 0.7, "estimated") | quality("rmse", 9, "estimated"),
          {said(version="web-1", metric="auc", source="estimated"): 0.8,
           said(version="web-1", metric="f1", source="estimated"): 0.7}),
    Found("deployment/Rows compared", "by version",
          {selector("fairlead_recorder_binned_rows_total", _UNREAD): "0+60x30"}, {said(version="web-1"): 1}),
    Found("deployment/Requests not understood", "by reason",
          {selector("fairlead_recorder_unread_total", _UNREAD | {"reason": "late"}): "0+60x30"},
          {said(reason="late"): 1}),
    Found("deployment/The world has changed", "yes", gauge("world_changed", 1), {said(): 1}),
    Found("models/Watched", "yes", gauge("watched", 1), {said(): 1}),
    Found("models/Evidence that the live version has become worse, as a share of its bound", "half of it",
          gauge("watch_log_evidence", 2, version="web-1", guard="0/errors")
          | gauge("watch_log_evidence_bound", 4, version="web-1", guard="0/errors"),
          {said(version="web-1", guard="0/errors"): 0.5}),
    Found("models/Not monitored", "one", gauge("monitored", 0), {"": 1}),
    Found("models/Alarms of monitors", "by monitor", monitor("drift", 2) | monitor("data", -1),
          {"monitor=drift": 1, "monitor=data": 0}),
    Found("operator/Failed looks", "by error",
          {exported("fairlead_errors_total", "fairlead-a", {"kind": "Dataset", "error": "OSError"}): "0+60x30"},
          {"kind=Dataset,error=OSError": 1}),
    Found("models/Pairs of answers that wait for people", "some", gauge("review_waiting", 3), {said(): 3}),
)  # fmt: skip


def asked_of(one: Found) -> Json:
    """In promtool's words."""
    expression = filled(PANELS[one.panel].queries[one.query][0], CHOSEN | {"price": one.price})
    samples = [{"labels": _labels(text), "value": value} for text, value in one.values.items()]
    return {
        "name": one.name, "interval": "1m", "input_series": promtool.series(one.series),
        "promql_expr_test": [{"expr": expression, "eval_time": AT, "exp_samples": samples}],
    }  # fmt: skip


def _labels(text: str) -> str:
    return "{" + ",".join('{}="{}"'.format(*part.split("=")) for part in text.split(",") if part) + "}"


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is wrong, by name."""
    return promtool.failures(
        tmp_path_factory.mktemp("queries"), promtool.File([asked_of(one) for one in (*GPUS, *ELSE)], every=AT)
    )  # fmt: skip


@pytest.mark.parametrize("one", GPUS, ids=lambda one: one.name)
def test_gpus_and_costs_by_series_of_dcgm(one: Found, wrong: dict[str, str]) -> None:
    assert wrong[one.name] == ""


@pytest.mark.parametrize("one", ELSE, ids=lambda one: one.name)
def test_what_needs_more_than_a_rollout_by_made_up_series(one: Found, wrong: dict[str, str]) -> None:
    assert wrong[one.name] == ""


def test_each_query_that_may_find_nothing_on_the_local_cluster_is_tried_here() -> None:
    needing = {name for name, panel in PANELS.items() if panel.needs}
    assert needing <= {one.panel for one in (*GPUS, *ELSE)}
    assert {name for name, panel in PANELS.items() if panel.needs == DCGM} == {one.panel for one in GPUS}
