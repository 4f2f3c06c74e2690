"""What the operator's own metrics say of a Deployment, read off its status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.api import halves
from fairlead.manifests.alerts import GAUGE_NAME, GAUGE_NAMESPACE
from fairlead.plan.core import Gauge, Json, epoch
from fairlead.plan.deployment.experiment import gauges as experiment
from fairlead.plan.deployment.metrics.registry import METRICS
from fairlead.plan.deployment.rollback import confirming, world

PHASES = ("Pending", "Progressing", "Live", "Holding", "RolledBack", "Degraded")
STANDINGS = {"Ok": 0, "Watch": 1, "Unknown": -1}
"""Of a monitor; any other is 2."""
_TAKEN_BACK = ("RolledBack", "Failed")
_TOLD = (
    ("rollback_ready", "RollbackReady", "0 while the live version could not be rolled back."),
    ("world_changed", "WorldChanged", "1 while all versions do worse than before, so that it is not the live one's."),
    ("monitored", "MonitorReady", "0 while nothing can be compared with what the live version learnt from."),
    ("watched", "Watched", "0 while nothing shows how a live version does that is under watch."),
)


def of(raw: Json) -> Iterator[Gauge]:
    """The samples of one Deployment."""
    status = raw.get("status") or {}
    who = {GAUGE_NAMESPACE: raw["metadata"]["namespace"], GAUGE_NAME: raw["metadata"]["name"]}
    candidate, live = status.get("candidate") or {}, status.get("live") or {}
    yield _gauge("info", "Which versions are live and on their way; always 1.", who | {
        "live": live.get("version", ""), "candidate": candidate.get("version", ""),
    }, 1)  # fmt: skip
    for phase in PHASES:
        yield _gauge("phase", "1 for the phase it is in.", who | {"phase": phase}, status.get("phase") == phase)
    if live:
        yield _gauge("ready_replicas", "Ready pods of the live version.", who, status.get("readyReplicas", 0))
    yield _gauge(
        "candidate_weight", "Percent of the requests that the candidate gets.", who, candidate.get("weight", 0)
    )
    yield from _evidence(status, candidate, who)
    yield from _rollbacks(status, who)
    yield from _monitors(raw, status.get("monitors") or {}, who)
    yield from experiment.of(status, who)


def _evidence(status: Json, candidate: Json, who: dict[str, str]) -> Iterator[Gauge]:
    available = next((c for c in status.get("conditions") or [] if c["type"] == "EvidenceAvailable"), None)
    if available:
        yield _gauge("evidence_available", "0 while a rollout or an experiment is frozen for want of evidence.", who,
                     available["status"] == "True")  # fmt: skip
    for name, type_, help_ in _TOLD:
        said = next((c for c in status.get("conditions") or [] if c["type"] == type_), None)
        if said and not (type_ == "MonitorReady" and said["status"] == "Unknown"):  # a first window may be a day long
            yield _gauge(name, help_, who, said["status"] == "True")
        if said and type_ == "WorldChanged":
            unknown = said["status"] == "Unknown" and said["reason"] not in (confirming.ASKS, world.AWAITED)
            yield _gauge("cannot_confirm", "1 while nobody can find out whether the live one is worse.", who, unknown)
    for guard in (status.get("watch") or {}).get("guards") or []:
        labels = who | {"guard": guard["guard"], "version": status["watch"]["version"]}
        yield _gauge("watch_log_evidence", "Log evidence that the live version has become worse since its promotion.",
                     labels, max(0.0, float(guard["logEvidence"])))  # fmt: skip
        yield _gauge("watch_log_evidence_bound", "At this log evidence it is rolled back.", labels,
                     float(guard["bound"] or 0))  # fmt: skip
    for sample in (sample for metric in METRICS.values() for sample in metric.samples(candidate)):
        yield _gauge(sample.name, sample.help, who, sample.value)
    for guard in candidate.get("guards") or []:
        labels = who | {"guard": guard["guard"], "version": candidate["version"]}
        yield _gauge("log_evidence", "Log evidence that the candidate is worse.", labels, float(guard["logEvidence"]))
        yield _gauge(
            "log_evidence_bound", "At this log evidence it is rolled back.", labels, float(guard["bound"] or 0)
        )


def _rollbacks(status: Json, who: dict[str, str]) -> Iterator[Gauge]:
    history: list[Any] = status.get("history") or []
    last = next((record for record in history if record["result"] in _TAKEN_BACK), None)
    if last is None:
        return
    yield _gauge("last_rollback_timestamp_seconds", "When a version was last taken back.", who, epoch(last["endedAt"]))
    # only until the next version is on its way: then the alert has been understood
    if status.get("phase") == "RolledBack":
        labels = who | {"version": last["version"], "reason": last["reason"]}
        yield _gauge("rollback_info", "1 while the last rollout stands as taken back.", labels, 1)


def _monitors(raw: Json, kept: Json, who: dict[str, str]) -> Iterator[Gauge]:
    """At most twelve series a model; `monitored` is another one."""
    for line in kept.get("lines") or []:
        labels = who | {"monitor": line["monitor"], "version": kept["version"]}
        yield _gauge("monitor", "What a monitor says of the live version: 0 ok, 1 watch, 2 bad, -1 unknown.", labels,
                     STANDINGS.get(line["state"], 2))  # fmt: skip
    blind = any(line["monitor"] == "quality" and line["state"] == "Unknown" for line in kept.get("lines") or [])
    for one in (halves.member(raw, "monitors") or {}).get("figures") or []:
        if blind and one["source"] == "estimated":
            continue  # it was so once
        labels = who | {"version": kept["version"], "metric": one["metric"], "source": one["source"]}
        yield _gauge("quality", "How good the live version's answers are, by a metric: realised by labels, or else "
                     "estimated without.", labels, float(one["value"]))  # fmt: skip


def _gauge(name: str, help_: str, labels: dict[str, str], value: float) -> Gauge:
    return Gauge(f"fairlead_deployment_{name}", help_, labels, float(value))
