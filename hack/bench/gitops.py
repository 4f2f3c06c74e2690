"""The real Argo CD over Fairlead's objects: does an Application stay Synced, and does its health say what is so? And
Flux's library: is there anything to write a second time, and what does it wait for?

First an application with a Dataset, a Pipeline, versions and a Deployment goes through what can happen to it. Then many
versions are rolled out by commits that name them (`model.version`), several Deployments at a time, some of the versions
bad. Counted are: OutOfSync after a commit was applied, and health that says something else than the Deployment's own
conditions. Needs the cluster (`make up`, `make install`), git and redis-server, and builds Argo CD.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hack.bench.argocd import Application, Repository, Seen, ask_scripts, running
from hack.bench.fluxcd import Look, look
from hack.bench.report import keep, quantile, table
from hack.gen.argocd import SCRIPTS, settings
from hack.testbed.cluster import Cluster, Json, Team, condition, make_team
from hack.testbed.serving import METRICS, artifact_body, server_image, traffic

API = "fairlead.dev/v1alpha1"
LIMIT = 150.0
"""Seconds that a state may take to come."""
SLACK = 1.0
"""Seconds by which two watches may tell of the same moment."""
STEPS: list[Json] = [{"weight": 50, "for": "1s", "requests": 20}]


def version(team: Team, name: str, model: str, **model_settings: Any) -> Json:
    """A ModelVersion on the test server, its bytes in the store."""
    body = artifact_body(name, **model_settings)
    key = f"models/{name}/model.json"
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=body)
    return {
        "apiVersion": API, "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {
            "model": model,
            "artifact": {"uri": f"s3://{team.bucket}/{key}", "sha256": hashlib.sha256(body).hexdigest()},
            "server": {"runtime": "custom", "image": server_image(), "metrics": METRICS,
                       "resources": {"cpu": "20m", "memory": "64Mi"}},
        },
    }  # fmt: skip


def deployment(name: str, pinned: str, steps: list[Json] | None = None) -> Json:
    """A Deployment that git decides for."""
    return {
        "apiVersion": API, "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "model": {"version": pinned}, "route": {"gateway": {"name": "public", "namespace": "infra"}},
            "rollout": {"steps": steps or STEPS, "afterPromotion": {"for": "0s"}},
        },
    }  # fmt: skip


def dataset(bucket: str) -> Json:
    """A Dataset of one small file."""
    return {
        "apiVersion": API, "kind": "Dataset", "metadata": {"name": "rides"},
        "spec": {
            "source": {"s3": {"endpoint": "http://s3.s3.svc:9000", "bucket": bucket, "prefix": "rides/",
                              "credentials": {"name": "s3"}}},
            "format": "csv", "watch": {"every": "5s", "settle": "1s"},
            "schema": {"columns": [{"name": "distance", "type": "float"}, {"name": "fare", "type": "float"}]},
            "checks": [{"rows": {"min": 2}}],
        },
    }  # fmt: skip


def pipeline() -> Json:
    """A Pipeline that nothing starts."""
    return {
        "apiVersion": API,
        "kind": "Pipeline",
        "metadata": {"name": "train"},
        "spec": {"steps": [{"name": "train", "image": server_image(), "inputs": {"rides": {"dataset": "rides"}}}]},
    }


# --- what can happen to an application --------------------------------------------------------------------------------


@dataclass
class State:
    """One expectation, and what came."""

    what: str
    expected: str
    seen: str = ""
    seconds: float = 0.0
    message: str = ""
    wrong: list[str] = field(default_factory=list)


def applied(revision: str) -> Callable[[Seen], bool]:
    """Whether this commit is what the cluster has."""
    return lambda one: one.revision == revision and one.sync == "Synced"


@dataclass
class Story:
    """An Application that is led from state to state by commits."""

    app: Application
    repository: Repository
    states: list[State] = field(default_factory=list)

    def commit(self, what: str, expected: str, about: str, files: dict[str, Json | None]) -> None:
        """Commit, and wait until the application is Synced and has this health. about: `kind/name` whose message is
        kept."""
        began, first = time.monotonic(), len(self.app.said)
        revision = self.repository.commit(what, {f"{self.app.name}/{path}": body for path, body in files.items()})
        self.app.refresh()
        self._wait(what, expected, about, lambda one: applied(revision)(one) and one.health == expected, began, first)

    def act(self, what: str, expected: str, about: str, change: Callable[[], None]) -> None:
        """Change something beside git, and wait for this health."""
        began, first = time.monotonic(), len(self.app.said)
        change()
        self._wait(what, expected, about, lambda one: one.health == expected, began, first)

    def _wait(
        self, what: str, expected: str, about: str, holds: Callable[[Seen], bool], began: float, first: int
    ) -> None:  # fmt: skip
        state = State(what, expected)
        self.states.append(state)
        try:
            found = self.app.wait(holds, LIMIT, expected)
        except AssertionError as error:
            found = self.app.said[-1]
            state.wrong.append(str(error)[:500])
        state.seen, state.seconds = found.health, time.monotonic() - began
        state.message = found.resources.get(about, ("", "", ""))[2]
        state.wrong += drifted(self.app.said[first:])
        print(f"{what}: {state.seen} after {state.seconds:.1f} s: {state.message[:100]}", flush=True)


def drifted(said: list[Seen]) -> list[str]:
    """Objects that were OutOfSync once their commit had been applied."""
    done: set[str] = set()
    found = []
    for one in said:
        if one.sync == "Synced":
            done.add(one.revision)
        elif one.sync == "OutOfSync" and one.revision in done:
            found += [f"OutOfSync: {name}" for name, what in one.resources.items() if what[0] == "OutOfSync"]
    return found


def story(cluster: Cluster, team: Team, folder: Path) -> list[State]:
    """What can happen, one after the other."""
    team.s3.put_object(Bucket=team.bucket, Key="rides/a.csv", Body=b"distance,fare\n1,3.5\n2,5\n3,6.5\n")
    repository = Repository(folder / "states")
    app = Application(cluster, "states", repository, team.namespace)
    run = Story(app, repository)
    first = version(team, "web-0", "web", errorRate=0.0)
    run.commit("a first version", "Healthy", "Deployment/web", {
        "dataset.yaml": dataset(team.bucket), "pipeline.yaml": pipeline(), "v0.yaml": first,
        "deployment.yaml": deployment("web", "web-0"),
    })  # fmt: skip
    with traffic(team, 40, "web", "web"):
        run.commit("a good version", "Healthy", "Deployment/web", {
            "v1.yaml": version(team, "web-1", "web", errorRate=0.0), "deployment.yaml": deployment("web", "web-1"),
        })  # fmt: skip
        run.commit("a bad version", "Degraded", "Deployment/web", {
            "v2.yaml": version(team, "web-2", "web", errorRate=0.6), "deployment.yaml": deployment("web", "web-2"),
        })  # fmt: skip
        run.commit(
            "the commit is reverted", "Healthy", "Deployment/web", {"deployment.yaml": deployment("web", "web-1")}
        )
        manual = deployment("web", "web-3", [{**STEPS[0], "manual": True}])
        run.commit("a manual step", "Suspended", "Deployment/web", {
            "v3.yaml": version(team, "web-3", "web", errorRate=0.0), "deployment.yaml": manual,
        })  # fmt: skip
        run.act(
            "the action `continue`", "Healthy", "Deployment/web", lambda: act(team, "Deployment", "web", "continue")
        )
    gone = dataset(f"{team.bucket}-that-is-not-there")
    run.commit("a bucket that is not there", "Degraded", "Dataset/rides", {"dataset.yaml": gone})
    run.commit("the right bucket", "Healthy", "Dataset/rides", {"dataset.yaml": dataset(team.bucket)})
    bad = version(team, "web-4", "web")
    bad["spec"]["artifact"]["sha256"] = "0" * 64
    files: dict[str, Json | None] = {"v4.yaml": bad, "deployment.yaml": deployment("web", "web-4")}
    run.commit("a version with other bytes", "Degraded", "ModelVersion/web-4", files)
    files = {"v4.yaml": None, "deployment.yaml": deployment("web", "web-3")}
    run.commit("without it", "Healthy", "Deployment/web", files)
    return run.states


def act(team: Team, kind: str, name: str, action: str) -> None:
    """Run an action as Argo CD's API server does: by its own interpreter, and what comes out is applied."""
    obj = team.get(kind.lower(), name)
    key = f"fairlead.dev_{kind}"
    cm = settings()
    (found,) = ask_scripts([{
        "object": obj, "health": str(cm[f"resource.customizations.health.{key}"]),
        "actions": str(cm[f"resource.customizations.actions.{key}"]), "run": action,
    }])  # fmt: skip
    offered = {one["name"]: one for one in found["actions"]}
    assert not offered[action].get("disabled"), f"{action} is not offered: {offered}"
    (made,) = found["made"]
    made = made["resource"]
    team.cluster.resource(kind.lower()).patch(
        name=name, namespace=team.namespace, body={"spec": made["spec"]}, content_type="application/merge-patch+json"
    )


def interpreted() -> list[str]:
    """The test files of the health checks and actions, by Argo CD's own interpreter: what it says otherwise."""
    cm, found = settings(), []
    for tests in sorted(SCRIPTS.glob("*/*/health_test.yaml")):
        kind = tests.parent
        key = f"{kind.parent.name}_{kind.name}"
        scripts = {"health": str(cm[f"resource.customizations.health.{key}"])}
        wanted = yaml.safe_load(tests.read_text(encoding="utf-8"))["tests"]
        said = ask_scripts([{"object": _plain(kind / one["inputPath"]), **scripts} for one in wanted])
        for one, answer in zip(wanted, said, strict=True):
            if answer.get("health") != one["healthStatus"]:
                found.append(f"{kind.name}/{one['inputPath']}: {answer}, not {one['healthStatus']}")
        if (kind / "actions").exists():
            scripts["actions"] = str(cm[f"resource.customizations.actions.{key}"])
            found += _acted(kind / "actions", scripts)
    return found


def _acted(folder: Path, scripts: dict[str, str]) -> list[str]:
    """Actions that fail, or make another spec than their test says. The moment of a decision is any."""
    wanted = yaml.safe_load((folder / "action_test.yaml").read_text(encoding="utf-8"))["actionTests"]
    asked = [{"object": _plain(folder / one["inputPath"]), "run": one["action"], **scripts} for one in wanted]
    found = []
    for one, said in zip(wanted, ask_scripts(asked), strict=True):
        expected = json.loads(json.dumps(yaml.safe_load((folder / one["expectedOutputPath"]).read_text()), default=str))
        objects = [each["unstructuredObj"] for each in expected] if isinstance(expected, list) else [expected]
        made = [each["resource"] for each in said.get("made") or []]
        for each in [*objects, *made]:
            (each["spec"].get("override") or {}).pop("at", None)
        if [each["spec"] for each in made] != [each["spec"] for each in objects]:
            found.append(f"{folder.parent.name}/{one['action']}: {said.get('error') or made}, not {objects}")
    return found


def _plain(path: Path) -> Json:
    """A manifest as JSON has it: times are text."""
    return dict(json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str)))


def by_flux(team: Team) -> list[Look]:
    """The same by Flux's apply and health checks."""
    team.s3.put_object(Bucket=team.bucket, Key="rides/a.csv", Body=b"distance,fare\n1,3.5\n2,5\n3,6.5\n")
    data, good, missing = dataset(team.bucket), deployment("web", "web-1"), dataset(f"{team.bucket}-not-there")
    first = [data, pipeline(), version(team, "web-0", "web", errorRate=0.0), deployment("web", "web-0")]
    second = [*first[:3], version(team, "web-1", "web", errorRate=0.0)]
    third = [*second, version(team, "web-2", "web", errorRate=0.6)]
    found = [look(team, "a first version", "Healthy", first, LIMIT)]
    with traffic(team, 40, "web", "web"):
        found.append(look(team, "a good version", "Healthy", [*second, good], LIMIT))
        found.append(look(team, "a bad version", "Deployment", [*third, deployment("web", "web-2")], LIMIT))
        found.append(look(team, "the live version again", "Healthy", [*third, good], LIMIT))
    found.append(look(team, "a bucket that is not there", "Dataset", [missing, *third[1:], good], LIMIT))
    found.append(look(team, "the right bucket", "Healthy", [*third, good], LIMIT))
    return found


# --- many rollouts ----------------------------------------------------------------------------------------------------


@dataclass
class Rollout:
    """One commit, and what Argo CD said until the next one."""

    version: str
    good: bool
    committed: float
    settled: float = 0.0
    """When the Deployment's own conditions said that it has ended, epoch seconds."""
    synced: float = 0.0
    told: float = 0.0
    """When the application's health said so."""
    wrong: list[str] = field(default_factory=list)


def settled(obj: Json, pinned: str) -> bool:
    """Whether the Deployment says of this version that it is live, or that it will not be."""
    if obj["spec"]["model"]["version"] != pinned:
        return False
    current = obj["metadata"]["generation"] == (obj.get("status") or {}).get("observedGeneration")
    return current and "True" in (condition(obj, "Ready").get("status"), condition(obj, "Stalled").get("status"))


@dataclass
class Lane:
    """A Deployment through which versions are sent by commits."""

    team: Team
    app: Application
    repository: Repository
    rollouts: list[Rollout] = field(default_factory=list)

    def send(self, good: bool) -> None:
        """One version; waits until it has ended and the health says so."""
        name, number = self.app.name, len(self.rollouts)
        pinned = f"{name}-{number}"
        body = version(self.team, pinned, name, errorRate=0.0 if good else 0.6)
        files: dict[str, Json | None] = {
            f"{name}/{pinned}.yaml": body,
            f"{name}/deployment.yaml": deployment(name, pinned),
        }
        if number >= 4:
            files[f"{name}/{name}-{number - 4}.yaml"] = None
        one = Rollout(pinned, good, time.time())
        self.rollouts.append(one)
        revision = self.repository.commit(pinned, files)
        self.app.refresh()
        expected = "Healthy" if good else "Degraded"
        try:
            one.synced = self.app.wait(applied(revision), LIMIT, "Synced").at
            self.team.wait("deployment", name, lambda obj: settled(obj, pinned), LIMIT, "settled")
            one.settled = time.time()
            one.told = self.app.wait(lambda s: applied(revision)(s) and s.health == expected, 30, expected).at
        except AssertionError as error:
            one.wrong.append(str(error)[:500])

    def judge(self) -> None:
        """Look at all that was said between a commit and the next one."""
        ends = [one.committed for one in self.rollouts[1:]] + [time.time()]
        for one, end in zip(self.rollouts, ends, strict=True):
            since = [s for s in self.app.said if one.synced <= s.at < end] if one.synced else []
            one.wrong += drifted(since) + [f"{s.health} before the end" for s in since if early(s, one)]
            one.wrong += [f"{s.health} after the end" for s in since if one.told and s.at > one.told and late(s, one)]


def early(said: Seen, rollout: Rollout) -> bool:
    """Whether it told of an end that had not come."""
    return said.health in ("Healthy", "Degraded") and said.at < rollout.settled - SLACK


def late(said: Seen, rollout: Rollout) -> bool:
    """Whether it told of something else after the end."""
    return said.health != ("Healthy" if rollout.good else "Degraded")


@contextmanager
def lane(cluster: Cluster, team: Team, folder: Path, name: str) -> Iterator[Lane]:
    """A lane with its first version live, and traffic on it."""
    repository = Repository(folder / name)
    found = Lane(team, Application(cluster, name, repository, team.namespace), repository)
    found.send(True)
    with traffic(team, 30, name, name):
        yield found


def many(cluster: Cluster, team: Team, folder: Path, lanes: int, each: int) -> list[Rollout]:
    """Rollouts through several Deployments at a time; every fourth version is bad."""

    def through(name: str) -> list[Rollout]:
        with lane(cluster, team, folder, name) as one:
            for number in range(1, each + 1):
                one.send(number % 4 != 3)
            one.judge()
            return one.rollouts

    with ThreadPoolExecutor(lanes) as pool:
        return [one for found in pool.map(through, [f"lane-{n}" for n in range(lanes)]) for one in found]


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="gitops", description=__doc__)
    parser.add_argument("--lanes", type=int, default=5, help="Deployments at a time; 0: only the states")
    parser.add_argument("--each", type=int, default=20, help="rollouts of each")
    parser.add_argument("--no-states", action="store_true", help="only the rollouts")
    parser.add_argument("--no-flux", action="store_true", help="only Argo CD")
    options = parser.parse_args(arguments)
    cluster, stamp = Cluster(), datetime.now(UTC).strftime("%H%M%S")
    teams = [make_team(cluster, f"gitops-{part}-{stamp}") for part in ("states", "lanes", "flux")]
    other = interpreted()
    print(f"health checks and actions by Argo CD's interpreter: {'; '.join(other) or 'as in their tests'}", flush=True)
    try:
        with running(cluster) as folder:
            states = [] if options.no_states else story(cluster, teams[0], folder)
            _tell_states(states)
            rollouts = many(cluster, teams[1], folder, options.lanes, options.each) if options.lanes else []
            _tell_rollouts(rollouts)
        looks = [] if options.no_flux else by_flux(teams[2])
        _tell_flux(looks)
    finally:
        for team in teams:
            cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=team.namespace)
    parts: dict[str, list[Any]] = {"states": states, "rollouts": rollouts, "flux": looks}
    keep("gitops", {name: [asdict(one) for one in found] for name, found in parts.items()})
    return int(bool(other) or any(one.wrong for one in [*states, *rollouts]) or not all(one.right for one in looks))


def _tell_states(states: list[State]) -> None:
    table("What an application says", [
        [one.what, one.expected, one.seen, one.seconds, one.message[:120], "; ".join(one.wrong) or "–"]
        for one in states
    ], ["what", "expected", "seen", "s", "message", "wrong"])  # fmt: skip


def _tell_rollouts(rollouts: list[Rollout]) -> None:
    """A rollout in which nothing was told counts as wrong, too."""
    wrong = [text for one in rollouts for text in one.wrong]
    drifts = sum(text.startswith("OutOfSync") for text in wrong)
    lags = [max(0.0, one.told - one.settled) for one in rollouts if one.told] or [0.0]
    table("Rollouts by commits", [[
        len(rollouts), sum(not one.good for one in rollouts), drifts, len(wrong) - drifts, quantile(lags, 0.5),
        max(lags),
    ]], ["rollouts", "bad versions", "OutOfSync", "wrong health", "health follows, s", "worst"])  # fmt: skip
    print("\n".join(wrong), flush=True)


def _tell_flux(looks: list[Look]) -> None:
    table("Flux", [
        [one.what, one.expected, one.health[:160] or "all Current", one.seconds, ", ".join(one.again) or "nothing"]
        for one in looks
    ], ["what", "expected", "health", "s", "written a second time"])  # fmt: skip
