"""The commands against an API server in memory: what they write, what they say, how they exit."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable

import pytest

from fairlead.cli import commands, session, start
from fairlead.cluster import errors
from fairlead.cluster.port import Page

DIGEST = "ab" * 32


class Memory:
    """As much of `cluster.port.Kube` as the commands use."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict] = {}
        self.conflicts = 0
        self.installed = True
        self.error: errors.ApiError | None = None

    def put(self, kind: str, name: str, **body: dict) -> None:
        self.objects[kind, name] = {"apiVersion": "x", "kind": kind, "metadata": {"name": name}} | body

    async def get(self, kind, _namespace, name):
        if self.error:
            raise self.error
        if not self.installed:
            raise errors.NotServed("404 page not found", 404)
        if (kind.kind, name) not in self.objects:
            raise errors.NotFound("gone", 404)
        return copy.deepcopy(self.objects[kind.kind, name])

    async def pages(self, kind, _namespace=None, **_options):
        yield Page([o for (k, _), o in self.objects.items() if k == kind.kind], "1")

    async def create(self, kind, obj):
        if kind.kind == "SelfSubjectReview":
            return {"status": {"userInfo": {"username": "alice"}}}
        self.objects[kind.kind, obj["metadata"]["name"]] = obj
        return obj

    async def replace(self, kind, obj):
        if self.conflicts:
            self.conflicts -= 1
            raise errors.Conflict("changed", 409)
        self.objects[kind.kind, obj["metadata"]["name"]] = obj
        return obj

    async def served(self, _kind):
        return self.installed

    async def close(self):
        pass


@pytest.fixture
def memory(monkeypatch) -> Memory:
    found = Memory()

    async def connect(_kubeconfig):
        return found

    monkeypatch.setattr(session, "_kube", connect)
    return found


@pytest.fixture
def fairlead(memory) -> Callable[..., int]:  # noqa: ARG001 - it must be in place first
    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        commands.register(parser.add_subparsers(required=True))
        args = parser.parse_args([*words, "-n", "airline"])
        return args.run(args)

    return run


def version(phase="AwaitingApproval", **spec):
    return {
        "spec": {"model": "m", "artifact": {"uri": "s3://bkt/m", "sha256": DIGEST}, "approval": {"required": 1}} | spec,
        "status": {"phase": phase, "evidence": {"digest": DIGEST}},
    }


def test_run_makes_a_run_with_params_and_pinned_data(fairlead, memory, capsys):
    memory.put("Pipeline", "delay", spec={"params": {"alpha": "1"}})
    assert fairlead("run", "delay", "-p", "alpha=0.1=x", "--dataset", "flights=7c1e") == 0
    (made,) = [o for (kind, _), o in memory.objects.items() if kind == "PipelineRun"]
    assert made["spec"]["params"] == {"alpha": "0.1=x"}
    assert made["spec"]["datasets"] == {"flights": "7c1e"}
    assert made["metadata"]["namespace"] == "airline"
    printed = capsys.readouterr().out
    assert f"kubectl fairlead get run {made['metadata']['name']} -n airline --watch" in printed


@pytest.mark.parametrize(
    ("params", "words"), [({}, "it has none"), ({"beta": "1", "alpha": "2"}, "it has alpha, beta")]
)  # fmt: skip
def test_b20_a_parameter_that_the_pipeline_lacks_makes_no_run(fairlead, memory, capsys, params, words):
    memory.put("Pipeline", "delay", spec={"params": params})
    assert fairlead("run", "delay", "-p", "nosuch=1") == session.USAGE
    said = capsys.readouterr()
    assert f"has no parameter nosuch; {words}" in said.err
    assert "created" not in said.out
    assert not [kind for kind, _ in memory.objects if kind == "PipelineRun"]


def test_run_refuses_what_is_no_pair_and_what_is_not_there(fairlead, memory, capsys):
    assert fairlead("run", "nothing") == session.NOT_FOUND
    assert "kubectl get pipelines.fairlead.dev" in capsys.readouterr().err
    memory.put("Pipeline", "delay", spec={})
    assert fairlead("run", "delay", "-p", "alpha") == session.USAGE
    assert "KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(("phase", "code"), [("Completed", 0), ("Failed", 1), ("Aborted", 1)])
def test_waiting_tells_the_steps_and_exits_by_the_outcome(fairlead, memory, monkeypatch, capsys, phase, code):
    memory.put("Pipeline", "delay", spec={})
    make = memory.create

    async def create(kind, obj):
        steps = [{"name": "train", "phase": "Running"}]
        return await make(kind, obj | {"status": {"phase": phase, "message": "so it is", "steps": steps}})

    monkeypatch.setattr(memory, "create", create)
    assert fairlead("run", "delay", "--wait") == code
    printed = capsys.readouterr().out
    assert "train: Running" in printed
    assert f"{phase} so it is" in printed


def test_a_run_gets_a_name_that_fits():
    made = start.run_object("n", "p" * 63, {}, {}, "", 0.0)
    assert made["metadata"]["name"] == "p" * 48 + "-19700101000000"
    assert set(made["spec"]) == {"pipeline", "reason"}


def test_a_run_names_its_author_as_the_api_server_knows_them(fairlead, memory):
    memory.put("Pipeline", "delay", spec={})
    assert fairlead("run", "delay") == 0
    (made,) = [o for (kind, _), o in memory.objects.items() if kind == "PipelineRun"]
    assert made["spec"]["author"] == "alice"


def test_a_version_that_asks_for_no_approval_can_be_approved_all_the_same(fairlead, memory):
    memory.put("ModelVersion", "m-1", **version(phase="Approved", approval=None))
    assert fairlead("approve", "m-1") == 0
    assert memory.objects["ModelVersion", "m-1"]["spec"]["approvals"] == [{"user": "alice", "evidence": DIGEST}]


def test_an_author_who_approves_is_told_that_it_may_not_count(fairlead, memory, capsys):
    memory.put("ModelVersion", "m-1", **version(author="alice"))
    assert fairlead("approve", "m-1") == 0
    assert "somebody else has to approve it too" in capsys.readouterr().out
    memory.put("ModelVersion", "m-2", **version(author="bob"))
    assert fairlead("approve", "m-2") == 0
    assert "somebody else" not in capsys.readouterr().out


def test_approve_signs_the_evidence_with_ones_own_name(fairlead, memory, capsys):
    memory.put("ModelVersion", "m-1", **version())
    memory.conflicts = 2
    assert fairlead("approve", "m-1", "--comment", "good") == 0
    expected = [{"user": "alice", "evidence": DIGEST, "comment": "good"}]
    assert memory.objects["ModelVersion", "m-1"]["spec"]["approvals"] == expected
    assert "approved by alice" in capsys.readouterr().out


def test_approving_new_evidence_replaces_ones_word_and_keeps_that_of_others(fairlead, memory):
    old = [{"user": "alice", "evidence": "cd" * 32}, {"user": "bob", "evidence": DIGEST}]
    memory.put("ModelVersion", "m-1", **version(approvals=old))
    assert fairlead("approve", "m-1") == 0
    approvals = memory.objects["ModelVersion", "m-1"]["spec"]["approvals"]
    assert approvals == [old[1], {"user": "alice", "evidence": DIGEST}]
    memory.conflicts = 99  # a second time nothing is written
    assert fairlead("approve", "m-1") == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (version() | {"status": {"phase": "Evaluating"}}, "no evidence yet"),
        (version(phase="Rejected"), "is Rejected"),
    ],
)
def test_what_cannot_be_approved_says_why(fairlead, memory, capsys, body, words):
    memory.put("ModelVersion", "m-1", **body)
    assert fairlead("approve", "m-1") == session.FAILED
    assert words in capsys.readouterr().err


def test_switches(fairlead, memory):
    memory.put("PipelineRun", "r", spec={"pipeline": "p"})
    memory.put("PipelineRun", "done", spec={"pipeline": "p"}, status={"phase": "Completed"})
    memory.put("Deployment", "d", spec={})
    assert fairlead("cancel", "r") == 0
    assert fairlead("cancel", "r") == 0
    assert memory.objects["PipelineRun", "r"]["spec"]["cancel"] == "now"
    assert fairlead("cancel", "done") == session.FAILED
    assert fairlead("pause", "d") == 0
    assert memory.objects["Deployment", "d"]["spec"]["paused"] is True
    assert fairlead("resume", "d") == 0
    assert memory.objects["Deployment", "d"]["spec"]["paused"] is False


def test_get_history_and_lineage_read_the_same_object(fairlead, memory, capsys):
    memory.put("ModelVersion", "m-1", **version(phase="Approved"))
    route = {"model": {"name": "m"}, "route": {"gateway": {"name": "g"}}}
    live = {"version": "m-1", "since": "2026-01-01T00:00:00Z"}
    memory.put("Deployment", "d", spec=route, status={"phase": "Live", "live": live})
    assert fairlead("get", "mdeploy", "d") == 0
    assert "live m-1" in capsys.readouterr().out
    assert fairlead("get", "deployment", "d", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["name"] == "d"
    assert fairlead("history", "deployment", "d") == 0
    assert "no rollout yet" in capsys.readouterr().out
    assert fairlead("lineage", "deployment/d") == 0
    assert "deployment d: live" in capsys.readouterr().out
    assert fairlead("lineage", "m-1", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["usedBy"][0]["as"] == "live"
    assert fairlead("lineage", "pod/d") == session.USAGE
    memory.objects["Deployment", "d"]["status"]["versions"] = [{"name": "m-1", "uid": "the-first"}]
    memory.objects["ModelVersion", "m-1"]["metadata"]["uid"] = "the-second"
    assert fairlead("lineage", "deployment/d") == session.FAILED
    assert "was made again since" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.Forbidden("no"), session.DENIED, "role"), (errors.Unauthorized("no"), session.DENIED, "Log in"),
        (errors.Unavailable("no"), session.UNREACHABLE, "cluster up"), (errors.Refused("no: spec.x"), 1, "spec.x"),
    ],
)  # fmt: skip
def test_the_api_servers_errors_come_with_a_remedy(fairlead, memory, capsys, error, code, words):
    memory.error = error
    assert fairlead("get", "dataset", "d") == code
    assert words in capsys.readouterr().err


def test_a_cluster_without_fairlead_says_so(fairlead, memory, capsys):
    memory.installed = False
    assert fairlead("get", "run", "r") == session.NOT_FOUND
    assert "not installed" in capsys.readouterr().err


def test_an_object_of_another_version_says_what_to_do(fairlead, memory, capsys):
    memory.put("Deployment", "d", spec={"model": 7})
    assert fairlead("get", "deployment", "d") == session.FAILED
    assert "operator's version" in capsys.readouterr().err


def test_an_edit_that_never_succeeds_gives_up(fairlead, memory, capsys):
    memory.put("Deployment", "d", spec={})
    memory.conflicts = 99
    assert fairlead("pause", "d") == session.FAILED
    assert "Try again" in capsys.readouterr().err


def test_the_namespace_is_the_kubeconfigs(tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text("current-context: b\ncontexts:\n- {name: a, context: {namespace: x}}\n"
                      "- {name: b, context: {namespace: y}}\n")  # fmt: skip
    assert session.current_namespace(str(config)) == "y"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{config}")
    assert session.current_namespace(None) == "y"
    config.write_text("current-context: c")
    assert session.current_namespace(str(config)) == "default"


def test_a_kubeconfig_that_cannot_be_read_says_what_to_set(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["get", "run", "x", "--kubeconfig", str(tmp_path / "absent")])
    assert args.run(args) == session.UNREACHABLE
    assert "KUBECONFIG" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("get", "deployment", ""), "Deployment"), (("history", "deployment", ""), "Deployment"),
        (("replay", "deployment/"), "Deployment"), (("rollback", "", "--reason", "r"), "Deployment"),
        (("promote", "", "--force", "--reason", "r"), "Deployment"), (("continue", ""), "Deployment"),
        (("pause", ""), "Deployment"), (("cancel", ""), "PipelineRun"), (("run", ""), "Pipeline"),
        (("lineage", ""), "ModelVersion"), (("approve", ""), "ModelVersion"),
    ],
)  # fmt: skip
def test_an_empty_name_is_not_taken_for_all_objects(fairlead, memory, capsys, words, kind):
    memory.put(kind, "", items=[])
    assert fairlead(*words) == session.USAGE
    assert f"a {kind}'s name is empty; is a shell variable unset?" in capsys.readouterr().err
