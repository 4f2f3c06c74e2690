"""Three clocks, each with its own limit; and what another attempt gets after one that ran out of memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pipeline.courses import Course
from tests.unit.plan.littleworld import stopped

from fairlead.api.pipeline import Retry
from fairlead.plan.core import JOB, POD, Json, rfc3339
from fairlead.plan.pipeline import memory, run

LIMITS: Json = {"queueTimeout": "1h", "startTimeout": "10m", "timeout": "2h"}


class Timed(Course):
    """A step with three limits, and its pod."""

    def __init__(self, **step: Any) -> None:
        super().__init__({"name": "a"} | LIMITS | step, {"name": "end", "when": "always"})
        self.look()

    def pod(self, stage: str) -> None:
        """Its pod is in a stage since now."""
        job, at = self.job("a"), rfc3339(self.world.now)
        placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}
        state = {"running": {"startedAt": at}} if stage == "Running" else {"waiting": {"reason": "PodInitializing"}}
        pod = self.world.pod(
            job, "Running" if stage == "Running" else "Pending", conditions=[placed],
            initContainerStatuses=[{"name": "step", "state": state}],
        )  # fmt: skip
        if stage == "Queued":
            del pod["spec"]["nodeName"]

    def after(self, seconds: float) -> Json:
        """The step's status some time later."""
        self.world.now += seconds
        self.look()
        return self.step("a")


@pytest.mark.parametrize(("stage", "limit", "reason", "counted"), [
    ("Queued", 3600, "QueueTimeout", (0, 0)),
    ("Starting", 600, "StartTimeout", (0, 1)),
    ("Running", 7200, "DeadlineExceeded", (1, 0)),
])  # fmt: skip
def test_each_clock_has_its_limit(stage: str, limit: float, reason: str, counted: tuple[int, int]) -> None:
    """A queue's ends the step, a start's is the cluster's fault, the program's own spends `retry`."""
    found = Timed(retry={"limit": 3, "backoff": "1m"})
    found.pod(stage)
    found.look()
    assert found.step("a")["stage"] == stage
    assert found.world.plan(run.SPEC, "p-1").requeue_after == pytest.approx(limit)
    assert found.after(limit - 0.1)["reason"] != reason
    found.after(0.1)
    ended = found.after(4 if stage == "Running" else 0)  # the log of a program that ran is waited for a little
    assert (ended["reason"], ended.get("failures"), ended.get("disruptions")) == (reason, *counted)
    assert ended["phase"] == ("Failed" if stage == "Queued" else "Pending")
    assert found.live() == (["end"] if stage == "Queued" else []), "its Job is gone"
    assert f"{reason[:5].lower()}" in ended["message"].lower() or stage == "Running"


def test_no_clock_eats_into_another() -> None:
    found = Timed()
    found.pod("Queued")
    assert found.after(3590)["stage"] == "Queued"
    found.pod("Starting")
    assert found.after(590)["stage"] == "Starting"
    found.pod("Running")
    assert (found.after(7190)["stage"], found.step("a")["phase"]) == ("Running", "Running")
    found.succeed("a")
    found.look()
    assert (found.step("a")["phase"], found.step("a")["ran"]) == ("Completed", 7190)


def test_without_a_queue_timeout_it_waits_as_long_as_it_takes() -> None:
    found = Course({"name": "a"})
    found.look()
    found.world.now += 86400 * 30
    found.look()
    assert (found.step("a")["phase"], found.live()) == ("Pending", ["a"])


def test_a_pod_that_is_moved_stops_the_third_clock_and_starts_the_first() -> None:
    """As a queue does that suspends the Job: the pod is gone, and comes back."""
    found = Timed()
    found.pod("Running")
    found.look()
    found.after(3600)
    name = f"{found.job('a')['metadata']['name']}-x"
    found.world.remove(POD, name)
    found.look()
    assert (found.step("a")["stage"], found.step("a")["ran"]) == ("Queued", 3600)
    assert found.after(3599)["phase"] != "Failed", "it waits, and that costs no time of its program"
    found.pod("Running")
    found.look()
    assert found.after(3599)["stage"] == "Running"
    assert found.after(1)["reason"] == "DeadlineExceeded"


def test_the_time_in_which_outputs_are_stored_is_not_the_programs() -> None:
    found = Timed()
    found.pod("Running")
    found.look()
    running = {"name": "publish", "state": {"running": {}}}
    found.world.pod(found.job("a"), "Running", initContainerStatuses=[stopped("step")], containerStatuses=[running])
    assert found.after(90000)["phase"] == "Running"
    deadline = found.job("a")["spec"]["template"]["spec"]["activeDeadlineSeconds"]
    assert deadline == 7200 + 2 * 600, "the node ends it, if nobody else does"


def test_another_attempt_begins_only_when_nothing_of_the_late_one_is_left() -> None:
    found = Timed(retry={"limit": 1, "backoff": "1s"})
    found.pod("Running")
    found.look()
    job = found.job("a")
    pod = found.world.get(POD, f"{job['metadata']['name']}-x")
    assert pod is not None
    found.world.now += 7200
    found.world.look(run.SPEC, "p-1")
    found.world.now += 4  # its log is waited for a little
    plan = found.world.look(run.SPEC, "p-1")
    assert [gone.name for gone in plan.delete] == [job["metadata"]["name"]]
    found.world.objects[("Pod", pod["metadata"]["name"])] = pod  # its node does not answer
    for _ in range(3):
        found.look()
        found.world.now += 3600
    assert (found.step("a")["attempt"], found.step("a").get("failures")) == (1, 0)
    found.world.remove(POD, pod["metadata"]["name"])
    found.look()
    found.world.now += 2
    found.look()
    assert (found.step("a")["attempt"], found.step("a")["failures"]) == (2, 1)


def test_an_answer_that_comes_while_it_is_stopped_counts() -> None:
    found = Timed()
    found.pod("Running")
    found.look()
    job = found.job("a")
    found.world.now += 7200
    found.world.look(run.SPEC, "p-1")
    found.world.objects[("Job", job["metadata"]["name"])] = job
    found.succeed("a")
    found.look()
    assert found.step("a")["phase"] == "Completed"


def test_a_run_that_is_cancelled_while_it_is_stopped_ends() -> None:
    found = Timed()
    found.pod("Running")
    found.look()
    found.world.now += 7200
    found.ask(cancel="now")
    assert (found.look()["phase"], found.step("a")["reason"]) == ("Aborted", "Cancelled")


# --- memory ----------------------------------------------------------------------------------------------------------


def oom(found: Course) -> Json:
    """Its program runs out of memory; the step after that, and after its pause."""
    found.fail("a", 137, reason="OOMKilled")
    found.look()
    found.world.now += 3601
    found.look()
    return found.step("a")


def asked(found: Course) -> str:
    """What the live attempt may use."""
    step = found.job("a")["spec"]["template"]["spec"]["initContainers"][-1]
    assert step["resources"]["limits"]["memory"] == step["resources"]["requests"]["memory"]
    return str(step["resources"]["limits"]["memory"])


def test_an_attempt_after_one_that_ran_out_of_memory_gets_twice_as_much_up_to_the_limit() -> None:
    step = {"name": "a", "resources": {"memory": "3Gi"}, "retry": {"limit": 5, "backoff": "1s", "memory": "8Gi"}}
    found = Course(step)
    found.look()
    assert (asked(found), found.step("a")["memory"]) == ("3Gi", "")
    assert (oom(found)["memory"], asked(found)) == ("6Gi", "6Gi")
    assert (oom(found)["memory"], asked(found)) == ("8Gi", "8Gi")
    ended = oom(found)
    assert (ended["phase"], ended["reason"], ended["failures"]) == ("Failed", "OutOfMemory", 2)
    assert "it had all of it" in ended["message"]
    assert len(found.world.select(JOB)) == 3


def test_other_failures_get_no_more_and_keep_what_they_have() -> None:
    step = {"name": "a", "resources": {"memory": "1Gi"}, "retry": {"limit": 5, "backoff": "1s", "memory": "8Gi"}}
    found = Course(step)
    found.look()
    found.fail("a")
    found.look()
    found.world.now += 2
    found.look()
    assert asked(found) == "1Gi"
    oom(found)
    found.fail("a")
    found.look()
    found.world.now += 60
    found.look()
    assert (asked(found), found.step("a")["failures"]) == ("2Gi", 3)


def test_without_retry_memory_another_attempt_gets_the_same() -> None:
    found = Course({"name": "a", "resources": {"memory": "1Gi"}, "retry": {"limit": 1, "backoff": "1s"}})
    found.look()
    assert (oom(found)["attempt"], asked(found), found.step("a")["memory"]) == (2, "1Gi", "")


@pytest.mark.parametrize(("code", "phase"), [(2, "Failed"), (3, "Pending")])
def test_exit_codes_after_which_another_attempt_cannot_help(code: int, phase: str) -> None:
    found = Course({"name": "a", "retry": {"limit": 5, "notOn": [2, 64]}})
    found.look()
    found.fail("a", code)
    found.look()
    assert found.step("a")["phase"] == phase


@given(st.integers(1, 10**15), st.sampled_from(["", "k", "Ki", "M", "Mi", "G", "Gi", "m"]))
def test_what_is_written_is_as_much(number: int, unit: str) -> None:
    size = memory.size(f"{number}{unit}")
    assert memory.size(memory.written(size)) == size
    has, most = f"{number}{unit}", memory.written(3 * size)
    second = memory.more(Retry(limit=9, memory=most), has)
    assert second is not None
    assert memory.size(second) == 2 * size
    assert memory.more(Retry(limit=9, memory=most), second) == most
    assert memory.more(Retry(limit=9, memory=most), most) is None


def test_what_is_no_quantity_is_said() -> None:
    with pytest.raises(ValueError, match="write for example 512Mi"):
        memory.size("8 GB")
