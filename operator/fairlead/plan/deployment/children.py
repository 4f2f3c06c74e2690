"""The objects that a Deployment consists of, as its status wants them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fairlead.api.common import API_VERSION, Artifact
from fairlead.api.deployment import Route
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.modelversion import ModelVersion
from fairlead.api.server import Server
from fairlead.api.tasks import MODEL, FetchTask
from fairlead.manifests import alerts, autoscaling, presets, recorder, route, server
from fairlead.manifests.meta import labels, owner_reference
from fairlead.plan import store
from fairlead.plan.core import (
    AUTOSCALER,
    GRPC_ROUTE,
    HTTP_ROUTE,
    LABEL_PREFIX,
    POD_MONITOR,
    PROMETHEUS_RULE,
    SERVICE,
    WORKLOAD,
    Delete,
    Json,
    Kind,
)
from fairlead.plan.deployment import phase, versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import steps
from fairlead.plan.deployment.experiment import traffic
from fairlead.plan.deployment.monitors import registry
from fairlead.plan.deployment.serving import ability, gpus, place, pods, recording, running, scaling, sizes
from fairlead.plan.deployment.watch import period as watch

ROUTES = (HTTP_ROUTE, GRPC_ROUTE)
VERSION_LABEL = f"{LABEL_PREFIX}version"
APPLIED = f"{LABEL_PREFIX}applied"
"""The kernel's mark of what it has applied."""


def wanted(look: Look, status: DeploymentStatus) -> list[Json]:
    """Everything that should be there, the route first: who gets the requests matters most, and it names no Service but
    the live version's that is not there. A version whose record or image is missing stays as it is."""
    found = []
    for name in serving(status):
        version = versions.read(look, name)
        if version is not None:
            found += _version(look, name, version, sizes.pods_of(look, status, name))
    if look.spec.recorded is not None and (found or status.live):
        found.append(_copies(look, status))
    where = place.route_of(look, status)
    if status.live and where and look.world.served(look.route_kind):
        found.insert(0 if look.is_reachable(status.live.version) else len(found), _route(look, status, where))
    return found + _autoscaler(look, status) + _watching(look, status)


def _autoscaler(look: Look, status: DeploymentStatus) -> list[Json]:
    """Where Fairlead scales, and there is something to be measured."""
    if look.spec.replicas.target is None or status.live is None or not look.world.served(AUTOSCALER):
        return []
    meta = {"name": look.name, "namespace": look.namespace, "ownerReferences": [owner(look)]}
    return [autoscaling.autoscaler(meta | {"labels": labels(deployment=look.name)}, look.name, look.spec.replicas)]


def _copies(look: Look, status: DeploymentStatus) -> Json:
    """The Service of copies: it is always there, so that proxies know its address, and leads to the candidate."""
    name = status.candidate.version if status.candidate else ""
    version = versions.read(look, name)
    port = presets.port_name(version.spec.server) if version else "http"
    meta = {"name": look.copies, "namespace": look.namespace, "ownerReferences": [owner(look)]}
    return server.copies(
        meta | {"labels": labels(deployment=look.name)}, pods.selector(look, name), port, look.grpc
    )  # fmt: skip


def serving(status: DeploymentStatus) -> list[str]:
    """The versions that have pods to be looked after."""
    found = [status.live.version] if status.live else []
    if status.candidate and not gpus.waits(status.candidate):
        found.append(status.candidate.version)
    found += [arm.version for arm in phase.arms(status) if not gpus.waits(arm)]
    if status.way_back:
        found.append(status.way_back.version)
    if status.watch and watch.keeps(status.watch):
        found.append(status.watch.against)
    return list(dict.fromkeys(found))


def owner(look: Look) -> Json:
    """The Deployment as the controlling owner."""
    return owner_reference(API_VERSION, "Deployment", look.name, look.subject.meta.uid)


def _version(look: Look, name: str, version: ModelVersion, replicas: int) -> list[Json]:
    fetch, secret = _fetch(look, version.spec.artifact) if version.spec.artifact else (None, None)
    made = server.Serving(
        name=look.child(name), namespace=look.namespace, owner=owner(look),
        labels=labels(deployment=look.name, version=name), selector=pods.selector(look, name),
        server=version.spec.server, model_name=version.spec.model, replicas=replicas,
        fetch=fetch, credentials=(secret,), worker_image=look.world.config.images.worker,
        recording=recording.of(look, name), grpc=look.grpc,
    )  # fmt: skip
    if running.refused(look, name, version):
        return []  # pods.problem says so
    try:
        workload = server.workload(made, look.world.config)
    except presets.Unservable:
        return []  # pods.problem says so
    workload["metadata"]["annotations"] = {scaling.REPLICAS: str(replicas)}
    return [_as_it_runs(look, version.spec.server, workload), server.service(made)]


def _fetch(look: Look, artifact: Artifact) -> tuple[FetchTask, str | None]:
    """How pods get a model, and the Secret that they need for it."""
    item, secret = store.artifact(artifact, look.world.config, MODEL)
    return FetchTask(items=[item]), secret


def _as_it_runs(look: Look, made_for: Server, workload: Json) -> Json:
    """A workload that serves keeps the images, sidecars and command that it was made with: upgrading Fairlead must not
    restart models."""
    live = look.world.get(WORKLOAD, workload["metadata"]["name"])
    if live is None or not (live.get("status") or {}).get("readyReplicas"):
        return workload
    had = live["spec"]["template"]["spec"]
    images = {one["name"]: one["image"] for one in [*had.get("initContainers", []), *had["containers"]]}
    spec = workload["spec"]["template"]["spec"]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        container["image"] = images.get(container["name"], container["image"])
    server.keep(made_for, spec, had)
    recorder.keep(workload["spec"]["template"], live["spec"]["template"])
    return workload


def _route(look: Look, status: DeploymentStatus, where: Route) -> Json:
    made = route.grpc_route if look.grpc else route.http_route
    return made(
        look.name, look.namespace, owner(look), labels(deployment=look.name), where,
        _possible(look, status), look.route,
    )  # fmt: skip


def decided(look: Look, status: DeploymentStatus) -> route.Traffic:
    """Who shall be reached how."""
    trial = phase.running(status)
    return traffic.of(look, trial, partial(_backend, look)) if trial else _divided(look, status)


def _possible(look: Look, status: DeploymentStatus) -> route.Traffic:
    """The same, of the live version and those that can be reached: it has the share of one that can't."""
    found = decided(look, status)
    assert status.live
    live = _backend(look, status.live.version)

    def there(backend: route.Backend) -> bool:
        return backend == live or look.is_reachable(backend.version)

    if all(map(there, found.named)):
        return found
    shared = [(backend, weight) for backend, weight in found.shared if backend != live and there(backend)]
    rest = 100 - sum(weight for _, weight in shared)
    copy = found.copy if found.copy and there(found.copy.backend) else None
    return replace(
        found, named=[one for one in found.named if there(one)], copy=copy,
        shared=[(live, rest), *shared] if rest else shared,
    )  # fmt: skip


def _divided(look: Look, status: DeploymentStatus) -> route.Traffic:
    assert status.live
    live, candidate = _backend(look, status.live.version), status.candidate
    named, shared, kept, back = [live], [(live, 100)], status.watch, status.way_back
    asked = kept.confirmation.share if kept and kept.confirmation else 0
    if kept and asked:  # a candidate that is on its way waits
        old = _backend(look, kept.against)
        return route.Traffic([live, old], [(live, 100 - asked), (old, asked)], None)
    if candidate is None and kept and kept.holdback:
        old = _backend(look, kept.against)
        named, shared = [live, old], [(live, 100 - kept.holdback), (old, kept.holdback)]
    elif candidate is None and back:
        named.append(_backend(look, back.version))  # the place that it will have
    if candidate and not gpus.waits(candidate):
        new = _backend(look, candidate.version)
        named.append(new)
        if candidate.weight:
            shared = [(live, 100 - candidate.weight)] if candidate.weight < 100 else []
            shared.append((new, candidate.weight))
    copied = steps.copied(steps.step_of(look, candidate), candidate) if candidate else ""
    how = ability.mirrors(look) if copied else "None"
    copy = (
        route.Copy(_backend(look, candidate.version), copied, how == "Proxy") if candidate and how != "None" else None
    )
    return route.Traffic(named, shared, copy)


def _backend(look: Look, version: str) -> route.Backend:
    return route.Backend(version, look.child(version), presets.GRPC_PORT if look.grpc else presets.PORT)


def _watching(look: Look, status: DeploymentStatus) -> list[Json]:
    """What Prometheus is told, if it is there to be told."""
    config = look.world.config.prometheus
    if not config.enabled:
        return []
    found = (versions.read(look, name) for name in serving(status))
    servers = [version.spec.server for version in found if version is not None]
    made = []
    if servers and look.world.served(POD_MONITOR):
        made.append(alerts.pod_monitor(_about(look), servers, look.spec.recorded is not None))
    rules = alert_rules(look, status)
    return [*made, rules] if rules else made


def alert_rules(look: Look, status: DeploymentStatus) -> Json | None:
    """The PrometheusRule; None where there is nothing to tell of, or nobody to be told."""
    live = status.live.version if status.live else ""
    return look.once(("alerts", live), lambda: _alert_rules(look, live))


def _alert_rules(look: Look, version: str) -> Json | None:
    if not (look.world.config.prometheus.enabled and version and look.world.served(PROMETHEUS_RULE)):
        return None
    live = versions.read(look, version)
    deadline = look.world.config.tuning.evidence_deadline
    watched = [one.name for one in registry.chosen(look.spec.monitors)] if look.spec.monitors else []
    return alerts.rules(_about(look), look.spec.alerts, live.spec.server if live else None, deadline, watched)


def _about(look: Look) -> alerts.About:
    config = look.world.config.prometheus
    marks = labels(deployment=look.name) | config.labels
    return alerts.About(look.name, look.namespace, owner(look), marks, look.grpc, config.runbooks)


def unwanted(look: Look, status: DeploymentStatus) -> list[Delete]:
    """Workloads and Services of versions that neither serve nor drain, and that no route names any more."""
    kept = {*serving(status), *(one.version for one in status.retiring)}
    routed = {one for kind in ROUTES for one in route.services(look.world.get(kind, look.name) or {})}
    found: list[Delete] = []
    if status.claimed is None:
        found = [_delete(kind, raw) for kind in ROUTES for raw in look.world.owned(kind)]
    elif status.live and place.route_of(look, status) and look.world.served(look.route_kind):
        # of a Deployment that has gone over to the other protocol
        instead = ((look.route_kind, look.name),)
        found = [
            replace(_delete(kind, raw), after=instead)
            for kind in ROUTES if kind != look.route_kind for raw in look.world.owned(kind)
        ]  # fmt: skip
    if look.spec.replicas.target is None:
        found += [_delete(AUTOSCALER, raw) for raw in look.world.owned(AUTOSCALER)]
    if look.spec.recorded is None:
        found += [_delete(SERVICE, raw) for raw in look.world.owned(SERVICE) if raw["metadata"]["name"] == look.copies]
    if status.live and not look.world.served(look.route_kind):
        return found  # what a route names that can't be seen is not known
    for kind in (WORKLOAD, SERVICE):
        for raw in [*look.world.owned(kind), *_lost(look, kind)]:
            meta = raw["metadata"]
            version = (meta.get("labels") or {}).get(VERSION_LABEL)
            if version and version not in kept and meta["name"] not in routed:
                found.append(_delete(kind, raw))
    return found


def _lost(look: Look, kind: Kind) -> list[Json]:
    """Objects of versions that were ours and have lost their owner. Those that are wanted are taken over again."""
    found = []
    for raw in look.world.select(kind, {f"{LABEL_PREFIX}deployment": look.name}):
        meta = raw["metadata"]
        version = (meta.get("labels") or {}).get(VERSION_LABEL)
        ours = version and meta["name"] == look.child(version) and APPLIED in (meta.get("annotations") or {})
        if ours and not meta.get("ownerReferences"):
            found.append(raw)
    return found


def _delete(kind: Kind, raw: Json) -> Delete:
    return Delete(kind, raw["metadata"]["name"], raw["metadata"]["uid"])
