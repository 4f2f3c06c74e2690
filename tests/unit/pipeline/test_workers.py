"""Steps with several workers: they start, fail, are counted and tried again as one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.unit.pipeline.gangs import Gang
from tests.unit.plan.littleworld import Crash
from tests.unit.plan.test_run_plan import container, task_of

from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import PipelineRun
from fairlead.plan.core import JOB, PIPELINE_RUN, Json, rfc3339
from fairlead.plan.pipeline import run
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.requests import Failed, KeepLog

EVICTED = [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]


# --- it starts -----------------------------------------------------------------------------------------------------


def test_one_job_with_a_service_of_its_own() -> None:
    found = Gang()
    job, (service,) = found.job, found.services
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Indexed", 4, 4)
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["subdomain"] == service
    kinds = [kind for kind, _ in found.world.created]
    assert kinds == ["Service", "Job"], "names are there before pods look for them"
    spec = found.world.objects["Service", service]["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    assert spec["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert spec["selector"]["fairlead.dev/attempt"] == "1"
    assert task_of(job, "publish")["workers"] == 4


def test_what_its_program_is_told() -> None:
    job = Gang(env=[{"name": "MASTER_PORT", "value": "1234"}, {"name": "A", "value": "$(FAIRLEAD_WORKER_INDEX)"}]).job
    env = container(job, "step")["env"]
    names = [one["name"] for one in env]
    assert len(names) == len(set(names))
    assert env[0]["valueFrom"]["fieldRef"]["fieldPath"].endswith("job-completion-index']")
    said = {one["name"]: one.get("value") for one in env}
    host = f"{job['metadata']['name']}-0.{job['spec']['template']['spec']['subdomain']}"
    assert said["MASTER_ADDR"] == said["PET_MASTER_ADDR"] == host
    assert (said["MASTER_PORT"], said["PET_MASTER_PORT"]) == ("1234", "29500"), "what people write counts"
    assert said["WORLD_SIZE"] == said["PET_NNODES"] == said["FAIRLEAD_WORKER_COUNT"] == "4"
    assert said["RANK"] == said["NODE_RANK"] == said["PET_NODE_RANK"] == "$(FAIRLEAD_WORKER_INDEX)"
    assert said["PET_NPROC_PER_NODE"] == "2", "one for each GPU"


def test_the_longest_names_leave_room_for_an_index() -> None:
    found = Gang(name="t" * 63)
    (job,) = found.world.select(JOB)
    assert len(f"{job['metadata']['name']}-63-abcde") <= 63


def test_it_runs_when_all_of_them_run() -> None:
    found = Gang()
    for index in (0, 1, 2):
        found.pod(index, initContainerStatuses=[found.running()])
    assert (found.look(1)["stage"], found.status["phase"]) == ("Queued", "Pending")
    found.pod(3, "Pending", node=False, conditions=[
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}])  # fmt: skip
    assert (found.look()["stage"], found.status["reason"]) == ("Queued", "Unschedulable")
    assert "worker 3: no node has room for 2 nvidia.com/gpu" in found.status["message"]
    found.pod(3, "Pending")
    assert (found.look()["stage"], found.status["phase"]) == ("Starting", "Pending")
    found.pod(3, initContainerStatuses=[found.running()])
    assert (found.look()["stage"], found.status["phase"]) == ("Running", "Running")


def test_gpus_are_not_held_for_what_gets_no_node() -> None:
    """Three wait at their nodes for the fourth: after startTimeout all go; it is the cluster's fault."""
    found = Gang()
    found.look(3600)
    for index in (0, 1, 2):
        found.pod(index, initContainerStatuses=[found.running()])
    assert found.look(599)["reason"] != "StartTimeout"
    again = found.world.plan(run.SPEC, "delay-7").requeue_after
    assert again is not None
    assert again <= 1
    found.look(1)
    assert "1 of its 4 workers had no node within startTimeout, 10m" in found.status["message"]
    assert found.jobs == 1
    assert not found.world.select(JOB), "the Job went, and with it all of them"
    found.look(10)
    assert (found.status["attempt"], found.status["disruptions"], found.status.get("failures", 0)) == (2, 1, 0)
    assert found.jobs == 2


# --- it fails --------------------------------------------------------------------------------------------------------


def evicted(found: Gang) -> None:
    """The first to fail is one that has lost its peer, which is still being ended."""
    found.fail(1, 1)
    found.pod(2, initContainerStatuses=[found.running()], conditions=EVICTED,
              meta={"deletionTimestamp": rfc3339(found.world.now + 30)})  # fmt: skip
    found.deleted(0)
    found.deleted(3)


def out_of_memory(found: Gang) -> None:
    found.fail(1, 1)
    found.fail(3, 137, reason="OOMKilled")


def wrong(found: Gang) -> None:
    found.fail(3, 7)
    found.world.now += 1
    found.fail(1, 1)
    found.deleted(0)


def by_hand(found: Gang) -> None:
    found.deleted(2, grace=0)
    found.world.now += 5
    found.deleted(0, grace=0)


@pytest.mark.parametrize(("fails", "reason", "counted", "words"), [
    (evicted, "Disrupted", (0, 1), "worker 2: the cluster ended the pod (EvictionByEvictionAPI)"),
    (out_of_memory, "OutOfMemory", (1, 0), "worker 3: container step ran out of memory"),
    (wrong, "UserError", (1, 0), "worker 3: the program ended with exit code 7"),
    (by_hand, "Disrupted", (0, 1), "worker 2: the pod was deleted"),
])  # fmt: skip
def test_whose_fault_it_is(
    fails: Callable[[Gang], None], reason: str, counted: tuple[int, int], words: str
) -> None:  # fmt: skip
    found = Gang()
    found.run()
    found.world.now += 60
    fails(found)
    seen = found.look()
    assert seen["reason"] == "WorkersStopping"
    assert words in seen["message"]
    assert "the other workers are being stopped" in seen["message"]
    found.job_is("FailureTarget")
    found.gone(0, 1, 2, 3)
    found.look(30)
    assert found.jobs == 1, "no other attempt beside one that is not over"
    found.job_is("Failed")
    seen = found.look()
    assert (seen.get("failures", 0), seen.get("disruptions", 0)) == counted
    assert "failing" not in seen
    assert (
        (seen["reason"], words in seen["message"]) == (reason, True) if seen["attempt"] == 1 else seen["attempt"] == 2
    )
    found.look(10)
    assert (found.status["attempt"], found.jobs) == (2, 2)


@pytest.mark.parametrize("first", [evicted, out_of_memory, wrong, by_hand])
def test_the_cause_is_known_though_the_operator_dies(first: Callable[[Gang], None]) -> None:
    """Killed after each write in turn: what is recorded in the end is the same."""
    told = []
    for kill in range(4):
        found = Gang(retry={"limit": 0})
        found.run()
        first(found)
        for late in (False, True):
            if late:
                found.gone(0, 1, 2, 3)
                found.job_is("Failed")
            try:
                found.world.look(run.SPEC, "delay-7", crash_after=kill if late else None)
            except Crash:
                found.look()
            found.look()
        seen = found.look(10)
        told.append((seen.get("failures", 0), seen.get("disruptions", 0)))
    assert len(set(told)) == 1, told


def test_late_news_of_the_cause_count() -> None:
    """One fails of its lost peer; that the peer was evicted is known a moment later."""
    found = Gang(retry={"limit": 0})
    found.run()
    found.fail(1, 1)
    assert "worker 1: the program ended" in found.look()["message"]
    found.fail(2, 143, conditions=EVICTED, meta={"deletionTimestamp": rfc3339(found.world.now)})
    assert "worker 2: the cluster ended" in found.look(1)["message"]
    found.gone(2)
    assert "worker 2: the cluster ended" in found.look(1)["message"], "what was seen stays"
    found.gone(0, 3)
    found.job_is("Failed")
    assert (found.look()["disruptions"], found.status.get("failures", 0)) == (1, 0)


def test_a_node_that_is_lost_is_told_and_nothing_begins_beside_it() -> None:
    found = Gang()
    found.run()
    found.fail(1, 1)
    found.deleted(3, ended=False)
    found.look()
    assert "node node-3 does not confirm" in found.look(60)["message"]
    assert found.jobs == 1


def test_more_memory_is_for_all() -> None:
    found = Gang(retry={"limit": 1, "memory": "32Gi", "backoff": "0s"})
    found.run()
    found.fail(3, 137, reason="OOMKilled")
    found.gone(0, 1, 2)
    found.job_is("Failed")
    found.look()
    found.look(5)
    assert container(found.job, "step")["resources"]["limits"]["memory"] == "16Gi"
    assert found.job["spec"]["completions"] == 4


def test_an_exit_code_after_which_nothing_helps_is_any_workers() -> None:
    found = Gang(retry={"limit": 3, "notOn": [42]})
    found.run()
    found.fail(2, 42)
    found.gone(0, 1, 3)
    found.job_is("Failed")
    assert (found.look()["phase"], found.jobs) == ("Failed", 1)
    assert "worker 2" in found.status["message"]


def test_pods_that_are_none_of_the_jobs() -> None:
    """Another index than there are, none, or the index of a pod that is there: nothing that they say counts."""
    found = Gang()
    found.run()
    for index, name in ((4, "index"), (1, "name")):
        stranger = found.pod(index)
        stranger["metadata"]["name"] = f"{found.job['metadata']['name']}-{name}"
        found.world.objects["Pod", stranger["metadata"]["name"]] = stranger
        del found.world.objects["Pod", f"{found.job['metadata']['name']}-{index}-abcde"]
    found.pod(1, initContainerStatuses=[found.running()])
    found.look()
    assert found.status["reason"] == "ForeignPod"
    assert "has no index" in found.status["message"]
    assert "with index 1 has another name" in found.status["message"]


def test_a_second_pod_of_an_index() -> None:
    found = Gang()
    found.run()
    twin = found.pod(2, initContainerStatuses=[found.running()])
    other = twin | {"metadata": twin["metadata"] | {"name": f"{found.job['metadata']['name']}-2-other", "uid": "o"}}
    found.world.objects["Pod", other["metadata"]["name"]] = other
    assert "both claim to be the only one of index 2" in found.look()["message"]


# --- it succeeds -----------------------------------------------------------------------------------------------------


def test_index_0_answers_and_the_run_ends_when_the_names_are_taken_back() -> None:
    found = Gang()
    found.run()
    for index in (1, 2, 3):
        found.succeed(index)
    assert found.look(1)["phase"] == "Running"
    found.succeed(0)
    assert found.look(1)["phase"] == "Completed"
    assert not found.services
    assert found.world.status(PIPELINE_RUN, "delay-7")["phase"] == "Completed"


def test_what_another_worker_says_is_no_answer() -> None:
    """Though it may have the words of one: index 0 alone commits."""
    found = Gang()
    found.run()
    found.succeed(0)
    pod = found.world.objects["Pod", f"{found.job['metadata']['name']}-0-abcde"]
    found.run(0)
    found.pod(1, "Succeeded", **{key: pod["status"][key] for key in ("initContainerStatuses", "containerStatuses")})
    assert found.look(1)["phase"] == "Running"


def test_others_may_end_their_work_until_timeout() -> None:
    found = Gang()
    found.run()
    found.succeed(0)
    found.succeed(1)
    assert found.look(60)["reason"] == "WorkersEnding"
    assert "worker 2, 3 has not ended" in found.status["message"]
    found.look(7138)
    assert found.status["phase"] == "Running"
    assert found.look(2)["phase"] == "Completed", "what is committed is committed"
    assert not found.services
    assert not found.world.select(JOB), "GPUs are not held for what hangs"


def test_a_failure_after_the_commit_changes_nothing() -> None:
    found = Gang()
    found.run()
    found.succeed(0)
    found.fail(2, 1)
    found.look()
    found.gone(1, 3)
    found.job_is("Failed")
    assert (found.look()["phase"], found.jobs) == ("Completed", 1)


def test_the_services_of_each_attempt_go_with_it() -> None:
    found = Gang()
    found.run()
    (first,) = found.services
    found.fail(1)
    found.gone(0, 2, 3)
    found.job_is("Failed")
    found.look()
    found.look(10)
    (second,) = found.services
    assert second != first
    del found.world.objects["Service", second]  # somebody deletes it: it is made again
    found.look()
    assert found.services == [second]


def test_cancelled_all_of_them_go() -> None:
    found = Gang()
    found.run()
    found.world.objects["PipelineRun", "delay-7"]["spec"]["cancel"] = "now"
    found.look()
    found.look(5)
    assert not found.world.select(JOB)
    assert not found.services
    assert found.world.status(PIPELINE_RUN, "delay-7")["phase"] == "Aborted"


@pytest.mark.parametrize("kill", range(6))
def test_killed_at_each_write_of_its_end(kill: int) -> None:
    found = Gang()
    found.run()
    for index in range(4):
        found.succeed(index)
    with suppress(Crash):
        found.world.look(run.SPEC, "delay-7", crash_after=kill)
    found.look()
    assert (found.jobs, found.services) == (1, [])
    assert found.world.status(PIPELINE_RUN, "delay-7")["phase"] == "Completed"


# --- what it used ----------------------------------------------------------------------------------------------------


def test_gpu_seconds_of_each_pod_on_its_node() -> None:
    found = Gang()
    found.look(100)
    found.run(0)
    found.look(10)
    found.run(1, 2, 3)
    assert found.status["gpu"]["count"] == "8"
    assert found.status.get("gpuSeconds", 0) == 2 * 10
    written = found.world.writes
    found.look(3600)
    assert found.world.writes == written, "an hour more is no news"
    for index in range(4):
        found.succeed(index)
    found.look()
    assert found.status["gpuSeconds"] == 2 * (10 + 4 * 3600)
    assert "gpu" not in found.status


def test_pods_that_end_earlier_or_vanish_are_not_counted_further() -> None:
    found = Gang()
    found.run()
    found.look(100)
    found.succeed(1)
    found.pod(1, "Succeeded", containerStatuses=[
        {"name": "publish", "state": {"terminated": {"exitCode": 0, "finishedAt": rfc3339(found.world.now)}}}
    ])  # fmt: skip
    found.look()
    assert (found.status["gpuSeconds"], found.status["gpu"]["count"]) == (2 * 4 * 100, "6")
    found.look(50)
    found.gone(2)
    found.look()
    assert (found.status["gpuSeconds"], found.status["gpu"]["count"]) == (2 * (400 + 150), "4")


# --- logs ------------------------------------------------------------------------------------------------------------


def logs(found: Gang) -> list[tuple[str, str, int]]:
    """(end of the key, pod, limit) of logs that are asked for."""
    subject = found.world.subject(run.SPEC, "delay-7")
    asked = [one for one in run.SPEC.observe(subject, found.world, found.world.now) if isinstance(one, KeepLog)]
    return sorted((one.key.rpartition("/")[2], one.pod[-7:], one.limit) for one in asked)


def test_each_log_is_kept() -> None:
    found = Gang()
    found.run()
    found.world.logs = Failed("Underway", "")
    for index in range(4):
        found.succeed(index)
    found.look()
    assert logs(found) == [
        ("log-1.txt", "1-abcde", 256 << 10), ("log-2.txt", "2-abcde", 256 << 10), ("log-3.txt", "3-abcde", 256 << 10),
        ("log.txt", "0-abcde", 1 << 20),
    ]  # fmt: skip
    raw = found.world.objects["PipelineRun", "delay-7"]
    assert not run.settled(raw), "the run is over, and its logs are not"
    del found.world.logs
    found.look(1)
    assert (found.status["log"]["uri"][-8:], found.status["log"]["kept"]) == ("/log.txt", [1, 2, 3])
    assert not logs(found)
    assert run.settled(raw)


def test_logs_that_are_lost_are_waited_for_no_longer_than_one() -> None:
    found = Gang()
    found.run()
    found.world.logs = Failed("LogUnreadable", "the node is away")
    for index in range(4):
        found.succeed(index)
    found.look()
    found.look(91)
    assert not logs(found)
    assert found.status["log"]["problem"] == "the node is away"
    assert not found.status["log"].get("kept")


def test_the_log_of_the_one_that_failed_is_kept_though_the_first_is_gone() -> None:
    found = Gang(retry={"limit": 0})
    found.run()
    found.fail(3)
    found.gone(0)
    found.look()
    found.gone(1, 2)
    found.job_is("Failed")
    found.look(5)
    assert found.status["phase"] == "Failed"
    assert 3 in found.status["log"]["kept"]
    assert "pod was gone" in found.status["log"]["problem"]


# --- queues ----------------------------------------------------------------------------------------------------------


def test_suspended_by_a_queue_it_goes_on_as_the_same_attempt() -> None:
    found = Gang()
    found.job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "q"
    found.run()
    found.job["spec"]["suspend"] = True
    for index in range(4):
        found.deleted(index)
    found.look()
    found.gone(0, 1, 2, 3)
    seen = found.look(5)
    assert (seen["attempt"], seen["stage"], seen.get("failures", 0), seen.get("disruptions", 0)) == (1, "Queued", 0, 0)
    found.job["spec"]["suspend"] = False
    found.run()
    assert (found.status["stage"], found.jobs) == ("Running", 1)


# --- the cache -------------------------------------------------------------------------------------------------------


def test_another_count_is_another_result() -> None:
    def parts(**more: Any) -> Json:
        return dict(types.parts(Step.model_validate({"name": "train", "image": "i"} | more), None))

    assert parts(workers={"count": 2}) != parts(workers={"count": 4})
    assert "workers" not in parts()


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_status_has_what_it_needs_and_no_more() -> None:
    found = Gang()
    found.run()
    assert PipelineRun.model_validate({"spec": {"pipeline": "delay"}, "status": {"steps": [found.status]}})
    assert not ({"failing", "log"} & found.status.keys())


def other(count: int) -> Json:
    return {"completions": count, "parallelism": count}


def test_a_job_that_somebody_else_has_made_with_another_count() -> None:
    made: Any = Gang().job
    found = Gang()
    found.world.remove(JOB, made["metadata"]["name"])
    raw = found.world.objects["PipelineRun", "delay-7"]["status"]["steps"][0]
    raw["jobUid"] = ""
    made["metadata"]["ownerReferences"][0]["uid"] = found.world.objects["PipelineRun", "delay-7"]["metadata"]["uid"]
    found.world.objects["Job", made["metadata"]["name"]] = made | {"spec": made["spec"] | other(3)}
    found.look()
    assert "makes 3 pods that work together instead of 4" in str(found.status)
