"""What holds of every kind of Job that Fairlead follows, whoever records it: a kind that is declared and is not here
fails."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.plan.littleworld import Crash, stopped
from tests.unit.plan.test_job_pods import (
    Askings,
    Evaluations,
    Explanations,
    Joins,
    Observes,
    Resolves,
    Snapshots,
    Steps,
    User,
    Verifications,
    Watches,
    good,
)

import fairlead.plan
from fairlead.plan.core import JOB, POD, Json, Kind, KindSpec, rfc3339
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.dataset.snapshot import Snapshot
from fairlead.plan.deployment.metrics.joining import Joining
from fairlead.plan.deployment.monitors.explaining import Explaining
from fairlead.plan.deployment.monitors.labels import Observing
from fairlead.plan.jobs import failures
from fairlead.plan.jobs.attempt import LAG, Followed
from fairlead.plan.model import plan as modelversion
from fairlead.plan.model.proving import Proving
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from fairlead.plan.pipeline.asking import OfPipeline, OfRun
from fairlead.plan.pipeline.each.asking import Asking
from fairlead.plan.pipeline.steps import Attempt

KINDS: dict[type[User], type[Followed[Any]]] = {
    Snapshots: Snapshot, Verifications: Proving, Evaluations: Proving, Steps: Attempt, Joins: Joining,
    Observes: Observing, Explanations: Explaining, Resolves: OfRun, Watches: OfPipeline, Askings: Asking,
}  # fmt: skip
OWNERS: dict[type[User], tuple[KindSpec[Any], str]] = {
    Snapshots: (dataset.SPEC, "rides"), Verifications: (modelversion.SPEC, "m-1"),
    Evaluations: (modelversion.SPEC, "m-1"), Steps: (run.SPEC, "p-1"),
    Resolves: (run.SPEC, "p-1"), Watches: (pipeline.SPEC, "p"), Askings: (run.SPEC, "p-1"),
}  # fmt: skip
LONG = 400.0
"""Seconds: longer than the pause after any first failure."""
every = pytest.mark.parametrize("make", KINDS)
answering = pytest.mark.parametrize("make", [make for make in KINDS if make is not Verifications])


def remove(user: User, kind: Kind, name: str) -> None:
    if isinstance(user, Joins):
        user.sim.of(kind).pop(name, None)
    else:
        user.world.remove(kind, name)


def without_pods(user: User) -> str:
    """The newest Job's name; nobody has made a pod of it."""
    job = user.job["metadata"]
    for pod in user.world.select(POD):
        if failures.controller(pod) == job["uid"]:
            remove(user, POD, pod["metadata"]["name"])
    return str(job["name"])


def with_status(**status: Any) -> Callable[[Json], None]:
    return lambda pod: pod["status"].update(status)


def ends_well(user: User) -> None:
    """The newest attempt answers, and that counts."""
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


def declared(kind: type[Followed[Any]]) -> set[type[Followed[Any]]]:
    found = set(kind.__subclasses__())
    return {one for one in found.union(*map(declared, found)) if not inspect.isabstract(one)}


def test_every_kind_that_is_declared_is_held_to_this() -> None:
    for module in pkgutil.walk_packages(fairlead.plan.__path__, "fairlead.plan."):
        importlib.import_module(module.name)
    assert declared(Followed) == set(KINDS.values())


# --- what is waited for -------------------------------------------------------------------------------------------


@every
def test_a_job_that_gets_no_pod_is_told_of_and_waited_for(make: type[User]) -> None:
    user = make()
    user.look()
    name = without_pods(user)
    user.later(failures.PATIENCE + 1)
    assert f"Job {name} got no pod" in user.says()
    user.later(LONG)
    assert user.jobs == 1
    if isinstance(user, Joins):
        user.sim._pod(name, user.job["metadata"]["uid"], None)
    ends_well(user)


@every
def test_an_image_that_is_missing_is_told_of_and_waited_for(make: type[User]) -> None:
    user = make()
    state = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    user.pod(None, phase="Pending", change=with_status(containerStatuses=[{"name": user.main, "state": state}]))
    user.look()
    assert "ImagePull" in user.says()
    user.later(LONG)
    assert user.jobs == 1
    ends_well(user)


@every
def test_a_pod_on_a_node_that_is_lost_may_still_run_and_is_not_replaced(make: type[User]) -> None:
    user = make()
    user.look()
    deleted = rfc3339(user.world.now - failures.PATIENCE - 1)
    user.pod(None, phase="Running", change=lambda pod: pod["metadata"].update(deletionTimestamp=deleted))
    user.later(1)
    assert "does not confirm that the pod has ended" in user.says()
    user.later(LONG)
    assert user.jobs == 1


@every
def test_the_news_of_a_pod_may_come_after_the_news_of_its_job(make: type[User]) -> None:
    user = make()
    user.look()
    name = without_pods(user)
    at = rfc3339(user.world.now)
    user.job["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at}]}
    user.later(LAG - 1)
    assert user.jobs == 1
    assert "gone" not in user.says()
    if isinstance(user, Joins):
        user.sim._pod(name, user.job["metadata"]["uid"], None)
    ends_well(user)


# --- what fails, and is tried again -------------------------------------------------------------------------------


def evicted(user: User) -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    user.pod(None, phase="Failed", change=with_status(reason="Evicted", conditions=[target]))


def out_of_memory(user: User) -> None:
    killed = stopped(user.main, 137, reason="OOMKilled")
    user.pod(None, phase="Failed", change=with_status(containerStatuses=[killed]))


@every
def test_a_pod_that_is_evicted_is_made_again(make: type[User]) -> None:
    user = make()
    user.look()
    evicted(user)
    user.look()
    assert "the cluster ended the pod (TerminationByKubelet)" in user.says()
    assert not user.given_up()
    user.later(LONG)
    assert user.jobs == 2
    ends_well(user)


@every
def test_memory_that_is_too_little_is_told_of_with_the_field_that_raises_it(make: type[User]) -> None:
    user = make()
    user.look()
    out_of_memory(user)
    user.look()
    assert f"container {user.main} ran out of memory; raise " in user.says()
    assert not user.given_up()
    user.later(LONG)
    assert user.jobs == 2
    ends_well(user)


@every
def test_a_deadline_that_is_too_early_is_told_of(make: type[User]) -> None:
    user = make()
    user.look()
    user.pod(None, phase="Failed", change=with_status(reason="DeadlineExceeded"))
    user.look()
    assert "DeadlineExceeded" in user.says()
    assert user.given_up() == (make is Steps), "a step's own failures spend `retry`, and that is 0"
    user.later(LONG)
    assert user.jobs == (1 if make is Steps else 2)


@every
def test_a_job_that_somebody_deletes_is_made_again_and_nobodys_failure(make: type[User]) -> None:
    user = make()
    user.look()
    name = without_pods(user)
    remove(user, JOB, name)
    user.look()
    assert KINDS[make].lost in user.says()
    user.later(LONG)
    assert user.jobs == 2
    assert user.job["metadata"]["name"] != name
    ends_well(user)


# --- what is said -------------------------------------------------------------------------------------------------


@every
def test_an_answer_that_can_not_be_read_is_told_of_and_given_up_at_last(make: type[User]) -> None:
    user = make()
    for _ in range(4):
        user.pod('{"evaluate": {"digest": "aaaa')
        user.look()
        assert "AnswerUnreadable" in user.says()
        if user.given_up():
            break
        user.later(10 * LONG)
    jobs = user.jobs
    user.later(10 * LONG)
    assert user.given_up()
    assert user.jobs == jobs


@answering
def test_an_answer_to_another_task_does_not_count(make: type[User]) -> None:
    user = make()
    user.pod(good(user))
    documents = user.world.told.documents
    for key, text in documents.items():
        value = json.loads(text)
        value["task" if "result" in value else "taskDigest"] = "0" * 64
        documents[key] = json.dumps(value)
    user.look()
    assert not user.done()
    assert "answers another task" in user.says()


@every
def test_a_job_that_an_older_release_has_made_goes_on(make: type[User]) -> None:
    user = make()
    user.look()  # its uid is recorded: from then on nobody can have changed it
    template = user.job["spec"]["template"]
    template["spec"] = copy.deepcopy(template["spec"])
    for one in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]:
        one["image"] = f"{one['image']}-of-before"
    template["metadata"].pop("annotations", None)
    pod = user.pod(None)
    pod["status"]["containerStatuses"] = [stopped(user.main, 0, good(user))]
    user.look()
    assert user.done(), user.says()
    assert user.jobs == 1


# --- an operator that is killed -----------------------------------------------------------------------------------


def dies(user: User, writes: int) -> None:
    """The operator looks once, and is killed after so many writes."""
    if isinstance(user, Joins):
        found = user.sim.plan()
        made = found.create if writes > 1 else []
        if writes:
            user.sim.carry_out(replace(found, apply=[], create=made, delete=[]))
        return
    spec, name = OWNERS[type(user)]
    with suppress(Crash):
        user.world.look(spec, name, crash_after=writes)


@every
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_an_operator_that_is_killed_between_any_two_writes_goes_on(make: type[User], writes: int) -> None:
    user = make()
    dies(user, writes)
    evicted(user)
    dies(user, writes)  # the failure
    user.look()
    user.world.now += LONG
    dies(user, writes)  # the next attempt
    user.look()
    assert user.jobs == 2
    user.pod(good(user))
    dies(user, writes)  # the answer
    user.look()
    assert user.done(), user.says()
    assert user.jobs == 2
