"""What the cluster does to a step's pod: whose fault it is, what it costs, and that nothing runs twice."""

from __future__ import annotations

from typing import Any

from hack.testbed.cluster import Team
from hack.testbed.loop import worker_image
from kubernetes import client

Json = dict[str, Any]
PIPELINE = """
kind: Pipeline
metadata: {{name: {name}}}
spec:
  steps:
  - name: only
    image: {image}
    command: [python3, -c, "{program}"]
    secrets: {secrets}
    resources: {{cpu: 20m, memory: 64Mi}}
    timeout: {timeout}
"""
SLEEP = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(1)); time.sleep({})"
"""Ends at once when it is asked to: the first process of a container ignores signals that it does not handle."""


def start(team: Team, name: str, program: str, timeout: str = "5m", secrets: str = "[]") -> str:
    """A pipeline of one step, and a run by hand; the run's name."""
    team.apply(PIPELINE.format(name=name, image=worker_image(team), program=program, timeout=timeout, secrets=secrets))
    team.apply({"kind": "PipelineRun", "metadata": {"name": f"{name}-run"}, "spec": {"pipeline": name}})
    return f"{name}-run"


def step(obj: Json) -> Json:
    """The only step's status."""
    found: list[Json] = obj.get("status", {}).get("steps", [])
    return found[0] if found else {}


def running(team: Team, run: str) -> str:
    """Wait until the step's program runs; its Job."""
    seen = team.wait("pipelinerun", run, lambda o: step(o).get("phase") == "Running", 120, "Running")
    name: str = step(seen)["job"]
    return name


def pod_of(team: Team, job: str) -> str:
    """The name of a Job's pod."""
    name: str = team.cluster.list("pod", team.namespace, f"job-name={job}")[0]["metadata"]["name"]
    return name


def test_an_evicted_pod_is_made_again_and_spends_no_retry(team: Team) -> None:
    run = start(team, "evicted", SLEEP.format(8))
    job = running(team, run)
    name = pod_of(team, job)
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name))
    client.CoreV1Api(team.cluster.api).create_namespaced_pod_eviction(name, team.namespace, eviction)
    done = team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Completed", 180, "Completed")
    assert (step(done)["attempt"], step(done)["disruptions"], step(done)["failures"]) == (2, 1, 0)


def test_a_deleted_job_is_made_again_after_its_pod_is_gone(team: Team) -> None:
    run = start(team, "deleted", SLEEP.format(8))
    team.cluster.delete("job", running(team, run), team.namespace)
    done = team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Completed", 180, "Completed")
    assert (step(done)["attempt"], step(done)["disruptions"]) == (2, 1)


def test_out_of_memory_says_which_field_to_raise(team: Team) -> None:
    run = start(team, "hungry", "x = b'x' * 2**30")
    done = team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Failed", 120, "Failed")
    # now and then the node's runtime loses the news of the limit (containerd's issue 8893)
    ended = (step(done)["reason"], "exit code 137" in step(done)["message"])
    assert ended in (("OutOfMemory", False), ("UserError", True))
    assert "raise resources.memory" in step(done)["message"]


def test_a_step_that_runs_too_long_is_stopped(team: Team) -> None:
    run = start(team, "endless", SLEEP.format(600), timeout="5s")
    done = team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Failed", 120, "Failed")
    assert step(done)["reason"] == "DeadlineExceeded"


def test_a_missing_secret_is_named_and_heals(team: Team) -> None:
    run = start(team, "forgetful", "import os; os.listdir('/fairlead/secrets/token')", secrets="[token]")
    seen = team.wait("pipelinerun", run, lambda o: step(o).get("reason") == "NotMounted", 120, "NotMounted")
    assert "token" in step(seen)["message"]
    team.secret("token", "a", "b")
    team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Completed", 200, "Completed")


def test_cancel_stops_what_runs(team: Team) -> None:
    run = start(team, "long", SLEEP.format(600))
    running(team, run)
    team.apply({"kind": "PipelineRun", "metadata": {"name": run}, "spec": {"pipeline": "long", "cancel": "now"}})
    team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Aborted", 90, "Aborted")
    assert team.cluster.list("pod", team.namespace, f"fairlead.dev/run={run}") == []


def test_a_finished_step_is_not_run_again_when_its_job_is_deleted(team: Team) -> None:
    run = start(team, "done", "print('done')")
    done = team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Completed", 120, "Completed")
    team.cluster.delete("job", step(done)["job"], team.namespace)
    version = team.get("pipelinerun", run)
    team.apply({"kind": "PipelineRun", "metadata": {"name": "second"}, "spec": {"pipeline": "done"}})
    team.wait("pipelinerun", "second", lambda o: o.get("status", {}).get("phase") == "Completed", 120, "Completed")
    assert team.get("pipelinerun", run) == version
    assert team.cluster.list("job", team.namespace, f"fairlead.dev/run={run}") == []
