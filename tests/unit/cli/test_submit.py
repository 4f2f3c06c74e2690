"""`fairlead submit`: the Pipeline is made or changed, and its run is of what was sent."""

from __future__ import annotations

import itertools
import sys

import pytest

from fairlead.cli import session, submit
from fairlead.cli.main import main
from fairlead.cluster import errors

FILE = """
import fairlead

@fairlead.step(image="x")
def one(raw: fairlead.In[fairlead.Dataset], rows: int) -> None: ...

@fairlead.pipeline{options}
def whole(rows: int = {rows}):
    one(fairlead.Dataset("flights"), rows=rows)
"""
_numbers = itertools.count()


class Cluster:
    """An API server with one Pipeline at most, and an operator that has seen each generation."""

    def __init__(self) -> None:
        self.pipeline: dict | None = None
        self.runs: list[dict] = []
        self.reads = 0
        self.seen_after = 0
        """Reads until the operator has looked."""
        self.ready = "True"
        self.ends = "Completed"

    async def get(self, kind, _namespace, name):
        if kind.kind == "PipelineRun":
            return {"status": {"phase": self.ends, "steps": [{"name": "one", "phase": self.ends}]}}
        if self.pipeline is None or self.pipeline["metadata"]["name"] != name:
            raise errors.NotFound("gone", 404)
        self.reads += 1
        seen = self.pipeline["metadata"]["generation"] - (self.reads <= self.seen_after)
        ready = {"type": "Ready", "status": self.ready, "reason": "Valid" if self.ready == "True" else "Invalid"}
        status = {"observedGeneration": seen, "conditions": [ready | {"message": "spec.steps: no"}]}
        return {**self.pipeline, "spec": dict(self.pipeline["spec"]), "status": status}

    async def create(self, kind, obj):
        if kind.kind == "SelfSubjectReview":
            return {"status": {"userInfo": {"username": "alice"}}}
        if kind.kind == "PipelineRun":
            self.runs.append(obj)
            return obj
        if self.pipeline is not None:
            raise errors.AlreadyExists("there", 409)
        self.pipeline = {**obj, "metadata": {**obj["metadata"], "generation": 1}}
        return self.pipeline

    async def replace(self, _kind, obj):
        assert self.pipeline is not None
        generation = self.pipeline["metadata"]["generation"] + (obj["spec"] != self.pipeline["spec"])
        self.pipeline = {**obj, "metadata": {**obj["metadata"], "generation": generation}}
        return self.pipeline

    async def close(self):
        pass


@pytest.fixture
def cluster(monkeypatch):
    found = Cluster()

    async def connect(_kubeconfig):
        return found

    monkeypatch.setattr(session, "_kube", connect)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return found


@pytest.fixture
def file(tmp_path):
    def write(rows: int = 1, options: str = "") -> str:
        path = tmp_path / f"submitted_{next(_numbers)}.py"
        path.write_text(FILE.format(rows=rows, options=options))
        return str(path)

    return write


def test_it_is_made_changed_and_left_alone(cluster, file, capsys):
    assert main(["submit", file(1), "-n", "airline"]) == 0
    assert cluster.pipeline["metadata"]["namespace"] == "airline"
    assert cluster.pipeline["spec"]["author"] == "alice"
    named = file(2)
    assert main(["submit", named, "-n", "airline"]) == 0
    assert cluster.pipeline["spec"]["params"] == {"rows": "2"}
    assert main(["submit", named, "-n", "airline"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pipeline whole created", "pipeline whole changed", "pipeline whole unchanged",
    ]  # fmt: skip
    assert cluster.runs == []


def test_the_namespace_of_the_decorator(cluster, file):
    assert main(["submit", file(1, '(namespace="team")')]) == 0
    assert cluster.pipeline["metadata"]["namespace"] == "team"


def test_somebodys_suspend_stays():
    raw = {"spec": {"suspend": True, "steps": [1], "cooldown": "1h"}}
    assert submit.edit(raw, {"steps": [2]})
    assert raw["spec"] == {"suspend": True, "steps": [2]}
    assert not submit.edit(raw, {"steps": [2]})
    assert submit.edit(raw, {"steps": [2], "suspend": False})
    assert raw["spec"]["suspend"] is False


def test_a_run_begins_when_the_operator_has_seen_what_was_sent(cluster, file, capsys):
    cluster.seen_after = 3
    assert main(["submit", file(), "-n", "airline", "--run", "-p", "rows=5", "--reason", "to see"]) == 0
    assert cluster.reads >= 4
    (run,) = cluster.runs
    assert run["spec"] == {"pipeline": "whole", "reason": "to see", "author": "alice", "params": {"rows": "5"}}
    assert "one: Completed" in capsys.readouterr().out


@pytest.mark.parametrize("ends", ["Failed", "Aborted"])
def test_a_run_that_has_not_completed(cluster, file, ends):
    cluster.ends = ends
    assert main(["submit", file(), "--run"]) == session.FAILED


def test_no_run_of_what_nobody_has_seen(cluster, file, monkeypatch, capsys):
    monkeypatch.setattr(submit, "PATIENCE", 0.01)
    cluster.seen_after = 10**9
    assert main(["submit", file(), "--run"]) == session.FAILED
    assert "the operator has not looked at pipeline 'whole'" in capsys.readouterr().err
    assert cluster.runs == []


def test_no_run_of_what_can_not_run(cluster, file, capsys):
    cluster.ready = "False"
    assert main(["submit", file(), "--run"]) == session.FAILED
    assert "pipeline 'whole' can't run: spec.steps: no" in capsys.readouterr().err
    assert cluster.runs == []


def test_wrong_parameters_are_said_before_anything_is_sent(cluster, file, capsys):
    assert main(["submit", file(), "--run", "-p", "row=5"]) == session.USAGE
    assert "has no parameter row; it has rows" in capsys.readouterr().err
    assert main(["submit", file(), "-p", "rows=5"]) == session.USAGE
    assert "add --run" in capsys.readouterr().err
    assert main(["submit", file(1, "(cooldwn='1h')")]) == session.FAILED
    assert cluster.pipeline is None
