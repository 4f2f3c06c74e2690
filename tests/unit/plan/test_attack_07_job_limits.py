"""No Job runs for ever, or takes a node's memory or disk: each has limits, and says which field raises them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan import test_dataset_plan as datasets
from tests.unit.plan.littleworld import stopped
from tests.unit.plan.test_job_pods import Evaluations, Joins, Snapshots, Steps, User, Verifications, every, good

from fairlead.api.config import JobsConfig
from fairlead.api.limits import JobResources, size
from fairlead.manifests import limits
from fairlead.plan.core import JOB, Json
from fairlead.plan.jobs.backoff import LIMITED
from fairlead.plan.requests import Listed

OURS = ("fetch", "publish", "snapshot", "evaluate", "join", "observe", "explain")


def containers(job: Json) -> list[Json]:
    """Fairlead's own, of a Job."""
    spec = job["spec"]["template"]["spec"]
    return [one for one in [*spec.get("initContainers", []), *spec["containers"]] if one["name"] in OURS]


@every
def test_attack_07_every_job_has_a_deadline_and_every_container_of_fairleads_a_memory(make: type[User]) -> None:
    job = make().job
    assert 0 < job["spec"]["template"]["spec"]["activeDeadlineSeconds"] <= 86400 + 2 * 3600
    assert containers(job)
    for one in containers(job):
        assert one["resources"]["limits"]["memory"] == "4Gi"
        assert one["resources"]["requests"].keys() >= {"cpu", "memory"}


@pytest.mark.parametrize("make", [Snapshots, Verifications, Evaluations, Joins])
def test_attack_07_the_disk_is_limited_where_no_program_of_a_user_runs(make: type[User]) -> None:
    for one in containers(make().job):
        assert one["resources"]["limits"]["ephemeral-storage"] == "20Gi"


def end(user: User, how: str) -> None:
    """The pod comes to a limit."""
    killed = stopped(user.main, 137, reason="OOMKilled")
    status: dict[str, Json] = {
        "OutOfMemory": {"containerStatuses": [killed]}, "OutOfScratch": {"reason": "Evicted"},
        "DeadlineExceeded": {"reason": "DeadlineExceeded"},
    }  # fmt: skip

    def change(pod: Json) -> None:
        pod["status"] |= {"phase": "Failed", "containerStatuses": []} | status[how]

    user.pod(None, phase="Failed", change=change)
    user.look()


FIELDS = {
    Snapshots: "spec.{}", Verifications: "jobs.{} in the installation's values", Evaluations: "evaluation.{}",
    Joins: "jobs.{} in the installation's values",
}  # fmt: skip
HOW = {"OutOfMemory": ("memory", "resources.memory"), "OutOfScratch": ("scratch", "resources.scratch"),
       "DeadlineExceeded": ("deadline", "timeout")}  # fmt: skip


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("make", FIELDS)
def test_attack_07_who_comes_to_a_limit_says_what_to_raise(make: type[User], how: str) -> None:
    user = make()
    end(user, how)
    of_installation, of_object = HOW[how]
    field = FIELDS[make].format(of_installation if "jobs" in FIELDS[make] else of_object)
    told = "longer than its timeout" if (make, how) == (Evaluations, "DeadlineExceeded") else f"raise {field}"
    if how == "DeadlineExceeded" and make is not Evaluations:
        told = f"longer than {field} allows; raise it"
    assert how in user.says(), user.says()
    assert told in user.says(), user.says()
    assert not user.done()


def test_attack_07_publish_of_a_step_says_what_to_raise() -> None:
    user = Steps()
    end(user, "OutOfMemory")
    assert "container publish ran out of memory; raise jobs.memory in the installation's values" in user.says()


@pytest.mark.parametrize("make", [Snapshots, Joins, Verifications])
@pytest.mark.parametrize("how", HOW)
def test_attack_07_another_attempt_comes_later_and_later(make: type[User], how: str) -> None:
    user = make()
    end(user, how)
    first = user.jobs
    user.later(50)
    assert user.jobs == first
    user.later(15)
    assert user.jobs == first + 1
    end(user, how)
    user.later(350)
    assert user.jobs == first + 1
    user.later(15)
    assert user.jobs == first + 2
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


def test_attack_07_the_pause_grows_to_a_day() -> None:
    pauses = [LIMITED.after(number) for number in range(1, 200)]
    assert pauses[:4] == [60, 360, 2160, 12960]
    assert pauses == sorted(pauses)
    assert 43200 < pauses[-1] <= 86400


def test_attack_07_an_evaluation_that_comes_to_a_limit_is_given_up_at_last() -> None:
    user = Evaluations()
    for _ in range(3):
        assert not user.given_up()
        end(user, "OutOfMemory")
        user.later(400)
    assert user.given_up()
    assert "raise evaluation.resources.memory in a new version" in user.says()


@pytest.mark.parametrize("changed", [{"timeout": "2h"}, {"resources": {"memory": "8Gi"}}])
def test_attack_07_a_raised_limit_counts_at_once(changed: dict[str, Any]) -> None:
    where = datasets.world()
    first = datasets.settle(where, "a")
    where.pod(first, "Failed", reason="DeadlineExceeded")
    assert datasets.look(where)["job"]["exceeded"] == 1
    where.objects["Dataset", "rides"]["spec"] |= changed
    where.objects["Dataset", "rides"]["metadata"]["generation"] = 2
    datasets.look(where)
    (job,) = where.select(JOB)
    assert job["metadata"]["name"] != first["metadata"]["name"]
    spec = job["spec"]["template"]["spec"]
    assert spec["activeDeadlineSeconds"] == (7200 if "timeout" in changed else 3600)
    memory = spec["containers"][0]["resources"]["limits"]["memory"]
    assert memory == ("8Gi" if "resources" in changed else "4Gi")


def test_attack_07_readers_that_lack_memory_say_it_themselves() -> None:
    where = datasets.world()
    error = {"error": {"reason": "OutOfMemory", "message": "the rows can't be read; raise spec.resources"}}
    datasets.answer(where, datasets.settle(where, "a"), error, 1)
    status = datasets.look(where)
    assert datasets.condition(status, "Valid")[:2] == ("Unknown", "OutOfMemory")
    assert status["job"]["exceeded"] == 1


def test_attack_07_scratch_follows_the_data() -> None:
    where = datasets.world(checks=[{"unique": ["id"]}])
    datasets.source(where, Listed("a" * 64, 7, 100 << 30))
    datasets.look(where)
    where.now += 10
    datasets.look(where)
    found = containers(where.select(JOB)[0])[0]["resources"]
    assert found["limits"]["ephemeral-storage"] == f"{501 << 10}Mi", "five times as much, and a GiB"
    assert found["requests"]["ephemeral-storage"] == f"{100 << 10}Mi", "a node must have room for the files"


def test_attack_07_parquet_that_is_looked_at_file_by_file_asks_for_no_room() -> None:
    where = datasets.world()
    datasets.source(where, Listed("a" * 64, 7, 100 << 30))
    datasets.look(where)
    where.now += 10
    datasets.look(where)
    found = containers(where.select(JOB)[0])[0]["resources"]
    assert found["limits"]["ephemeral-storage"] == f"{501 << 10}Mi"
    assert found["requests"]["ephemeral-storage"] == "64Mi", "without a request, Kubernetes takes the limit for it"


@every
def test_attack_07_small_nodes_are_given_jobs_too(make: type[User]) -> None:
    """What is limited and not requested is requested as much as it is limited: Kubernetes' rule."""
    for one in containers(make().job):
        asked, most = one["resources"]["requests"], one["resources"]["limits"]
        needs = {name: size(asked.get(name, amount)) for name, amount in most.items()}
        assert needs["memory"] <= 256 << 20
        assert needs.get("ephemeral-storage", 0) <= 64 << 20


def test_attack_07_nobody_asks_for_more_than_the_limit() -> None:
    small = JobsConfig(memory="32Mi")
    assert limits.reading(small).resources()["requests"]["memory"] == "32Mi"
    assert limits.streaming(small).resources()["requests"]["memory"] == "32Mi"
    own = limits.reading(small, JobResources(memory="8Gi", scratch="1Ti", cpu="2"), 1 << 30).resources()
    assert own == {
        "requests": {"cpu": "2", "memory": "8Gi", "ephemeral-storage": "1Ti"},
        "limits": {"memory": "8Gi", "ephemeral-storage": "1Ti"},
    }


@every
def test_attack_07_a_job_of_an_older_release_is_not_taken_for_a_foreign_one(make: type[User]) -> None:
    user = make()
    spec = user.job["spec"]["template"]["spec"]
    spec.pop("activeDeadlineSeconds")
    for one in containers(user.job):
        one["resources"] = {"requests": {"cpu": "50m"}}
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


def test_attack_07_a_node_without_room_is_no_limit_of_the_job() -> None:
    user = Snapshots()

    def evicted(pod: Json) -> None:
        gone = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
        pod["status"] |= {"reason": "Evicted", "conditions": [gone]}

    user.pod(None, phase="Failed", change=evicted)
    user.look()
    assert "Disrupted" in user.says()
    assert "OutOfScratch" not in user.says()
