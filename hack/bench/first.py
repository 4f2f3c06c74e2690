"""How long it takes from `kubectl apply` to the first request that a version answers, verified and warm.

first       a first version and its Deployment, applied together
candidate   a version of a model that is live under traffic; half of the requests shall go to it
image       a first version whose image is the model: nothing is fetched

Image and bytes are on the node. The time runs from before the model's bytes are put into the store. Besides the time,
what happened when, as the API server's watches told it: the median over the runs, in seconds from the start.
"""

from __future__ import annotations

import argparse
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fairlead.manifests.meta import child_name
from hack.bench.load import BODY
from hack.bench.report import keep, quantile, table
from hack.testbed.cluster import Cluster, Json, Team, make_team
from hack.testbed.serving import METRICS, deploy, is_live, listener, make_version, server_image, traffic

PAUSE = 0.01
"""Seconds between tries of a client that waits for its first answer."""
WATCHED = (
    ("fairlead.dev/v1alpha1", "ModelVersion"), ("fairlead.dev/v1alpha1", "Deployment"), ("v1", "Pod"),
    ("discovery.k8s.io/v1", "EndpointSlice"), ("gateway.networking.k8s.io/v1", "HTTPRoute"),
)  # fmt: skip
MILESTONES = (
    "approved", "chosen", "pod made", "pod on a node", "fetch runs", "fetch has ended", "server runs", "pod ready",
    "endpoints", "route",
)  # fmt: skip
VERSION = "fairlead.dev/version"


@dataclass
class Run:
    """One version: when it answered first, and what happened before, in seconds from its start."""

    scenario: str
    version: str
    answered: float
    seen: dict[str, float] = field(default_factory=dict)


class Trace:
    """What the API server's watches tell of a namespace while the block runs: when each milestone of a version was seen
    first (wall clock)."""

    def __init__(self, team: Team) -> None:
        self._team, self._over = team, threading.Event()
        self._seen: dict[tuple[str, str], float] = {}

    @contextmanager
    def running(self) -> Iterator[Trace]:
        """Watch."""
        for api_version, kind in WATCHED:
            threading.Thread(target=self._watch, args=(api_version, kind), daemon=True).start()
        try:
            yield self
        finally:
            self._over.set()

    def of(self, version: str, since: float, deployment: str) -> dict[str, float]:
        """The milestones of a Deployment's version, in seconds from a time."""
        service = child_name(deployment, version)
        return {what: at - since for (name, what), at in self._seen.items() if name in (version, service)}

    def _watch(self, api_version: str, kind: str) -> None:
        resource = self._team.cluster.dynamic.resources.get(api_version=api_version, kind=kind)
        while not self._over.is_set():
            for event in resource.watch(namespace=self._team.namespace, timeout=30):
                now = time.time()
                for version, what in milestones(kind, event["raw_object"]):
                    self._seen.setdefault((version, what), now)
                if self._over.is_set():
                    return


def milestones(kind: str, obj: Json) -> Iterator[tuple[str, str]]:
    """What an object's state says has happened: (version, or in a route its Service; milestone)."""
    meta, status = obj["metadata"], obj.get("status") or {}
    version = str((meta.get("labels") or {}).get(VERSION, ""))
    if kind == "ModelVersion" and status.get("phase") == "Approved":
        yield meta["name"], "approved"
    elif kind == "Deployment":
        yield from ((status[key]["version"], "chosen") for key in ("candidate", "live") if key in status)
    elif kind == "Pod" and version:
        yield from ((version, what) for what in _of_pod(status))
    elif kind == "EndpointSlice" and version:
        if any((one.get("conditions") or {}).get("ready") for one in obj.get("endpoints") or []):
            yield version, "endpoints"
    elif kind == "HTTPRoute":
        backends = [one for rule in obj["spec"].get("rules") or [] for one in rule.get("backendRefs") or []]
        for name in {one["name"] for one in backends if one.get("weight", 1)}:
            yield name, "route"


def _of_pod(status: Json) -> Iterator[str]:
    yield "pod made"
    conditions = {one["type"] for one in status.get("conditions") or [] if one["status"] == "True"}
    if "PodScheduled" in conditions:
        yield "pod on a node"
    states = {
        one["name"]: one.get("state") or {}
        for key in ("initContainerStatuses", "containerStatuses") for one in status.get(key) or []
    }  # fmt: skip
    fetch = states.get("fetch", {})
    if "running" in fetch or "terminated" in fetch:
        yield "fetch runs"
    if "terminated" in fetch:
        yield "fetch has ended"
    if "running" in states.get("server", {}):
        yield "server runs"
    if "Ready" in conditions:
        yield "pod ready"


def _first(team: Team, name: str, trace: Trace, image: bool) -> Run:
    """A version, and a Deployment that has none yet. Deployment and model have the same name."""
    version, began = f"{name}-0", time.time()
    if image:
        _image(team, version, name)
    else:
        make_version(team, version, name)
    deploy(team, name, name, steps=[{"weight": 50, "for": "60s", "requests": 1000}])
    host, port = listener(team.cluster, "public")
    request = urllib.request.Request(
        f"http://{host}:{port}/{team.namespace}/{name}/v2/models/{name}/infer", data=BODY, method="POST"
    )
    answered = _wait(request) - began
    return Run("image" if image else "first", version, answered, trace.of(version, began, name))


def _image(team: Team, version: str, model: str) -> None:
    resources = {"cpu": "20m", "memory": "64Mi"}
    server = {"runtime": "custom", "image": server_image(), "metrics": METRICS, "resources": resources}
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": version}, "spec": {"model": model, "server": server},
    })  # fmt: skip


def _wait(request: urllib.request.Request, within: float = 120.0) -> float:
    """When the first answer came (wall clock)."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return time.time()
        except (urllib.error.URLError, OSError):
            time.sleep(PAUSE)
    raise AssertionError(f"{request.full_url} did not answer within {within:.0f} s")


def _candidate(team: Team, name: str, number: int, trace: Trace, rate: float) -> Run:
    """The next version of what is live: from its first request it has half of them."""
    with traffic(team, rate, name, name) as load:
        time.sleep(1)
        version, began = f"{name}-{number}", time.time()
        make_version(team, version, name)
        deadline = time.monotonic() + 120
        while not (mine := [one.sent for one in load.answers if one.version == version and one.code == 200]):
            assert time.monotonic() < deadline, f"{version} got no request"
            time.sleep(PAUSE)
    run = Run("candidate", version, min(mine) - began, trace.of(version, began, name))
    team.cluster.delete("modelversion", version, team.namespace)
    team.wait("deployment", name, lambda o: is_live(f"{name}-0")(o) and not o["status"].get("retiring"), 120, "alone")
    return run


def run(team: Team, runs: int, rate: float, say: Callable[[Run], None], images: bool) -> list[Run]:
    """All scenarios. images: the one with an image that is the model, too."""
    found: list[Run] = []

    def done(one: Run) -> None:
        found.append(one)
        say(one)

    with Trace(team).running() as trace:
        time.sleep(1)
        for index in range(runs):
            done(_first(team, f"first{index}", trace, image=False))
            if images:
                done(_first(team, f"image{index}", trace, image=True))
        team.wait("deployment", "first0", is_live("first0-0"), 60, "live")
        for index in range(runs):
            done(_candidate(team, "first0", index + 1, trace, rate))
    return found


def report(found: list[Run], options: Any) -> None:
    """The times, and where they went."""
    names = list(dict.fromkeys(one.scenario for one in found))
    rows, where = [], []
    for name in names:
        mine = [one for one in found if one.scenario == name]
        times = [one.answered for one in mine]
        rows.append([name, len(mine), min(times), quantile(times, 0.5), max(times)])
        seen = [[one.seen[what] for one in mine if what in one.seen] for what in MILESTONES]
        where.append([name, *(f"{quantile(values, 0.5):.2f}" if values else "-" for values in seen)])
    table("from apply to the first request, s", rows, ["scenario", "runs", "min", "median", "max"])
    table("what was seen when, s, medians", where, ["scenario", *MILESTONES])
    keep("first", {"options": vars(options), "runs": [vars(one) for one in found]})


def main(arguments: list[str]) -> int:
    """Run, and print two tables."""
    parser = argparse.ArgumentParser(
        prog="first", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each scenario")
    parser.add_argument("--no-image", action="store_true", help="leave out an image that is the model")
    parser.add_argument("--rate", type=float, default=50.0, help="requests/s on what is live before a candidate")
    options = parser.parse_args(arguments)
    cluster = Cluster()
    team = make_team(cluster, f"fl-bench-first-{uuid.uuid4().hex[:6]}")
    server_image()
    try:
        found = run(
            team, options.runs, options.rate,
            lambda one: print(f"{one.scenario} {one.version}: {one.answered:.2f} s {_words(one)}", flush=True),
            images=not options.no_image,
        )  # fmt: skip
    finally:
        cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=team.namespace)
    report(found, options)
    return 0


def _words(one: Run) -> str:
    return ", ".join(f"{what} {one.seen[what]:.2f}" for what in MILESTONES if what in one.seen)
