"""What the bench of pipelines hears, how its pods end, and what it makes of the times."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hack.bench import argoworkflows, heard, pipelines, simulated
from hack.bench.heard import BETWEEN, FIRST, LAST, Heard

from fairlead.api import answers
from fairlead.api.tasks import Place, PublishItem, PublishTask
from fairlead.manifests import pod as pods
from fairlead.manifests.limits import Limits

Json = dict[str, Any]
TASK = PublishTask(
    store=Place(bucket="b", prefix="team/p/r/s0", endpoint="http://127.0.0.1:1"), attempt=2, outputs=list[PublishItem]()
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second later."""
    monkeypatch.setattr(heard.time, "monotonic", count(1.0).__next__)


def publishing(task: PublishTask = TASK) -> Json:
    """Fairlead's own container, as the operator makes it."""
    return pods.worker("publish", "worker:1", "publish", task, limits=Limits("1Gi", "1Gi"))


def test_a_step_ends_with_the_answer_that_the_operator_reads() -> None:
    found = simulated.answer_of(publishing())
    assert found is not None
    key, body, digest = found
    assert key == f"team/p/r/s0/answers/{digest}.json" == answers.key("publish", TASK.store.prefix, digest)
    read = answers.parsed("publish", body.decode(), digest, TASK.store)
    assert read.task == answers.task_digest(TASK)
    assert read.result.publish is not None
    assert (read.result.publish.attempt, read.result.publish.outputs) == (2, [])


def test_an_answer_names_its_own_task_also_where_that_has_dollars() -> None:
    task = TASK.model_copy(update={"logged": "/fairlead/$(HOME)/$$"})
    found = simulated.answer_of(publishing(task))
    assert found is not None
    assert json.loads(found[1])["task"] == answers.task_digest(task)


@pytest.mark.parametrize("container", [{"name": "main", "image": "i"}, {"name": "publish", "image": "i", "env": []}])
def test_others_containers_leave_nothing(container: Json) -> None:
    assert simulated.answer_of(container) is None


def test_all_containers_of_a_pod_have_succeeded() -> None:
    spec = {"initContainers": [{"name": "step", "image": "i"}], "containers": [{"name": "publish", "image": "w"}]}
    status = simulated.succeeded({"spec": spec}, {"publish": "said"}, "2026-01-01T00:00:00Z")
    assert status["phase"] == "Succeeded"
    step, publish = status["initContainerStatuses"][0], status["containerStatuses"][0]
    assert step["state"]["terminated"]["exitCode"] == publish["state"]["terminated"]["exitCode"] == 0
    assert "message" not in step["state"]["terminated"]
    assert publish["state"]["terminated"]["message"] == "said"


def test_counters_are_summed_by_their_whole_name() -> None:
    text = 'a_total{verb="GET"} 3\na_total{verb="WATCH"} 5\na_total_other{verb="GET"} 7\n# a_total\na_total 1.5e1\n'
    assert simulated.counted(text, "a_total") == 23
    assert simulated.counted(text, "a_total", without='verb="WATCH"') == 18
    assert simulated.counted("", "a_total") == 0


def meta(name: str, labels: Json | None = None, **more: Any) -> Json:
    """Metadata in the namespace n."""
    return {"metadata": {"name": name, "namespace": "n", "labels": labels or {}, **more}}


def pod(labels: Json, phase: str, **annotations: str) -> Json:
    """A pod."""
    return {**meta("pod", labels, annotations=annotations), "status": {"phase": phase}}


@pytest.mark.usefixtures("clock")
def test_fairleads_delays_go_from_pods_to_jobs() -> None:
    found, run = Heard(), meta("r")
    found.run("ADDED", run)  # 1
    for step in ("s0", "s1"):
        labels = {"fairlead.dev/run": "r", "fairlead.dev/step": step}
        found.job("ADDED", meta(f"r-{step}", labels))  # 2, 5
        found.job("MODIFIED", meta(f"r-{step}", labels))  # no time is taken
        found.pod("ADDED", pod(labels, "Pending"))
        found.pod("MODIFIED", pod(labels, "Succeeded"))  # 3, 6
        found.pod("MODIFIED", pod(labels, "Succeeded"))  # 4, 7: the first time counts
    assert not found.over
    found.run("MODIFIED", {**run, "status": {"phase": "Completed"}})  # 8
    found.run("MODIFIED", {**run, "status": {"phase": "Completed"}})
    assert found.delays(("n", "r"), 2) == {FIRST: [1.0], BETWEEN: [2.0], LAST: [2.0]}
    assert found.done == {"n": 1}
    assert found.wrong == []


@pytest.mark.usefixtures("clock")
def test_argos_delays_go_from_pods_to_pods() -> None:
    found, flow = Heard(), meta("w")
    found.workflow("ADDED", flow)  # 1
    for step in (0, 1):
        of = pod({argoworkflows.LABEL: "w"}, "Pending", **{argoworkflows.NODE_NAME: f"w[{step}].s{step}"})
        found.pod("ADDED", of)  # 2, 4
        found.pod("MODIFIED", {**of, "status": {"phase": "Succeeded"}})  # 3, 5
    found.workflow("MODIFIED", {**flow, "status": {"phase": "Succeeded"}})  # 6
    assert found.delays(("n", "w"), 2) == {FIRST: [1.0], BETWEEN: [1.0], LAST: [1.0]}


@pytest.mark.usefixtures("clock")
def test_a_plain_job_is_over_when_it_says_so() -> None:
    found, job = Heard(), meta("j")
    found.job("ADDED", job)  # 1
    found.pod("MODIFIED", pod({"batch.kubernetes.io/job-name": "j"}, "Succeeded"))  # 2
    met = {"type": "SuccessCriteriaMet", "status": "True"}
    found.job("MODIFIED", {**job, "status": {"conditions": [met]}})
    assert not found.over
    found.job("MODIFIED", {**job, "status": {"conditions": [met, {"type": "Complete", "status": "True"}]}})  # 3
    assert found.delays(("n", "j"), 1) == {LAST: [1.0]}


def test_a_run_that_does_not_succeed_is_named() -> None:
    found = Heard()
    found.run("ADDED", {**meta("r"), "status": {"phase": "Failed"}})
    found.workflow("MODIFIED", {**meta("w"), "status": {"phase": "Error"}})
    found.job("MODIFIED", {**meta("j"), "status": {"conditions": [{"type": "Failed", "status": "True"}]}})
    found.pod("MODIFIED", pod({}, "Succeeded"))  # nobody's
    assert found.wrong == ["n/r: Failed", "n/w: Error", "n/j: Failed"]
    assert found.ended == {}


def test_a_workflows_only_step_is_its_first() -> None:
    assert argoworkflows.step_of(pod({argoworkflows.LABEL: "w"}, "", **{argoworkflows.NODE_NAME: "w"})) == ("w", 0)
    one, many = (argoworkflows.workflow("w", "n", steps)["spec"] for steps in (1, 3))
    assert one["entrypoint"] == "program"
    assert [step[0]["name"] for step in many["templates"][1]["steps"]] == ["s0", "s1", "s2"]


def test_argo_is_told_nothing_but_what_is_set() -> None:
    default, fast = argoworkflows.Settings(), argoworkflows.Settings(requeue="1s", qps=100)
    assert (default.flags(), default.env()) == ([], {})
    assert fast.flags() == ["--qps=100", "--burst=200"]
    assert fast.env() == {"DEFAULT_REQUEUE_TIME": "1s"}


def turn(lane: str, seconds: float, **more: float) -> Json:
    """A lane's turn of 100 runs."""
    parts = {"kwok": 1.0, "etcd": 2.0, pipelines.BENCH: 50.0}
    return {"lane": lane, "runs": 100, "seconds": seconds, "parts": parts, "asked": 1000.0, **more}


def test_a_queue_is_told_by_its_mean_and_as_a_multiple() -> None:
    led = {"cpu": 3.0, "requests": 500.0}
    found = [turn("jobs", 5.0), turn("fairlead", 9.0, peak=90.0, **led), turn("fairlead", 11.0, peak=80.0, **led)]
    jobs, ours = pipelines.queue_table(found)
    assert jobs == ["plain Jobs", 100, "5.0", "20.0", "", "30.0", "", "10.0", "", "0.50"]
    assert ours == ["Fairlead", 100, "9.0 11.0", "10.0", "30.0", "30.0", "5.0", "10.0", "90", "1.00"]


def test_delays_are_told_beside_ours() -> None:
    found = {"fairlead": {BETWEEN: [0.1, 0.2, 0.3]}, "argo-1s": {BETWEEN: [1.0]}, "jobs": {LAST: [0.1]}}
    rows = pipelines.delays_table({**found, "fairlead": {**found["fairlead"], FIRST: [1.0], LAST: [0.2]}})
    assert rows[0] == [BETWEEN, "Fairlead", 3, 0.1, 0.2, 0.3, 0.3, "1"]
    assert rows[1][-1] == "5"
    assert rows[-1] == [LAST, "plain Jobs", 1, 0.1, 0.1, 0.1, 0.1, "0.5"]


@pytest.mark.parametrize(
    ("seconds", "delays", "good"),
    [
        (9.6, [0.3] * 98 + [2.0] * 2, True),
        (9.7, [0.3], False),
        (9.0, [0.4], False),
        (9.0, [0.1] * 98 + [3.0] * 2, False),
    ],
)
def test_the_targets(seconds: float, delays: list[float], good: bool) -> None:
    found = pipelines.judged({"fairlead": {BETWEEN: delays}}, [turn("fairlead", seconds), turn("argo-1s", 900.0)])
    assert all(met for _, met in found) == good
    assert len(found) == 2


def test_without_our_own_lane_there_is_no_target() -> None:
    assert pipelines.judged({"jobs": {LAST: [1.0]}}, [turn("jobs", 1.0)]) == []
    assert pipelines.queue_table([turn("jobs", 5.0)])[0][-1] == ""
