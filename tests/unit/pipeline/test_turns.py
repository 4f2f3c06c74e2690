"""Runs that may not run beside each other: Queue and Replace, with kills, deletions, two operators and old views."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.pipeline.courses import Course
from tests.unit.plan.littleworld import Crash

from fairlead.plan.core import DATASET, JOB, PIPELINE, PIPELINE_RUN, Json, Plan
from fairlead.plan.pipeline import plan, run, runs

TERMINAL = ("Completed", "Failed", "Aborted")


class Queue(Course):
    """A pipeline of one step (and one that comes after it), and as many runs as are made."""

    def __init__(self, concurrency: str, **spec: Any) -> None:
        steps: list[Json] = [{"name": "a"}, {"name": "end", "when": "always"}]
        super().__init__(*steps, concurrency=concurrency, **spec)
        self.world.remove(PIPELINE_RUN, "p-1")
        self.number = 0

    def make(self, **spec: Any) -> str:
        """Another run, by hand."""
        self.number += 1
        name = f"hand-{self.number}"
        self.world.put({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "p"} | spec})
        self.world.now += 1
        return name

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in sorted(self.world.select(PIPELINE_RUN), key=runs.made)]

    def settle(self) -> None:
        """Look at everything until nothing is written."""
        for _ in range(30):
            before = self.world.writes
            self.world.look(plan.SPEC, "p")
            for name in self.names():
                self.world.look(run.SPEC, name)
            if self.world.writes == before:
                return
        raise AssertionError("it does not settle")

    def stop(self) -> Json:
        """The same, when what was running has been stopped: its log is waited for a little."""
        self.settle()
        self.world.now += 4
        self.settle()
        return {}

    def phase(self, name: str) -> str:
        return str((self.world.status(PIPELINE_RUN, name) or {}).get("phase", ""))

    def running(self) -> list[str]:
        return [name for name in self.names() if self.phase(name) == "Running"]

    def end(self, name: str, good: bool = True) -> None:
        """All that a run has running ends, until it has ended."""
        for _ in range(9):
            self.settle()
            mine = [j for j in self._live() if j["metadata"]["labels"]["fairlead.dev/run"] == name]
            if not mine:
                return
            for job in mine:
                step = job["metadata"]["labels"]["fairlead.dev/step"]
                (self.succeed if good else self.fail)(step)

    @property
    def pipeline(self) -> Json:
        return self.world.status(PIPELINE, "p")


def test_runs_by_hand_wait_their_turn_in_the_order_in_which_they_were_made() -> None:
    found = Queue("Queue")
    names = [found.make() for _ in range(8)]
    found.settle()
    assert (found.running(), found.pipeline["turn"]["run"]) == (names[:1], names[0])
    assert (found.pipeline["queue"], found.pipeline["queued"]) == (names[1:6], 7)
    second, last = (found.world.status(PIPELINE_RUN, name) for name in (names[1], names[7]))
    assert second["message"] == "waits its turn: number 1 in the queue, behind run hand-1"
    assert last["message"] == "waits its turn: more than 5 runs are before it, behind run hand-1"
    assert {c["type"]: c["reason"] for c in second["conditions"]}["Reconciling"] == "Queued"
    for index, name in enumerate(names):
        assert found.running() == [name]
        found.end(name, good=index % 2 == 0)
    assert [found.phase(name) for name in names] == ["Completed", "Failed"] * 4
    found.settle()
    assert "turn" not in found.pipeline
    assert (found.pipeline["queue"], found.pipeline["queued"]) == ([], 0)


def test_runs_of_one_second_come_by_their_number() -> None:
    names = ["p-10", "p-9", "p-100"]
    raw = [{"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}} for name in names]
    assert [one["metadata"]["name"] for one in sorted(raw, key=runs.made)] == ["p-9", "p-10", "p-100"]


def test_one_that_is_suspended_lets_others_pass_and_one_that_is_cancelled_ends() -> None:
    found = Queue("Queue")
    first, second, third = found.make(suspend=True), found.make(cancel="finally"), found.make()
    found.settle()
    assert (found.phase(first), found.phase(second), found.running()) == ("Pending", "Aborted", [third])
    found.world.objects[("PipelineRun", first)]["spec"]["suspend"] = False
    found.settle()
    assert found.running() == [third]
    found.end(third)
    assert found.running() == [first]


def test_a_deleted_run_has_its_turn_until_its_pods_are_gone() -> None:
    found = Queue("Queue")
    first, second = found.make(), found.make()
    found.settle()
    job = found._live()[0]
    gone = found.world.objects.pop(("PipelineRun", first))  # what it owned goes a little later
    found.world.now += 3600
    found.settle()
    assert found.running() == []
    assert found.world.plan(plan.SPEC, "p").requeue_after is not None
    found.world.remove(JOB, job["metadata"]["name"])
    found.settle()
    assert (found.running(), gone["metadata"]["name"]) == ([second], first)


def test_one_that_cannot_be_seen_yet_keeps_its_turn() -> None:
    """The other operator's news of it may be late."""
    found = Queue("Queue")
    first, second = found.make(), found.make()
    found.world.look(plan.SPEC, "p")
    hidden = found.world.objects.pop(("PipelineRun", first))
    found.settle()
    assert (found.pipeline["turn"]["run"], found.running()) == (first, [])
    found.world.objects[("PipelineRun", first)] = hidden
    found.settle()
    assert (found.running(), found.phase(second)) == ([first], "Pending")


@pytest.mark.parametrize("before", ["Allow", "Forbid"])
def test_a_pipeline_that_is_changed_to_queue_waits_for_what_runs(before: str) -> None:
    found = Queue(before)
    first, second = found.make(), found.make()
    found.settle()
    assert found.running() == [first, second]
    found.world.objects[("Pipeline", "p")]["spec"]["concurrency"] = "Queue"
    third = found.make()
    found.settle()
    assert found.phase(third) == "Pending"
    for name in (first, second):
        found.end(name)
    assert found.running() == [third]
    fourth = found.make()
    found.world.objects[("Pipeline", "p")]["spec"]["concurrency"] = before
    found.settle()
    assert found.running() == [third, fourth]
    assert "turn" not in found.pipeline


def test_a_new_run_replaces_the_one_before_it_with_its_last_steps() -> None:
    found = Queue("Replace")
    first = found.make()
    found.settle()
    found.runs("a")
    second = found.make()
    found.stop()
    status = found.world.status(PIPELINE_RUN, first)
    assert (status["replacedBy"], found.live(), found.phase(second)) == (second, ["end"], "Pending")
    found.succeed("end")
    found.settle()
    assert (found.phase(first), found.running()) == ("Aborted", [second])
    assert found.world.status(PIPELINE_RUN, first)["message"].endswith(f"run {second} takes its place")
    found.end(second)
    assert found.phase(second) == "Completed"


def test_of_several_new_runs_only_the_newest_starts() -> None:
    found = Queue("Replace")
    first = found.make()
    found.settle()
    found.runs("a")
    second, third, fourth = found.make(), found.make(), found.make(suspend=True)
    found.settle()
    assert [found.phase(name) for name in (second, third, fourth)] == ["Aborted", "Pending", "Pending"]
    assert "run hand-3, which is newer, takes its place" in found.world.status(PIPELINE_RUN, second)["message"]
    found.end(first)
    assert found.running() == [third], "one that is suspended replaces nothing"


def test_a_run_that_replaces_is_gone_and_the_other_is_cancelled_all_the_same() -> None:
    """What was begun is brought to its end: a cancel can't be taken back."""
    found = Queue("Replace")
    first = found.make()
    found.settle()
    found.runs("a")
    second = found.make()
    found.settle()
    found.world.remove(PIPELINE_RUN, second)
    found.end(first)
    assert found.phase(first) == "Aborted"


# --- triggers --------------------------------------------------------------------------------------------------------


def dataset(found: Queue, version: str) -> None:
    """The Dataset has a new version."""
    one = {"version": version, "digest": version * 8, "manifest": "s3://store/m.json", "at": "2026-01-01T00:00:00Z"}
    spec = {"source": {"s3": {"bucket": "bucket"}}, "format": "parquet"}
    found.world.put({
        "kind": "Dataset", "metadata": {"name": "d"}, "spec": spec,
        "status": {"current": one, "versions": [one]},
    })  # fmt: skip


def triggered(concurrency: str) -> Queue:
    found = Queue(concurrency, triggers=[{"dataset": {"name": "d"}}])
    body = found.world.objects[("Pipeline", "p")]["spec"]
    body["steps"][0]["inputs"] = {"d": {"dataset": "d"}}
    dataset(found, "v1")
    found.settle()
    return found


def pinned(found: Queue, name: str) -> list[str]:
    return [one["version"] for one in found.world.status(PIPELINE_RUN, name).get("datasets", [])]


def test_triggers_have_one_queued_run_that_reads_the_data_of_its_start() -> None:
    found = triggered("Queue")
    assert (found.running(), pinned(found, "p-1")) == (["p-1"], ["v1"])
    for version in ("v2", "v3", "v4"):
        dataset(found, version)
        found.settle()
    assert found.names() == ["p-1", "p-2"]
    assert [one["because"] for one in found.pipeline["decisions"]] == ["RunQueued", "", ""], "one no is one decision"
    found.end("p-1")
    assert (found.running(), pinned(found, "p-2")) == (["p-2"], ["v4"])
    found.settle()
    assert found.names() == ["p-1", "p-2"], "v4 is not read twice"
    assert (found.pipeline["handled"], found.pipeline["decisions"][0]["run"]) == ({"dataset/d": "v4"}, "p-2")
    dataset(found, "v5")
    found.settle()
    assert found.names() == ["p-1", "p-2", "p-3"], "and what comes after its start is read by the next one"


def test_a_trigger_replaces_its_own_run() -> None:
    found = triggered("Replace")
    found.runs("a")
    dataset(found, "v2")
    found.stop()
    assert found.live() == ["end"]
    found.succeed("end")
    found.settle()
    assert (found.phase("p-1"), found.running(), pinned(found, "p-2")) == ("Aborted", ["p-2"], ["v2"])


def test_forbid_is_as_it_was() -> None:
    found = triggered("Forbid")
    dataset(found, "v2")
    found.settle()
    assert (found.names(), found.pipeline["decisions"][0]["because"]) == (["p-1"], "RunActive")
    assert found.world.get(DATASET, "d") is not None


# --- whatever happens ----------------------------------------------------------------------------------------------


class Turns(RuleBasedStateMachine):
    """Runs by hand under kills, deletions and two operators, the second of which has an old view of everything."""

    concurrency = "Queue"

    def __init__(self) -> None:
        super().__init__()
        self.found = Queue(self.concurrency)
        self.old: dict[tuple[str, str], Json] = {}

    @rule()
    def make(self) -> None:
        if len(self.found.names()) < 6:
            self.found.make()

    @rule(data=st.data(), crash=st.sampled_from([None, None, 0, 1, 2]))
    def look(self, data: Any, crash: int | None) -> None:
        names = self.found.names()
        which = data.draw(st.sampled_from(["", *names]))
        try:
            self.found.world.look(run.SPEC if which else plan.SPEC, which or "p", crash)
        except Crash:
            return

    @rule()
    def see(self) -> None:
        """The second operator sees all as it is now."""
        self.old = copy.deepcopy(self.found.world.objects)

    @rule(data=st.data())
    def look_late(self, data: Any) -> None:
        """It plans by its old view; the API server takes its write of an object only if that is as it was seen."""
        names = [name for kind, name in self.old if kind == "PipelineRun"]
        which = data.draw(st.sampled_from(["", *names])) if self.old else ""
        key = ("PipelineRun", which) if which else ("Pipeline", "p")
        world, now = self.found.world, self.found.world.objects
        if key not in self.old or key not in now or now[key] != self.old[key]:
            return
        world.objects = copy.deepcopy(self.old)
        try:
            late = world.plan(run.SPEC if which else plan.SPEC, which or "p")
        finally:
            world.objects = now
        self.write(key, late)

    def write(self, key: tuple[str, str], late: Plan) -> None:
        world = self.found.world
        status = late.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        world._write(world.objects[key], "status", status)
        for obj in late.create:
            if (obj["kind"], obj["metadata"]["name"]) not in world.objects:
                world._write(world.objects[key], "create", obj)

    @rule(data=st.data(), good=st.booleans())
    def program_ends(self, data: Any, good: bool) -> None:
        if live := self.found.live():
            step = data.draw(st.sampled_from(live))
            (self.found.succeed if good else self.found.fail)(step)

    @rule(data=st.data(), really=st.integers(0, 5))
    def run_is_deleted(self, data: Any, really: int) -> None:
        if really == 0 and (names := self.found.names()):
            self.found.world.remove(PIPELINE_RUN, data.draw(st.sampled_from(names)))

    @rule(seconds=st.sampled_from([1.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.found.world.now += seconds

    @invariant()
    def one_at_a_time(self) -> None:
        started = [one["metadata"]["name"] for one in self.found.world.select(PIPELINE_RUN)
                   if one.get("status", {}).get("template") and one["status"]["phase"] not in TERMINAL]  # fmt: skip
        assert len(started) <= 1, started

    def teardown(self) -> None:
        for _ in range(40):
            self.found.settle()
            for step in self.found.live():
                self.found.succeed(step)
            self.one_at_a_time()
            self.found.world.now += 31
        assert all(self.found.phase(name) in TERMINAL for name in self.found.names()), "each gets its turn"


class Replacing(Turns):
    """The same, where new ones replace."""

    concurrency = "Replace"


FEW = settings(max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestTurns = Turns.TestCase
TestTurns.settings = FEW
TestReplacing = Replacing.TestCase
TestReplacing.settings = FEW
