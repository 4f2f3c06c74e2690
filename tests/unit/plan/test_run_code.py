"""A run's code: pinned once when it starts, and the same in all its steps."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from tests.unit.plan.littleworld import Crash, LittleWorld, stopped

from fairlead.plan.core import MODEL_VERSION, PIPELINE_RUN, Json
from fairlead.plan.pipeline import pinning, run
from fairlead.plan.requests import UNDERWAY, Failed, GitSeen, ReadGit

URL = "https://git.example/team/code"
ONE, TWO, TREE = "1" * 40, "2" * 40, "e" * 40
STEPS = [
    {"name": "train", "image": "i:1", "command": ["python", "train.py"], "outputs": {"model": {"type": "model"}}},
    {"name": "report", "image": "i:1", "needs": ["train"], "env": [{"name": "FAIRLEAD_COMMIT", "value": "mine"}]},
]
GIT = {"url": URL, "ref": "main", "path": "training"}
SECRET = {"credentials": {"name": "git"}}


def world(git: Json | None = None, secret: bool = False, **spec: Any) -> LittleWorld:
    """A Pipeline with code, and a run of it that nobody has looked at."""
    where = LittleWorld()
    git = (git or GIT) | (SECRET if secret else {})
    where.put({
        "kind": "Pipeline", "metadata": {"name": "p"},
        "spec": {"steps": STEPS, "code": {"git": git}, "produces": [
            {"model": "m", "from": "train.model", "version": {"server": {"image": "s:1"}}},
        ]},
    })  # fmt: skip
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"} | spec})
    return where


def says(where: LittleWorld, answer: GitSeen | Failed, ref: str = "main") -> None:
    """What the git server says to this run."""
    uid = where.objects["PipelineRun", "p-1"]["metadata"]["uid"]
    where.answers[ReadGit("team", URL, ref, "training", uid)] = answer


def look(where: LittleWorld) -> Json:
    where.settle(run.SPEC, "p-1")
    return where.status(PIPELINE_RUN, "p-1")


def ends(where: LittleWorld, step: str) -> None:
    """The step's pod has ended well."""
    (job,) = where.jobs(step=step)
    record = {"name": "model", "type": "model", "uri": "s3://store/m/", "sha256": "a" * 64, "bytes": 1}
    answer = {"publish": {"attempt": 1, "outputs": [record] if step == "train" else []}}
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("fetch", 0, '{"fetched": 1}'), stopped("step")],
              containerStatuses=[stopped("publish", 0, json.dumps(answer))])  # fmt: skip


def resolved(where: LittleWorld, said: Json, code: int = 0) -> None:
    """The pod that asks the private repository has ended."""
    job = max(asking(where), key=lambda job: job["metadata"]["uid"])
    where.pod(job, "Failed" if code else "Succeeded", containerStatuses=[stopped("resolve", code, json.dumps(said))])


def asking(where: LittleWorld) -> list[Json]:
    return [job for job in where.jobs(run="p-1") if "-code-" in job["metadata"]["name"]]


def container(where: LittleWorld, step: str, name: str) -> Json:
    (job,) = where.jobs(step=step)
    spec = job["spec"]["template"]["spec"]
    found: Json = next(one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == name)
    return found


def env(one: Json) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in one["env"]}


def mounts(one: Json) -> dict[str, bool]:
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in one["volumeMounts"]}


def test_all_steps_find_the_commit_that_was_pinned_whatever_the_branch_does() -> None:
    where = world()
    says(where, GitSeen(ONE, TREE))
    status = look(where)
    assert (status["commit"], status["codeTree"]) == (ONE, TREE)
    says(where, GitSeen(TWO, "f" * 40))
    where.objects["Pipeline", "p"]["spec"]["code"]["git"] |= {"ref": "other", "path": "elsewhere"}
    ends(where, "train")
    look(where)
    for step in ("train", "report"):
        task = json.loads(env(container(where, step, "fetch"))["FAIRLEAD_TASK"])
        assert task["code"] == {"url": URL, "commit": ONE, "path": "training", "dest": "/fairlead/code"}
        program = container(where, step, "step")
        assert (program["workingDir"], mounts(program)["/fairlead/code"]) == ("/fairlead/code/training", True)
        told = env(program)
        assert (told["FAIRLEAD_CODE"], told["FAIRLEAD_COMMIT"]) == ("/fairlead/code", ONE)
    ends(where, "report")
    assert look(where)["phase"] == "Completed"
    lineage = where.objects["ModelVersion", "m-1"]["spec"]["lineage"]
    assert (lineage["commit"], lineage["repository"]) == (ONE, URL)
    assert where.select(MODEL_VERSION)


def test_without_code_nothing_is_asked_and_pods_are_as_they_were() -> None:
    where = world()
    del where.objects["Pipeline", "p"]["spec"]["code"]
    status = look(where)
    assert "commit" not in {key for key, value in status.items() if value}
    (job,) = where.jobs(step="train")
    spec = job["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["step"]
    assert "workingDir" not in spec["initContainers"][0]
    assert "FAIRLEAD_CODE" not in env(spec["initContainers"][0])


def test_the_commit_of_the_run_goes_before_the_ref() -> None:
    where = world(commit=TWO)
    says(where, GitSeen(TWO, TREE), ref=TWO)
    assert look(where)["commit"] == TWO


@pytest.mark.parametrize(("reason", "field"), [
    ("RefMissing", "spec.code.git.ref"), ("PathMissing", "spec.code.git.path"),
    ("EndpointRefused", "spec.code.git.url"), ("TooLarge", "spec.code.git.url"),
])  # fmt: skip
def test_what_can_not_be_pinned_is_refused_with_the_field(reason: str, field: str) -> None:
    where = world()
    says(where, Failed(reason, "there is no such thing; correct it"))
    status = look(where)
    assert (status["phase"], status["message"]) == ("Failed", f"{field}: there is no such thing; correct it")
    assert status["conditions"][-1]["reason"] == reason
    assert where.jobs(run="p-1") == []


def test_a_wrong_commit_of_the_run_is_its_own_field() -> None:
    where = world(commit=TWO)
    says(where, Failed("CommitMissing", "no such commit"), ref=TWO)
    status = look(where)
    assert (status["phase"], status["message"]) == ("Failed", "spec.commit: no such commit")


def test_a_commit_without_code_is_refused() -> None:
    where = world(commit=TWO)
    del where.objects["Pipeline", "p"]["spec"]["code"]
    status = look(where)
    assert (status["phase"], status["message"][:12]) == ("Failed", "spec.commit:")


@pytest.mark.parametrize("reason", ["Unreachable", "RepositoryMissing", "AccessDenied", "NoTurn", UNDERWAY, "NotAsked"])
def test_a_server_that_does_not_tell_is_waited_for(reason: str) -> None:
    where = world()
    says(where, Failed(reason, "it is away"))
    status = look(where)
    assert (status["phase"], status["message"]) == ("Pending", "spec.code.git.url: it is away")
    assert "commit" not in {key for key, value in status.items() if value}
    says(where, GitSeen(ONE, TREE))
    assert look(where)["commit"] == ONE


@pytest.mark.parametrize(("reason", "seconds"), [(UNDERWAY, 0.5), ("Unreachable", 5.0)])
def test_an_answer_that_is_on_its_way_is_looked_for_soon(reason: str, seconds: float) -> None:
    where = world()
    says(where, Failed(reason, "not yet"))
    look(where)
    assert where.plan(run.SPEC, "p-1").requeue_after == seconds


def test_ssh_is_refused_with_a_way_out_where_no_schema_has_done_so() -> None:
    where = world(git=GIT | {"url": "git@git.example:team/code.git"})
    status = look(where)
    assert status["phase"] == "Failed"
    assert "spec.code.git.url" in status["message"]
    assert "https" in status["message"]


# --- private repositories ------------------------------------------------------------------------------------------


def test_a_private_repository_is_asked_by_a_job_with_the_secret_that_the_operator_never_reads() -> None:
    where = world(secret=True)
    status = look(where)
    assert (status["phase"], status["steps"][0]["phase"], status.get("commit", "")) == ("Pending", "Pending", "")
    (job,) = asking(where)
    spec = job["spec"]["template"]["spec"]
    (main,) = spec["containers"]
    task = json.loads(env(main)["FAIRLEAD_TASK"])
    assert (task["url"], task["ref"], task["path"]) == (URL, "main", "training")
    assert mounts(main)[task["credentials"]] is True
    assert [v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v] == ["git", "keys"]
    resolved(where, {"resolve": {"commit": ONE, "tree": TREE}})
    status = look(where)
    assert (status["commit"], status["codeTree"], status.get("pinning")) == (ONE, TREE, None)
    fetch = container(where, "train", "fetch")
    code = json.loads(env(fetch)["FAIRLEAD_TASK"])["code"]
    assert mounts(fetch)[code["credentials"]] is True
    assert code["credentials"] not in mounts(container(where, "train", "step"))  # the program does not get it


def test_which_repository_is_asked_is_fixed_before_it_is() -> None:
    where = world(secret=True)
    look(where)
    where.objects["Pipeline", "p"]["spec"]["code"]["git"]["url"] = "https://other.example/x"
    resolved(where, {"error": {"reason": "Unreachable", "message": "away", "transient": True}}, code=1)
    status = look(where)
    assert status["phase"] == "Pending"
    assert "away" in status["message"]
    where.now += 3600
    look(where)
    assert [json.loads(env(job["spec"]["template"]["spec"]["containers"][0])["FAIRLEAD_TASK"])["url"]
            for job in asking(where)] == [URL, URL]  # fmt: skip


def test_a_private_ref_that_is_not_there_ends_the_run() -> None:
    where = world(secret=True)
    look(where)
    resolved(where, {"error": {"reason": "RefMissing", "message": "no branch; correct ref"}}, code=1)
    status = look(where)
    assert (status["phase"], status["message"]) == ("Failed", "spec.code.git.ref: no branch; correct ref")


@pytest.mark.parametrize("how", ["now", "finally", "drain"])
def test_cancelled_while_it_is_asked(how: str) -> None:
    """No step can run without its code, those that are to run in any case neither."""
    where = world(secret=True)
    look(where)
    where.objects["PipelineRun", "p-1"]["spec"]["cancel"] = how
    status = look(where)
    assert (status["phase"], asking(where)) == ("Aborted", [])
    assert where.jobs(run="p-1") == []


@pytest.mark.parametrize("made", [True, False])
def test_the_time_that_a_run_may_take_counts_while_it_is_asked(made: bool) -> None:
    where = world(secret=True)
    where.objects["Pipeline", "p"]["spec"]["timeout"] = "1h"
    look(where)
    if not made:
        resolved(where, {"error": {"reason": "Unreachable", "message": "no answer"}}, 1)
    plan = where.settle(run.SPEC, "p-1")
    assert plan.requeue_after is not None
    assert plan.requeue_after <= 3600
    where.now += 3601
    status = look(where)
    assert (status["phase"], status["conditions"][-1]["reason"]) == ("Failed", "RunTimeout")
    assert where.jobs(run="p-1") == []
    assert where.plan(run.SPEC, "p-1").requeue_after is None


# --- killed at any write -------------------------------------------------------------------------------------------


def crashing(where: LittleWorld, after: int) -> None:
    """Looks, of which one is killed after so many writes; then looks until nothing changes."""
    with contextlib.suppress(Crash):
        where.look(run.SPEC, "p-1", crash_after=after)
    look(where)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("secret", [False, True])
def test_killed_at_any_write_there_is_one_commit_for_all_steps(after: int, secret: bool) -> None:
    """The branch moves with each look: what was pinned first stays, and the Jobs that are made say so."""
    where = world(secret=secret)
    pinned = set()
    for turn in range(6):
        says(where, GitSeen(f"{turn:040}", TREE))
        crashing(where, after)
        if secret and asking(where) and not where.status(PIPELINE_RUN, "p-1").get("commit"):
            resolved(where, {"resolve": {"commit": f"{turn:040}", "tree": TREE}})
            crashing(where, after)
        pinned |= {where.status(PIPELINE_RUN, "p-1").get("commit")} - {None, ""}
        for step in ("train", "report"):
            if where.jobs(step=step):
                ends(where, step)
                crashing(where, after)
    assert len(pinned) == 1
    tasks = [
        json.loads(env(container(where, step, "fetch"))["FAIRLEAD_TASK"])["code"]["commit"]
        for step in ("train", "report")
    ]
    assert set(tasks) == pinned
    assert where.status(PIPELINE_RUN, "p-1")["phase"] == "Completed"
    assert where.objects["ModelVersion", "m-1"]["spec"]["lineage"]["commit"] in pinned
    assert len(asking(where)) == (1 if secret else 0)


def test_a_run_with_its_commit_asks_nobody_any_more() -> None:
    where = world()
    says(where, GitSeen(ONE, TREE))
    look(where)
    subject = where.subject(run.SPEC, "p-1")
    assert not [request for request in run.observe(subject, where, where.now) if isinstance(request, ReadGit)]
    assert not pinning.is_open(subject.body.status)
