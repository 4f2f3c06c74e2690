"""What is asked from outside for a rollout. `observe` and `plan` build the same requests from the same state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.modelversion import ModelVersion
from fairlead.manifests import presets
from fairlead.plan.core import epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ledger, promcounters
from fairlead.plan.deployment.serving import endpoints, gate, pods, sizes
from fairlead.plan.deployment.serving.pods import PodView
from fairlead.plan.requests import MetricNames, PromQuery, ScrapePod, WarmUp

CURSORS = 160
"""Cursors that pods may take in status: in very large versions some of the pods are judged, not all."""
EARLY = 0.9
"""Share of a window after which it may be closed."""
AGAIN, SOON = 0.25, 0.5
"""Parts of a window after which it is tried again, and for how long."""
FRESH = 3
"""A step is left only if the last answer came within so many windows,"""
ANSWER = 2.0
"""and so many seconds."""
ARMS = ("stable", "candidate")


@dataclass(frozen=True)
class Scrape:
    """A pod of an arm, and how its counters are read."""

    arm: str
    pod: PodView
    request: ScrapePod
    tried: bool = False
    """Its own counters have the golden rows in them that it was asked for before it got traffic."""

    def is_new(self, since: str | None) -> bool:
        """Whether all that its process has ever counted are requests, and came while we watched."""
        if self.tried or since is None:
            return False
        return self.pod.started is not None and self.pod.started > epoch(since)


def version_of(candidate: Candidate, arm: str) -> str:
    """The version of an arm."""
    return candidate.version if arm == "candidate" else candidate.against


def guard_id(index: int, guard: Guard) -> str:
    """How a guard is named in status."""
    return f"{index}/{guard.metric}"


def guard_of(look: Look, name: str) -> Guard:
    """The guard that status names so."""
    return look.spec.rollout.guards[index_of(name)]


def index_of(name: str) -> int:
    """Its place in the list."""
    return int(name.split("/")[0])


def due(since: str | None, look: Look, candidate: Candidate) -> bool:
    """Whether a window that began at `since` may be closed."""
    return since is None or look.now >= epoch(since) + max(EARLY * look.window, ledger.pace(candidate.ledger))


def next_window(look: Look, since: str | None, length: float | None = None) -> float:
    """Seconds until a window of that length (the rollouts', if none is given) that began at `since` can be closed. One
    that could not be when it was due, as a pod did not answer, is soon tried again, so that it does not become twice as
    long; later tries are a window apart."""
    length = look.window if length is None else length
    if since is None:
        return length
    left = epoch(since) + length - look.now
    return left if left > 0 else length * (AGAIN if left > -SOON * length else 1.0)


# --- warming -----------------------------------------------------------------------------------------------------


def is_warm(look: Look, candidate: Candidate) -> bool:
    """Whether all pods that are wanted are ready and have answered a warm-up request, and a route can lead to them: the
    Service is there, and a gateway can know of the pods behind it."""
    ready = answered(look, candidate)
    return bool(ready) and look.is_reachable(candidate.version) and endpoints.are_there(look, candidate.version, ready)


def answered(look: Look, candidate: Candidate) -> list[PodView]:
    """The ready pods, if these are as many as are wanted and all have answered a warm-up request; else none."""
    ready = [pod for pod in pods.of(look, candidate.version) if pod.ready]
    enough = len(ready) >= sizes.needed(look, candidate.version)
    return ready if enough and all(pod.source in candidate.warmed for pod in ready) else []


WARMED = 500
"""So many pods of a version are remembered to have answered a warm-up request: as many as it can have. There are more
for a moment when pods are replaced; the others are asked once more."""


def warm_ups(look: Look, candidate: Candidate) -> list[tuple[PodView, WarmUp]]:
    """A request for each ready pod that has not had one. The evaluation kept what it sent to the model."""
    version = versions.read(look, candidate.version)
    if version is None:
        return []
    cold = [pod for pod in pods.of(look, candidate.version) if pod.ready and pod.source not in candidate.warmed]
    return [(pod, _warm_up(version, pod, look.namespace)) for pod in cold]


def _warm_up(version: ModelVersion, pod: PodView, namespace: str) -> WarmUp:
    server, model, sample = version.spec.server, version.spec.model, sample_of(version)
    known = presets.infer_path(server, model) if sample else None
    url = f"{base(pod, presets.port(server))}{known or presets.ready_path(server, model)}"
    return WarmUp(url, sample, own=server.warm_up is not None, namespace=namespace)


def sample_of(version: ModelVersion) -> str:
    """The body that pods are warmed with: the server's own, else what the evaluation sent; empty if there is none."""
    own, proof = version.spec.server.warm_up, version.status.evidence
    if own is not None:
        return own.body
    return proof.sample if proof and version.spec.server.protocol == "oip" else ""


base = pods.base


# --- counters of the pods ------------------------------------------------------------------------------------------


def judged(look: Look, version: str) -> tuple[list[PodView], bool]:
    """The pods of an arm whose counters are read, and whether these are all."""
    return look.once(("judged", version), lambda: _judged(look, version))


def _judged(look: Look, version: str) -> tuple[list[PodView], bool]:
    found = [pod for pod in pods.of(look, version) if pod.ip]
    most = CURSORS // (2 * (1 + look.timed))
    return found[:most], len(found) <= most


def counting(look: Look, version: str, other: str) -> list[PodView]:
    """The pods of an arm whose counters are read: those that are judged, and where these are all, those that leave, so
    that what they answered meanwhile is not lost. other: the other arm's version."""
    mine, every = judged(look, version)
    most = CURSORS // (2 * (1 + look.timed)) - len(mine)
    return [*mine, *pods.still_answering(look, version, other)[:most]] if every else mine


def scrapes(look: Look, candidate: Candidate) -> list[Scrape]:
    """How the counters of both arms' pods are read. A version whose ModelVersion is gone has none."""
    return look.once(("scrapes", candidate.version, candidate.against), lambda: _scrapes(look, candidate))


def pod_of(scrape: Scrape) -> str:
    """Names a pod among the cursors."""
    return f"{scrape.arm}/{scrape.pod.uid}"


def process_of(scrape: Scrape, part: str = "") -> str:
    """Names the counters of a pod's process, or a part of them, among the cursors."""
    return f"{scrape.arm}/{scrape.pod.source}{part}"


def _scrapes(look: Look, candidate: Candidate) -> list[Scrape]:
    found = []
    for arm in ARMS:
        name, other = version_of(candidate, arm), version_of(candidate, ARMS[arm == ARMS[0]])
        version = versions.read(look, name)
        if version is not None:
            found += scrapes_of(look, arm, version, counting(look, name, other))
    return found


def scrapes_of(look: Look, arm: str, version: ModelVersion, mine: Iterable[PodView]) -> list[Scrape]:
    """How the counters of these pods are read. Those of a server that counts golden rows as it counts requests are not,
    until it has answered these: from then on it counts what people ask."""
    counts = not presets.counted_by_proxy(version.spec.server)
    return [
        Scrape(arm, pod, scrape(look, version, pod), tried=counts and gate.is_asked(pod.raw))
        for pod in mine if not (counts and gate.holds(pod.raw))
    ]  # fmt: skip


def scrape(look: Look, version: ModelVersion, pod: PodView) -> ScrapePod:
    """How a pod's counters are read."""
    own = presets.counters(version.spec.server, look.grpc)
    names = MetricNames(
        requests=own.requests, failures=own.failures,
        latency=own.latency if look.timed else None,
        latency_unit=0.001 if own.latency_unit == "ms" else 1.0,
    )  # fmt: skip
    return ScrapePod(f"{base(pod, presets.metrics(version.spec.server).port or 0)}{own.path}", names, look.namespace)


# --- Prometheus ----------------------------------------------------------------------------------------------------


def query_due(look: Look, candidate: Candidate, index: int, guard: Guard) -> bool:
    """Whether it is time to ask Prometheus again for a guard."""
    state = next((g for g in candidate.guards if g.guard == guard_id(index, guard)), None)
    return due(state.since if state else None, look, candidate)


def queries(look: Look, candidate: Candidate, expressions: Mapping[str, str]) -> dict[tuple[str, str], PromQuery]:
    """The queries of a guard by (arm, part); none without a Prometheus."""
    return {
        (arm, part): query
        for arm in ARMS
        for part, query in promcounters.queries(look, expressions, version_of(candidate, arm)).items()
    }


def stale(look: Look, state: GuardEvidence) -> str | None:
    """What a step waits for that Prometheus has not answered for lately, in words."""
    old = not state.since or look.now - epoch(state.since) > FRESH * look.window + ANSWER
    return "a fresh answer of Prometheus" if old else None
