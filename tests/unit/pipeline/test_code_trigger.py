"""A Pipeline's own code moves, or seems to."""

from __future__ import annotations

import copy
import json

import pytest
from tests.unit.pipeline.trigger_examples import CODE
from tests.unit.plan.littleworld import LittleWorld, stopped

from fairlead.manifests.meta import short_hash
from fairlead.plan.core import JOB, PIPELINE, PIPELINE_RUN, Json
from fairlead.plan.pipeline.plan import SPEC
from fairlead.plan.requests import UNDERWAY, Failed, GitSeen, ReadGit

ONE, TWO, THREE, TREE, OTHER = "1" * 40, "2" * 40, "3" * 40, "a" * 40, "b" * 40
URL: str = CODE["git"]["url"]


def world(path: str = "training") -> LittleWorld:
    where = LittleWorld()
    code = copy.deepcopy(CODE)
    code["git"]["path"] = path
    spec = {"steps": [{"name": "s", "image": "i"}], "code": code, "triggers": [{"code": {}}]}
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec})
    return where


def at(where: LittleWorld, answer: GitSeen | Failed, path: str = "training", look: str = "") -> Json:
    """The git server says so, and some minutes go by; the Pipeline's status."""
    where.now += 600
    where.answers[ReadGit("team", URL, "main", path, look)] = answer
    where.settle(SPEC, "p")
    return where.status(PIPELINE, "p")


def commits(where: LittleWorld) -> list[str]:
    """Of the runs, which all have ended then."""
    found = []
    for one in where.select(PIPELINE_RUN):
        one["status"] = {"phase": "Completed"}
        found.append(one["spec"].get("commit", ""))
    return found


def test_a_run_has_the_commit_for_which_it_was_started() -> None:
    where = world()
    at(where, GitSeen(ONE, TREE))
    assert commits(where) == [ONE]
    assert where.status(PIPELINE, "p")["handled"] == {"code/git": f"{TREE}@{ONE}"}


def test_commits_elsewhere_start_nothing_and_are_told() -> None:
    where = world()
    at(where, GitSeen(ONE, TREE))
    commits(where)
    status = at(where, GitSeen(TWO, TREE))
    assert commits(where) == [ONE]
    assert f"{TWO[:12]}, with the same training as {ONE[:12]}" in status["seen"][0]["message"]
    at(where, GitSeen(THREE, OTHER))
    assert commits(where) == [ONE, THREE]


def test_a_push_by_force_is_a_move_also_back() -> None:
    where = world()
    for commit, tree in ((ONE, TREE), (TWO, OTHER), (ONE, TREE)):
        at(where, GitSeen(commit, tree))
        commits(where)
    assert commits(where) == [ONE, TWO, ONE]


def test_a_server_that_knows_no_trees_lets_each_commit_count_and_that_is_told() -> None:
    where = world()
    at(where, GitSeen(ONE))
    commits(where)
    status = at(where, GitSeen(TWO))
    assert commits(where) == [ONE, TWO]
    assert "each commit counts" in status["seen"][0]["message"]
    at(where, GitSeen(TWO, TREE))  # it has learnt to: the same commit is nothing new
    assert commits(where) == [ONE, TWO]


def test_without_a_path_each_commit_counts() -> None:
    where = world(path="")
    at(where, GitSeen(ONE), path="")
    commits(where)
    status = at(where, GitSeen(TWO), path="")
    assert commits(where) == [ONE, TWO]
    assert "each commit counts" not in status["seen"][0]["message"]


def test_the_folder_that_counts_may_be_another_one() -> None:
    where = world()
    where.objects["Pipeline", "p"]["spec"]["triggers"] = [{"code": {"path": "lib"}}]
    at(where, GitSeen(ONE, TREE), path="lib")
    assert where.status(PIPELINE, "p")["handled"] == {"code/lib": f"{TREE}@{ONE}"}


@pytest.mark.parametrize("reason", ["Unreachable", "RepositoryMissing", "RefMissing", "PathMissing", "TooLarge"])
def test_what_nobody_knows_starts_no_run_and_is_told(reason: str) -> None:
    where = world()
    at(where, GitSeen(ONE, TREE))
    commits(where)
    status = at(where, Failed(reason, "away; put it back"))
    assert commits(where) == [ONE]
    (observed,) = [one for one in status["conditions"] if one["type"] == "TriggersObserved"]
    assert (observed["status"], observed["reason"]) == ("Unknown", reason)
    assert "away; put it back" in observed["message"]
    assert "spec.code.git." in observed["message"]
    at(where, GitSeen(ONE, TREE))
    assert commits(where) == [ONE]


def test_a_server_that_takes_its_time_is_looked_at_again_soon() -> None:
    where = world()
    at(where, Failed(UNDERWAY, "not yet"))
    assert where.plan(SPEC, "p").requeue_after == 1.0
    assert commits(where) == []


def test_a_webhook_has_it_asked_at_once() -> None:
    where = world()
    at(where, GitSeen(ONE, TREE))
    commits(where)
    where.objects["Pipeline", "p"]["metadata"]["annotations"] = {"fairlead.dev/look": "push 17"}
    where.answers[ReadGit("team", URL, "main", "training", short_hash("push 17"))] = GitSeen(TWO, OTHER)
    where.settle(SPEC, "p")
    assert commits(where) == [ONE, TWO]


def test_code_that_is_taken_out_of_the_spec_is_told() -> None:
    where = world()
    at(where, GitSeen(ONE, TREE))
    commits(where)
    del where.objects["Pipeline", "p"]["spec"]["code"]
    where.settle(SPEC, "p")
    assert "it needs spec.code.git" in where.status(PIPELINE, "p")["seen"][0]["message"]


# --- private repositories ------------------------------------------------------------------------------------------


def private(**trigger: str) -> LittleWorld:
    where = world()
    spec = where.objects["Pipeline", "p"]["spec"]
    spec["code"]["git"]["credentials"] = {"name": "git"}
    spec["triggers"] = [{"code": trigger}]
    where.settle(SPEC, "p")
    return where


def resolved(where: LittleWorld, said: Json, code: int = 0) -> Json:
    """The pod of the Job that asks has ended; the Pipeline's status."""
    (job,) = where.select(JOB)
    where.pod(job, "Failed" if code else "Succeeded", containerStatuses=[stopped("resolve", code, json.dumps(said))])
    where.settle(SPEC, "p")
    return where.status(PIPELINE, "p")


def later(where: LittleWorld, seconds: float) -> int:
    """How many Jobs there are then."""
    where.now += seconds
    where.settle(SPEC, "p")
    return len(where.select(JOB))


def test_a_private_repository_is_asked_by_a_job_and_no_more_often_than_every_five_minutes() -> None:
    where = private(every="1m")
    assert commits(where) == []
    resolved(where, {"resolve": {"commit": ONE, "tree": TREE}})
    assert commits(where) == [ONE]
    assert where.select(JOB) == []
    assert later(where, 299) == 0
    assert later(where, 1) == 1
    resolved(where, {"resolve": {"commit": TWO, "tree": TREE}})
    assert commits(where) == [ONE]
    assert later(where, 300) == 1
    resolved(where, {"resolve": {"commit": THREE, "tree": OTHER}})
    assert commits(where) == [ONE, THREE]


def test_a_private_repository_that_is_away_starts_no_run_and_is_told() -> None:
    where = private()
    resolved(where, {"resolve": {"commit": ONE, "tree": TREE}})
    commits(where)
    later(where, 300)
    status = resolved(where, {"error": {"reason": "AccessDenied", "message": "the token has expired"}}, code=1)
    (observed,) = [one for one in status["conditions"] if one["type"] == "TriggersObserved"]
    assert (observed["status"], observed["reason"]) == ("Unknown", "AccessDenied")
    assert "the token has expired" in observed["message"]
    later(where, 3600)
    newest = max(where.select(JOB), key=lambda job: job["metadata"]["uid"])
    answer = {"resolve": {"commit": TWO, "tree": OTHER}}
    where.pod(newest, "Succeeded", containerStatuses=[stopped("resolve", 0, json.dumps(answer))])
    where.settle(SPEC, "p")
    assert commits(where) == [ONE, TWO]


def test_a_private_ref_that_is_gone_is_asked_for_once_more_later() -> None:
    where = private()
    status = resolved(where, {"error": {"reason": "RefMissing", "message": "no branch"}}, code=1)
    assert status["code"][0]["reason"] == "RefMissing"
    assert (commits(where), later(where, 299), later(where, 1)) == ([], 0, 1)


def test_a_webhook_has_a_private_repository_asked_at_once() -> None:
    where = private()
    resolved(where, {"resolve": {"commit": ONE, "tree": TREE}})
    commits(where)
    where.objects["Pipeline", "p"]["metadata"]["annotations"] = {"fairlead.dev/look": "push 17"}
    assert later(where, 1) == 1
    resolved(where, {"resolve": {"commit": TWO, "tree": OTHER}})
    assert commits(where) == [ONE, TWO]


def test_while_it_is_suspended_nobody_is_asked() -> None:
    where = private()
    where.objects["Pipeline", "p"]["spec"]["suspend"] = True
    resolved(where, {"resolve": {"commit": ONE, "tree": TREE}})
    assert (commits(where), where.status(PIPELINE, "p")["code"]) == ([], [])
