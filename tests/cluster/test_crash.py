"""Kill the operator at random moments of the whole loop: the end is the same, and nothing is done or counted twice."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from hack.bench.load import Load
from hack.bench.process import Operator, alone, configuration
from hack.testbed.cluster import Json, Team
from hack.testbed.loop import MODEL, apply_loop, feed
from hack.testbed.serving import is_live, traffic

from fairlead.api import halves
from tests.cluster.test_experiment import compare, go_live, in_phase, lost, replay

KILLS = int(os.environ.get("FAIRLEAD_CRASH_KILLS", "50"))
SEED = int(os.environ.get("FAIRLEAD_CRASH_SEED", "1"))


class Killer(threading.Thread):
    """Kills and starts the operator at random moments until told to stop; it is left running."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(daemon=True)
        self.operator, self.kills, self.done = operator, 0, threading.Event()
        self._random = random.Random(SEED)

    def run(self) -> None:
        """Lives are short and long: some end while it starts, some in the middle of a rollout."""
        self.operator.start()
        while not self.done.wait(self._random.choice((0.6, 1.0, 1.5, 2.5, 5.0)) * self._random.uniform(0.5, 1.5)):
            self.operator.kill()
            self.kills += 1
            self.operator.start()


class JobLog(threading.Thread):
    """Remembers each Job that ever was."""

    def __init__(self, team: Team) -> None:
        super().__init__(daemon=True)
        self._team, self.jobs = team, dict[str, Json]()

    def run(self) -> None:
        """Watch until the namespace goes."""
        for event in self._team.cluster.resource("job").watch(namespace=self._team.namespace):
            metadata = event["raw_object"]["metadata"]
            if "uid" in metadata:
                self.jobs[metadata["uid"]] = metadata


@pytest.fixture
def operator(team: Team) -> Iterator[Operator]:
    """An operator for this namespace alone."""
    made = Operator(configuration([team.namespace]), name="crash")
    with alone():
        yield made
        made.kill()


@pytest.fixture
def killer(operator: Operator) -> Iterator[Killer]:
    """Starts the operator, and kills it, until the test is over: also one that has failed."""
    made = Killer(operator)
    made.start()
    yield made
    made.done.set()
    made.join()


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_killed_at_random_moments(team: Team, operator: Operator, killer: Killer) -> None:
    jobs = JobLog(team)
    jobs.start()
    apply_loop(team)
    rounds = 0
    with traffic(team, 30, model=MODEL, wait=False) as load:
        while killer.kills < KILLS or rounds < 2:
            rounds += 1
            feed(team, rounds)
            team.wait("deployment", "web", is_live(f"{MODEL}-{rounds}"), 300, f"live with version {rounds}")
        killer.done.set()
        killer.join()
        assert operator.alive()
        end = team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 90, "drained")
    assert killer.kills >= KILLS
    check_runs(team, rounds)
    check_jobs(jobs.jobs)
    check_evidence(end, load)


def check_runs(team: Team, rounds: int) -> None:
    """One run for each version of the data, each completed, each step at its first attempt."""
    runs = team.cluster.list("pipelinerun", team.namespace)
    assert sorted(r["metadata"]["name"] for r in runs) == sorted(f"train-{n}" for n in range(1, rounds + 1))
    assert {r["status"]["phase"] for r in runs} == {"Completed"}
    assert {s["attempt"] for r in runs for s in r["status"]["steps"]} == {1}
    versions = team.cluster.list("modelversion", team.namespace)
    assert {v["status"]["phase"] for v in versions} == {"Approved"}
    assert len(versions) == rounds


def check_jobs(jobs: dict[str, Json]) -> None:
    """No step, check or evaluation ran as two Jobs."""
    twice = {name: n for name, n in Counter(m["name"] for m in jobs.values()).items() if n > 1}
    assert not twice
    steps = Counter(
        (m["labels"]["fairlead.dev/run"], m["labels"]["fairlead.dev/step"])
        for m in jobs.values() if "fairlead.dev/step" in m.get("labels", {})
    )  # fmt: skip
    assert steps
    assert set(steps.values()) == {1}, steps


def check_evidence(deployment: Json, load: Load) -> None:
    """No rollout counted more requests than the clients sent while it ran, and it did not miss many."""
    from fairlead.plan.core import epoch

    records = [r for r in deployment["status"]["history"] if r.get("against")]
    assert records
    for record in records:
        began, ended = epoch(record["startedAt"]), epoch(record["endedAt"])
        sent = Counter(a.version for a in load.answers if began - 2 <= a.sent <= ended + 1)
        for arm, version in (("stable", record["against"]), ("candidate", record["version"])):
            assert record[arm]["requests"] <= sent[version], (record, sent)
        assert record["candidate"]["requests"] >= 20
        assert record["result"] == "Live", record


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_experiment_killed_at_random_moments(team: Team, operator: Operator, killer: Killer) -> None:
    go_live(team, m1=0.4, m2=0.4, m3=0.05)
    with traffic(team, 100) as load:
        compare(team, "latency", then="Promote")
        team.wait("deployment", "web", in_phase("Running"), 240, "side by side")
        team.wait("deployment", "web", is_live("m-3"), 300, "live with m-3")
        killer.done.set()
        killer.join()
        assert operator.alive()
        end = team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 90, "drained")
    assert killer.kills >= 5
    assert (end["status"]["experiment"]["result"], end["status"]["experiment"]["winner"]) == ("Won", "m-3")
    sent = Counter(answer.version for answer in load.answers)
    for one in end["status"]["experiment"]["contenders"]:
        assert 0 < one["total"] <= sent[one["version"]], (one, sent)
    assert not lost(load), lost(load)[:5]
    team.wait("deployment", "web", lambda o: not halves.own(o, "unsaved"), 90, "saved")
    told = replay(team, "m-3")
    assert told["same"], told["different"]
