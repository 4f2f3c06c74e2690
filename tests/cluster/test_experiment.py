"""Experiments on the real cluster, through the gateway: sticky users, harm, a winner, a bandit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hack.bench.load import BODY, Load
from hack.install.chart import environment
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.grpcload import deploy_grpc, grpc_traffic, make_sklearn_version
from hack.testbed.serving import LEARNT, is_live, listener, make_version, traffic, turn_bad

from fairlead.api import halves
from fairlead.api.deploymentstatus import DeploymentStatus
from tests.cluster.test_rollouts import pods

SERIES = 'infer_requests_total{namespace="{{namespace}}",version="{{version}}"'
REWARD = {"total": SERIES + "}", "successes": SERIES + ',code="200"}'}
KEPT: Json = {"output": {"type": "number"}}


def compare(
    team: Team, guard: str = "errors", gateway: str = "public", record: Json | None = None, **wanted: object
) -> None:
    """A Deployment of m-1 that compares m-2 and m-3 with it."""
    experiment = {"versions": ["m-2", "m-3"], "share": "60%", "reward": REWARD, "for": "10s", "requests": 100}
    team.apply({
        "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "model": {"version": "m-1"},
            "route": {"gateway": {"name": gateway, "namespace": "infra"}},
            "rollout": {"guard": [{"metric": guard}]}, **({"record": record} if record else {}),
            **({"experiment": experiment | wanted} if wanted.pop("begin", True) else {}),
        },
    })  # fmt: skip


def go_live(team: Team, gateway: str = "public", record: Json | None = None, **errors: float) -> None:
    """m-1 is live, and the others are approved. errors: shares of failures, by `m1` and so on."""
    for number in (1, 2, 3):
        make_version(team, f"m-{number}", errorRate=errors.get(f"m{number}", 0.0))
    compare(team, gateway=gateway, record=record, begin=False)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")


def in_phase(phase: str) -> object:
    return lambda obj: obj["status"].get("experiment", {}).get("phase") == phase


def contender(obj: Json, version: str) -> Json:
    found = obj["status"].get("experiment", {}).get("contenders", [])
    return next((dict(one) for one in found if one["version"] == version), {})


def divided(obj: Json) -> Json:
    """How the requests were divided since the shares were last changed."""
    return dict(whole(obj).get("experiment", {}).get("division", {}))


def whole(obj: Json) -> Json:
    """The status as one tree."""
    return dict(halves.joined(DeploymentStatus, obj["status"]))


@dataclass
class User:
    """Somebody with a browser: keeps the cookie that he was given last."""

    team: Team
    gateway: str
    cookie: str = ""
    version: str = ""

    def ask(self) -> str:
        """The version that answers."""
        host, port = listener(self.team.cluster, self.gateway)
        address = f"http://{host}:{port}/{self.team.namespace}/web/v2/models/m/infer"
        headers = {"Content-Type": "application/json"} | ({"Cookie": self.cookie} if self.cookie else {})
        request = urllib.request.Request(address, data=BODY, method="POST", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found = answer.headers
        except urllib.error.HTTPError as failed:
            found = failed.headers
        if found["set-cookie"]:
            self.cookie = found["set-cookie"].split(";")[0]
        self.version = found["x-fairlead-model"]
        return self.version


def known(user: User) -> bool:
    """Whether he is given a version to stay with."""
    user.ask()
    return bool(user.cookie)


def learns(has: Callable[[], bool]) -> None:
    """Until a gateway has learnt of a route: that can't be watched from here."""
    deadline = time.monotonic() + 30
    while not has():
        assert time.monotonic() < deadline, "the gateway does not learn of the route"
        time.sleep(0.5)


def lost(load: Load) -> list[object]:
    """Requests that no version answered."""
    return [answer for answer in load.failed() if not answer.version]


@pytest.mark.long
@pytest.mark.parametrize("gateway", ["public", "traefik"])
def test_users_stay_with_their_version_and_leave_it_at_rollback(team: Team, gateway: str) -> None:
    go_live(team, gateway)
    with traffic(team, 50, gateway=gateway) as load:
        compare(team, gateway=gateway)
        team.wait("deployment", "web", in_phase("Running"), 120, "side by side")
        learns(lambda: known(User(team, gateway)))
        users = [User(team, gateway) for _ in range(80)]
        first = [user.ask() for user in users]
        assert set(first) == {"m-1", "m-2", "m-3"}, Counter(first)
        assert all(user.cookie.startswith(f"fairlead-web={user.version}.") for user in users)
        assert [user.ask() for user in users] == first
        compare(team, gateway=gateway, share="20%")
        team.wait("deployment", "web", lambda o: contender(o, "m-2")["share"] == 10, 60, "with other shares")
        time.sleep(LEARNT)
        assert [user.ask() for user in users] == first
        assert not load.failed(), load.failed()[:5]
        turn_bad(team, "m-2", 0.6, gateway)
        gone = team.wait("deployment", "web", lambda o: contender(o, "m-2")["state"] == "Out", 90, "without m-2")
        learns(lambda: all(user.ask() != "m-2" for user in users if user.version == "m-2"))
        after = [user.ask() for user in users]
        assert [user.ask() for user in users] == after
    assert gone["status"]["refused"] == ["m-2"]
    assert gone["status"]["experiment"]["phase"] == "Running"
    assert "m-2" not in after
    assert [version for version in after if version not in first] == []
    stayed = [(old, new) for old, new in zip(first, after, strict=True) if old != "m-2"]
    assert all(old == new for old, new in stayed)
    assert {answer.version for answer in load.failed()} == {"m-2"}


def test_new_users_are_counted_and_divided_as_asked(team: Team) -> None:
    """Clients of the load keep no cookies: each request is a new user's."""
    go_live(team, record=KEPT)
    with traffic(team, 50) as load:
        compare(team, record=KEPT)
        seen = team.wait("deployment", "web", lambda o: contender(o, "m-3").get("users", 0) >= 200, 180, "counting")
    found = whole(seen)["experiment"]
    users = {one["version"]: one["users"] for one in found["contenders"]}
    assert users["m-1"] > users["m-2"] > 100
    assert not found["division"].get("wrong"), found["division"]
    assert not found["division"].get("unknown"), found["division"]
    assert found["division"]["counts"]
    assert not load.failed(), load.failed()[:5]


@pytest.mark.long
def test_the_best_one_wins_and_goes_live_and_its_evidence_is_the_same_once_more(team: Team) -> None:
    """Failed requests are the reward here, and not a guard."""
    go_live(team, m1=0.4, m2=0.4, m3=0.05)
    with traffic(team, 100) as load:
        compare(team, "latency", then="Promote")
        team.wait("deployment", "web", in_phase("Running"), 120, "side by side")
        before = pods(team, "m-3")
        done = team.wait("deployment", "web", is_live("m-3"), 240, "live with m-3")
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 90, "drained")
    found = done["status"]["experiment"]
    assert (found["result"], found["winner"]) == ("Won", "m-3")
    assert condition(done, "Experiment")["status"] == "True"
    assert sorted(done["status"]["refused"]) == ["m-2"]
    assert pods(team, "m-3") == before
    assert not lost(load), lost(load)[:5]
    team.wait("deployment", "web", lambda o: not halves.own(o, "unsaved"), 90, "saved")
    told = replay(team, "m-3")
    assert told["same"], told["different"]
    time.sleep(LEARNT)
    again = team.get("deployment", "web") or {}
    assert again["status"]["live"]["version"] == "m-3"
    assert "candidate" not in again["status"]


def replay(team: Team, version: str) -> Json:
    """What `fairlead replay` says of one of the versions."""
    command = [str(Path(sys.executable).parent / "fairlead"), "replay", "deployment/web", "-n", team.namespace]
    store = ["--version", version, "--endpoint", team.endpoint, "--credentials", "s3", "-o", "json"]
    done = subprocess.run([*command, *store], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


@pytest.mark.long
def test_a_bandit_gives_more_to_the_better_one(team: Team) -> None:
    go_live(team, m1=0.4, m2=0.4, m3=0.3)
    with traffic(team, 50) as load:
        compare(team, "latency", allocation="Bandit", requests=100_000, sticky={"for": "0s"}, share="80%")
        team.wait("deployment", "web", in_phase("Running"), 120, "side by side")
        seen = team.wait("deployment", "web", lambda o: contender(o, "m-3").get("share", 0) >= 50, 180, "leaning")
        now = team.wait("deployment", "web", lambda o: sum(divided(o).get("counts", [])) >= 300, 90, "counting")
    shares = {one["version"]: one["share"] for one in seen["status"]["experiment"]["contenders"]}
    assert sum(shares.values()) == 100
    assert min(shares.values()) >= 5
    assert shares["m-1"] >= 20, "all candidates together have at most 80 %"
    assert not divided(now).get("wrong"), divided(now)
    assert not lost(load), lost(load)[:5]


@pytest.mark.parametrize("gateway", ["public", pytest.param("traefik", marks=pytest.mark.soak)])
def test_by_grpc_requests_are_divided_and_a_version_that_fails_leaves(team: Team, gateway: str) -> None:
    answered = 'model_infer_request_success_total{namespace="{{namespace}}",version="{{version}}"}'
    experiment: Json = {
        "versions": ["n-2", "n-3"], "share": "60%", "sticky": {"for": "0s"}, "requests": 100_000,
        "reward": {"total": answered, "successes": answered},
    }  # fmt: skip
    for number, answer in enumerate((1.0, None, 3.0), 1):
        make_sklearn_version(team, f"n-{number}", answer)
    model: Json = {"version": "n-1"}
    host = deploy_grpc(team, gateway, model=model)
    team.wait("deployment", "web", is_live("n-1"), 240, "live with n-1")
    with grpc_traffic(team, gateway, host, 50) as seen:
        deploy_grpc(team, gateway, model=model, experiment=experiment)
        team.wait("deployment", "web", in_phase("Running"), 240, "side by side")
        team.wait("deployment", "web", lambda o: contender(o, "n-2")["state"] == "Out", 120, "without n-2")
        got = seen.answers[3.0]
        team.wait("deployment", "web", lambda _: seen.answers[3.0] > got + 100, 60, "answering")
        now = team.get("deployment", "web") or {}
    found = now["status"]["experiment"]
    assert (found["phase"], contender(now, "n-3")["state"]) == ("Running", "In")
    assert seen.answers[1.0] > 0
    assert set(seen.failures) == {"INTERNAL"}, seen.failures
