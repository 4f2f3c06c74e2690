"""Grafana dashboards of the operator's metrics: `charts/fairlead/dashboards/*.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
FOLDER = "charts/fairlead/dashboards"
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
WIDE = 24
HERE = 'namespace=~"$namespace",deployment=~"$deployment"'
WHO = "namespace, deployment"
OURS = "and on (instance, job) fairlead_leader"
"""Every Python program has the metrics of its process; these are the operator's replicas'."""


@dataclass(frozen=True)
class Panel:
    """A panel: queries are (PromQL, legend)."""

    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    height: int = 8
    most: float | None = None
    red: float | None = None
    """A line is drawn here, and what is beyond is bad."""
    words: tuple[tuple[str, str, str], ...] = ()
    """(value, text, colour)"""


YES_NO = (("1", "yes", "green"), ("0", "no", "red"))


def _latest(metric: str, by: str = WHO, where: str = HERE) -> str:
    """One value an object: with two replicas, after a change of the leader, the old one's may still be there."""
    return f"max by ({by}) ({metric}{{{where}}})"


def _against(metric: str) -> str:
    by = f"{WHO}, version, guard"
    return f"clamp_min({_latest(metric, by)} / {_latest(f'{metric}_bound', by)}, 0)"


def _quantile(metric: str, by: str, share: str = "0.99") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[$__rate_interval])))"


MODELS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Rollouts", (
        Panel("Versions", "What is live, and what is on its way.",
              ((_latest("fairlead_deployment_info", f"{WHO}, live, candidate"), ""),), "table", height=7),
        Panel("Phase", "Holding: something stands in the way; the Deployment's conditions say what.",
              ((f"{_latest('fairlead_deployment_phase', f'{WHO}, phase')} == 1", "{{deployment}} {{phase}}"),),
              "state-timeline", height=7, words=(("1", " ", "blue"),)),
        Panel("Evidence that the candidate is worse, as a share of its bound",
              "In logarithms. At 1 it is taken back at once.",
              ((_against("fairlead_deployment_log_evidence"), "{{deployment}} {{version}} {{guard}}"),),
              unit="percentunit", most=1.1, red=1.0),
        Panel("Weight of the candidate", "Percent of the requests.",
              ((_latest("fairlead_deployment_candidate_weight"), "{{deployment}}"),), unit="percent", most=100),
        Panel("Evidence comes in", "No: the rollout is frozen, its weight stays.",
              ((_latest("fairlead_deployment_evidence_available"), "{{deployment}}"),), "state-timeline", words=YES_NO,
              height=6),
        Panel("Taken back", "Versions whose rollback stands, and why.",
              ((_latest("fairlead_deployment_rollback_info", f"{WHO}, version, reason"), ""),), "table", height=6,
              width=8),
        Panel("Pairs of answers that wait for people", "kubectl fairlead review deployment/NAME",
              ((_latest("fairlead_deployment_review_waiting"), "{{deployment}}"),), height=6, width=4),
    )),
    ("After the promotion", (
        Panel("Evidence that the live version has become worse, as a share of its bound",
              "In logarithms. At 1 the version before it takes over.",
              ((_against("fairlead_deployment_watch_log_evidence"), "{{deployment}} {{version}} {{guard}}"),),
              unit="percentunit", most=1.1, red=1.0),
        Panel("Ready pods of the live version", "",
              ((_latest("fairlead_deployment_ready_replicas"), "{{deployment}}"),)),
        Panel("Could be rolled back", "No: the condition RollbackReady says what is missing.",
              ((_latest("fairlead_deployment_rollback_ready"), "{{deployment}}"),), "state-timeline", words=YES_NO,
              height=6),
        Panel("Watched", "No: nothing shows how the live version does.",
              ((_latest("fairlead_deployment_watched"), "{{deployment}}"),), "state-timeline", words=YES_NO, height=6),
    )),
    ("Data, pipelines, versions", (
        Panel("Rows of the current version", "",
              ((_latest("fairlead_dataset_rows", "namespace, dataset", 'namespace=~"$namespace"'), "{{dataset}}"),),
              width=8),
        Panel("Age of the current version", "",
              (("time() - " + _latest("fairlead_dataset_version_timestamp_seconds", "namespace, dataset",
                                      'namespace=~"$namespace"'), "{{dataset}}"),), unit="s", width=8),
        Panel("Datasets are valid", "",
              ((_latest("fairlead_dataset_valid", "namespace, dataset", 'namespace=~"$namespace"'), "{{dataset}}"),),
              "state-timeline", width=8, words=YES_NO),
        Panel("Runs under way", "",
              ((_latest("fairlead_pipeline_active_runs", "namespace, pipeline", 'namespace=~"$namespace"'),
                "{{pipeline}}"),), width=8),
        Panel("The last run failed", "",
              ((_latest("fairlead_pipeline_last_run_failed", "namespace, pipeline", 'namespace=~"$namespace"'),
                "{{pipeline}}"),), "state-timeline", width=8,
              words=(("0", "no", "green"), ("1", "yes", "red"))),
        Panel("Model versions", "By phase.",
              (('count by (model, phase) (max by (namespace, version, model, phase) '
                '(fairlead_modelversion_phase{namespace=~"$namespace"}))', "{{model}} {{phase}}"),), width=8),
    )),
)  # fmt: skip

OPERATOR: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Does it work?", (
        Panel("Leaders", "One replica works; the others wait.", (("sum(fairlead_leader)", ""),), "stat", width=4,
              height=6, words=(("0", "none", "red"), ("1", "1", "green"))),
        Panel("Looks", "By what came of them.",
              (("sum by (kind, result) (rate(fairlead_reconciles_total[$__rate_interval]))", "{{kind}} {{result}}"),),
              unit="ops", width=10, height=6),
        Panel("Failed looks", "Invalid is a manifest's matter; conflicts are part of the work.",
              (("sum by (kind, error) (rate(fairlead_errors_total[$__rate_interval]))", "{{kind}} {{error}}"),),
              unit="ops", width=10, height=6),
    )),
    ("How fast does it react?", (
        Panel("Waiting for a look, p99", "Rollbacks wait as long.",
              ((_quantile("fairlead_queue_wait_seconds", "kind"), "{{kind}}"),), unit="s"),
        Panel("Length of a look, p99", "", ((_quantile("fairlead_reconcile_seconds", "kind"), "{{kind}}"),), unit="s"),
        Panel("Signals from outside, p99", "Counters of pods, Prometheus, the store.",
              ((_quantile("fairlead_signal_seconds", "signal, result"), "{{signal}} {{result}}"),), unit="s"),
        Panel("Ready to be looked at", "", (("sum by (kind) (fairlead_queue_depth)", "{{kind}}"),)),
    )),
    ("The API server, and what it costs", (
        Panel("Requests to the API server", "Code 0: no answer.",
              (("sum by (verb, code) (rate(fairlead_api_requests_total[$__rate_interval]))", "{{verb}} {{code}}"),),
              unit="reqps"),
        Panel("Length of requests, p99", "", ((_quantile("fairlead_api_request_seconds", "verb"), "{{verb}}"),),
              unit="s"),
        Panel("Objects in the cache", "", (("sum by (kind) (fairlead_cache_objects)", "{{kind}}"),), width=8),
        Panel("CPU", "Cores.", ((f"rate(process_cpu_seconds_total[$__rate_interval]) {OURS}", "{{instance}}"),),
              width=8),
        Panel("Memory", "", ((f"process_resident_memory_bytes {OURS}", "{{instance}}"),),
              unit="bytes", width=8),
    )),
)  # fmt: skip


def panels(rows: Iterable[tuple[str, tuple[Panel, ...]]]) -> Iterator[Json]:
    """Rows with their panels, placed from left to right."""
    number, top = 0, 0
    for title, members in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": WIDE, "h": 1}}  # fmt: skip
        left, top, tall = 0, top + 1, 0
        for panel in members:
            if left + panel.width > WIDE:
                left, top, tall = 0, top + tall, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield drawn(panel) | {"id": number, "gridPos": place}
            left, tall = left + panel.width, max(tall, panel.height)
        top += tall


def drawn(panel: Panel) -> Json:
    """A panel as Grafana keeps it, without its place."""
    instant = panel.kind in ("table", "stat")
    targets = [
        {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto",
         "instant": instant, "range": not instant, "format": "table" if panel.kind == "table" else "time_series"}
        for i, (expr, legend) in enumerate(panel.queries)
    ]  # fmt: skip
    found: Json = {
        "type": panel.kind, "title": panel.title, "description": panel.about, "datasource": SOURCE, "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []}, "options": _options(panel),
    }  # fmt: skip
    if panel.kind == "table":
        hidden = {"Time": True, "Value": True}
        found["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return found


def _defaults(panel: Panel) -> Json:
    lines: list[Json] = [{"color": "green", "value": None}]
    if panel.red is not None:
        lines.append({"color": "red", "value": panel.red})
    found: Json = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": lines}}
    if panel.most is not None:
        found["max"] = panel.most
    if panel.kind == "timeseries":
        style = "line" if panel.red is not None else "off"
        found["custom"] = {"lineInterpolation": "stepAfter", "fillOpacity": 5, "thresholdsStyle": {"mode": style}}
    if panel.words:
        options = {value: {"text": text, "color": colour} for value, text, colour in panel.words}
        found["mappings"] = [{"type": "value", "options": options}]
    return found


def _options(panel: Panel) -> Json:
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "state-timeline":
        return {"mergeValues": True, "showValue": "auto", "legend": {"showLegend": False}}
    return {}


def variable(name: str, query: str) -> Json:
    """A choice at the top, of a label's values."""
    return {
        "name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name}, "refresh": 2,
        "includeAll": True, "multi": True, "sort": 1, "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def dashboard(uid: str, title: str, rows: Iterable[tuple[str, tuple[Panel, ...]]], choices: list[Json]) -> Json:
    """A whole dashboard."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return {
        "uid": uid, "title": title, "tags": ["fairlead"], "schemaVersion": 39, "editable": True, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "graphTooltip": 1,
        "templating": {"list": [source, *choices]}, "panels": list(panels(rows)),
    }  # fmt: skip


def files() -> dict[str, str]:
    """Text by path."""
    chosen = [
        variable("namespace", "label_values(fairlead_deployment_info, namespace)"),
        variable("deployment", 'label_values(fairlead_deployment_info{namespace=~"$namespace"}, deployment)'),
    ]
    found = {
        "models": dashboard("fairlead-models", "Fairlead / models", MODELS, chosen),
        "operator": dashboard("fairlead-operator", "Fairlead / operator", OPERATOR, []),
    }
    return {f"{FOLDER}/{name}.json": json.dumps(body, indent=1) + "\n" for name, body in found.items()}
