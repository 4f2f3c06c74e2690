"""What Prometheus is told of a Deployment: which pods to scrape, and when to call somebody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairlead.api.deployment import Alerts
from fairlead.api.server import Server
from fairlead.api.units import share
from fairlead.manifests import presets, promql, recorder
from fairlead.manifests.meta import LABEL_PREFIX, MANAGED_BY, Json, short_hash
from fairlead.manifests.server import METRICS_LABEL, metrics_key, metrics_port_name

GAUGE_NAMESPACE, GAUGE_NAME = "namespace", "deployment"
"""Labels of the operator's gauges. The chart has them scraped with `honorLabels`, so that they stay as they are."""
BURNS = ((14.4, "1h", "5m", "critical"), (6, "6h", "30m", "critical"), (3, "1d", "2h", "warning"),
         (1, "3d", "6h", "warning"))  # fmt: skip
"""Burn rates of the error budget over a long and a short window (Google SRE Workbook, chapter 5)."""
ALERTS = {
    "quality": ("FairleadHarmed", "the live version does worse than when it was proven, or is estimated to"),
    "fairness": ("FairleadUnfair", "groups of requests are answered more differently than is tolerated"),
    "drift": ("FairleadDrifting", "requests or answers are not what the live version learnt from"),
    "data": ("FairleadDataBad", "requests are broken: values are missing, of another type, or out of range"),
    "explain": ("FairleadContributionsDrifting", "answers come from other features than they did"),
    "outliers": ("FairleadOutliers", "many requests are unlike all that the live version learnt from"),
    "skew": ("FairleadSkew", "a new pod does not answer golden rows as the model did, and gets no traffic"),
    "stale": ("FairleadStale", "the live version is too old"),
}
"""Of monitors: the alert's name, and what it says."""
REMEDIES = {
    "quality": "Label some of the latest requests to know whether the estimate is right, or train anew.",
    "fairness": "Look which group is answered otherwise and whether its requests have changed; then train anew.",
    "drift": "Ask whoever sends these features whether something was changed; if the world has, train anew.",
    "data": "Have whoever sends the named features mend them: the model guesses meanwhile.",
    "explain": "See with kubectl fairlead explain what contributes now, and whether its senders changed something.",
    "outliers": "Look at some of the requests that were kept (spec.record): are they meant for this model?",
    "stale": "Start a run of its Pipeline, or give it the trigger `stale`.",
    "skew": "Look what differs between training and serving: a library's version, a feature's type or order.",
}
"""What to do, by monitor."""
RUNBOOK = "{docs}/how-to/act-on-alerts.md#{alert}"
"""The section of an alert. docs: where the docs can be read; alert: its name in small letters."""
UNSEEN = 21600
"""Seconds that a monitor may see nothing: windows of few requests are long."""
NOT_WATCHED = 300
"""Seconds: the windows of a watch are up to a minute long."""
EVENTS = 10
"""Failed requests in the long window below which nobody is called: a single one may be a large share of few."""


@dataclass(frozen=True)
class About:
    """Whose objects these are. `labels`: of the objects, Prometheus' own selectors among them."""

    name: str
    namespace: str
    owner: Json
    labels: Mapping[str, str]
    grpc: bool = False
    """Whether requests come in by gRPC."""
    docs: str = "docs"
    """Where the docs can be read."""

    def meta(self) -> Json:
        """Metadata of a child."""
        return {
            "name": self.name, "namespace": self.namespace, "labels": dict(self.labels),
            "ownerReferences": [self.owner],
        }  # fmt: skip


def pod_monitor(about: About, servers: Sequence[Server], recorded: bool = False) -> Json:
    """Scrapes all versions' pods; each series says which version and Deployment it is of. recorded: the recorders and
    the proxies too."""
    endpoints = {metrics_key(server): _endpoint(server) for server in servers}
    counting = {metrics_key(server) for server in servers if presets.counted_by_proxy(server)}
    sidecars = [
        _sidecar(recorder.PORT_NAME, "/metrics"), _sidecar(recorder.STATS_NAME, presets.BY_PROXY.path, counting),
    ]  # fmt: skip
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": about.meta(),
        "spec": {
            # a server that doesn't name the format of its page is read nevertheless, as the operator reads it
            "fallbackScrapeProtocol": "PrometheusText0.0.4",
            "selector": {"matchLabels": {MANAGED_BY: "fairlead", f"{LABEL_PREFIX}deployment": about.name}},
            "podMetricsEndpoints": [*(endpoints[key] for key in sorted(endpoints)), *(sidecars if recorded else [])],
        },
    }


def _endpoint(server: Server) -> Json:
    keep = {"sourceLabels": [_meta_label(METRICS_LABEL)], "regex": metrics_key(server), "action": "keep"}
    return {
        "port": metrics_port_name(server),
        "path": presets.metrics(server).path,
        "relabelings": [keep, *_whose()],
    }


def _sidecar(port: str, path: str, but: Iterable[str] = ()) -> Json:
    """A page of a sidecar. but: of pods with these METRICS_LABELs it is read already."""
    drop = [{"sourceLabels": [_meta_label(METRICS_LABEL)], "regex": key, "action": "drop"} for key in sorted(but)]
    return {"port": port, "path": path, "relabelings": [*drop, *_whose()]}


def _whose() -> list[Json]:
    return [
        {"sourceLabels": [_meta_label(f"{LABEL_PREFIX}{name}")], "targetLabel": name, "action": "replace"}
        for name in ("deployment", "version")
    ]


def _meta_label(label: str) -> str:
    return "__meta_kubernetes_pod_label_" + re.sub(r"[^a-zA-Z0-9_]", "_", label)


def rules(
    about: About, alerts: Alerts, live: Server | None, deadline: float, monitors: Sequence[str] = ()
) -> Json:  # fmt: skip
    """The alert rules of a Deployment.

    live: the live version's server, whose counters the objective is measured by, if Prometheus understands their
    selectors; None: unknown. deadline: seconds
    without evidence after which somebody is told. monitors: those that are asked for.
    """
    groups = [_group(about, "rollout", _rollout(about, alerts, deadline))]
    if monitors:
        groups.append(_group(about, "monitors", _monitors(about, alerts, monitors)))
    if live is not None and not unwritten(live, about.grpc):
        groups.append(_group(about, "slo", _slo(about, alerts, live)))
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": about.meta(),
        "spec": {"groups": groups},
    }


def unwritten(live: Server, grpc: bool) -> str:
    """Why there is no alert on the error budget: what Prometheus may not understand of the counters' selectors. Empty
    if there is one. With such rules, Prometheus would have none of the Deployment."""
    names = presets.counters(live, grpc)
    for field in ("requests", "failures"):
        try:
            promql.total(getattr(names, field), "rate", "5m", {})
        except ValueError as error:
            return f"spec.server.metrics.{field}: {error}"
    return ""


def _group(about: About, what: str, found: list[Json]) -> Json:
    """Named after the expressions too, which Prometheus shows in its own words: so it is seen which it has loaded."""
    revision = short_hash(*(rule["expr"] for rule in found), length=8)
    return {"name": f"{about.namespace}.{about.name}.{what}.{revision}", "rules": found}


def fingerprint(alert: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Names an alert rule by what Prometheus says of it as it was written; the expression it writes anew."""
    return short_hash(
        alert, *(f"{k}={v}" for part in (labels, annotations) for k, v in sorted(part.items())), length=16
    )


def wanted(rules: Json) -> dict[str, frozenset[str]]:
    """The fingerprints of a PrometheusRule's alerts, by group."""
    return {
        group["name"]: frozenset(fingerprint(r["alert"], r["labels"], r["annotations"]) for r in group["rules"])
        for group in rules["spec"]["groups"]
    }


def _rollout(about: About, alerts: Alerts, deadline: float) -> list[Json]:
    """From the operator's gauges. `max without`: replicas of the operator must not double an alert."""
    see = f"kubectl fairlead get deployment {about.name} -n {about.namespace}"
    where = f"{about.namespace}/{about.name}"
    return [
        _alert(
            about, alerts, "FairleadRolledBack", "warning", "0s",
            _gauge(about, "rollback_info") + " == 1",
            f"{where}: {{{{ $labels.version }}}} was taken back ({{{{ $labels.reason }}}})",
            f"The live version answers all requests. See why: {see}",
        ),
        _alert(
            about, alerts, "FairleadNoEvidence", "warning", f"{round(deadline)}s",
            _gauge(about, "evidence_available") + " == 0",
            f"{where}: the rollout or experiment is frozen, for nothing shows how a new version does",
            f"No version is promoted meanwhile. The condition EvidenceAvailable says what is missing: {see}",
        ),
        _alert(
            about, alerts, "FairleadRollbackNotReady", "warning", "5m",
            _gauge(about, "rollback_ready") + " == 0",
            f"{where}: the live version could not be rolled back",
            f"The condition RollbackReady says what is missing: {see}",
        ),
        _alert(
            about, alerts, "FairleadNotWatched", "warning", f"{max(NOT_WATCHED, round(deadline))}s",
            _gauge(about, "watched") + " == 0",
            f"{where}: nothing shows how the new live version does",
            f"The condition Watched says what is missing: {see}",
        ),
        _alert(
            about, alerts, "FairleadWorldChanged", "warning", "0s",
            _gauge(about, "world_changed") + " == 1",
            f"{where}: more goes wrong than before, and it is not the live version",
            f"Nothing was rolled back. The condition WorldChanged says what both versions did: {see}",
        ),
        _alert(
            about, alerts, "FairleadCannotConfirm", "warning", "0s",
            _gauge(about, "cannot_confirm") + " == 1",
            f"{where}: more goes wrong than before, and nobody can find out whether it is the live version",
            f"Nothing is rolled back. The condition WorldChanged says why, and how to decide: {see}",
        ),
        _alert(
            about, alerts, "FairleadNoReadyPod", "critical", "30s",
            _gauge(about, "ready_replicas") + " == 0",
            f"{where}: no pod of the live version is ready",
            f"Requests fail. The condition Ready says why: {see}",
        ),
        _alert(
            about, alerts, "FairleadRolloutStuck", "warning", "15m",
            _gauge(about, "phase", 'phase="Holding"') + " == 1",
            f"{where}: the new version does not go on",
            f"The condition Progressing says why: {see}",
        ),
    ]  # fmt: skip


def _monitors(about: About, alerts: Alerts, monitors: Sequence[str]) -> list[Json]:
    """An alert for each monitor that has one, and one for all that see nothing."""
    see = f"kubectl fairlead get deployment {about.name} -n {about.namespace}"
    where = f"{about.namespace}/{about.name}"
    found = [
        _alert(
            about, alerts, ALERTS[name][0], "warning", "0s", _gauge(about, "monitor", f'monitor="{name}"') + " == 2",
            f"{where}: {ALERTS[name][1]}", f"{REMEDIES[name]} The line of {name} says what was found: {see}",
        )
        for name in monitors if name in ALERTS
    ]  # fmt: skip
    blind = _alert(
        about,
        alerts,
        "FairleadNotMonitored",
        "warning",
        f"{UNSEEN}s",
        _gauge(about, "monitored") + " == 0",
        f"{where}: nobody knows whether requests are what the live version learnt from",
        f"The condition MonitorReady says what is missing: {see}",
    )
    return [*found, blind]


def runbook(docs: str, alert: str) -> str:
    """Where it stands what to do about an alert."""
    return RUNBOOK.format(docs=docs.rstrip("/"), alert=alert.lower())


def _gauge(about: About, name: str, *matchers: str) -> str:
    chosen = ",".join([f'{GAUGE_NAMESPACE}="{about.namespace}"', f'{GAUGE_NAME}="{about.name}"', *matchers])
    return f"max without (instance, pod, container, endpoint, job) (fairlead_deployment_{name}{{{chosen}}})"


def _slo(about: About, alerts: Alerts, live: Server) -> list[Json]:
    """Multi-window burn rates of the error budget, from the servers' own counters."""
    budget = max(1 - share(alerts.slo.availability), 1e-6)
    names = presets.counters(live, about.grpc)
    found = []
    for rate, long, short, severity in BURNS:
        over = [f"({_ratio(about, names.requests, names.failures, window)} > {rate * budget:.6g})"
                for window in (long, short)]  # fmt: skip
        enough = f"({_total(about, names.failures, 'increase', long)} >= {EVENTS})"
        found.append(_alert(
            about, alerts, "FairleadErrorBudgetBurn", severity, "0s", " and ".join([*over, enough]),
            f"{about.namespace}/{about.name} fails more than {rate:g} times as often as its objective "
            f"{alerts.slo.availability} allows, over {long}",
            f"kubectl fairlead history deployment {about.name} -n {about.namespace} says what the last versions did; "
            f"the way back is kubectl fairlead rollback {about.name} -n {about.namespace} --reason \"…\"",
            {"window": long},
        ))  # fmt: skip
    return found


def _ratio(about: About, requests: str, failures: str, window: str) -> str:
    failed, all_ = (_total(about, one, "rate", window) for one in (failures, requests))
    return f"({failed}) / ({all_})"


def _total(about: About, selector: str, function: str, window: str) -> str:
    return promql.total(selector, function, window, {"namespace": about.namespace, "deployment": about.name})


def _alert(
    about: About, alerts: Alerts, name: str, severity: str, wait: str, expression: str, summary: str, remedy: str,
    labels: Mapping[str, str] | None = None,
) -> Json:  # fmt: skip
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {
            **alerts.labels, "severity": severity, "namespace": about.namespace, "deployment": about.name,
            **(labels or {}),
        },
        "annotations": {
            "summary": summary, "description": remedy, "runbook_url": runbook(about.docs, name),
        },
    }  # fmt: skip
