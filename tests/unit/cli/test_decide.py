"""`rollback` and `promote`: what they write into a Deployment, and what they refuse."""

from __future__ import annotations

import argparse

import pytest
from tests.unit.cli.test_commands import Memory

from fairlead.api.deployment import Override
from fairlead.cli import commands, session


@pytest.fixture
def memory(monkeypatch) -> Memory:
    found = Memory()

    async def connect(_kubeconfig):
        return found

    monkeypatch.setattr(session, "_kube", connect)
    for name, phase in (("m-1", "Approved"), ("m-2", "Approved"), ("m-3", "Rejected")):
        found.put("ModelVersion", name, spec={"model": "m"}, status={"phase": phase})
    return found


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    args = parser.parse_args([*words, "-n", "airline"])
    return int(args.run(args))


def put(memory: Memory, **status: object) -> None:
    memory.put("Deployment", "web", spec={}, status={"live": {"version": "m-2"}} | status)


def override(memory: Memory) -> Override:
    return Override.model_validate(memory.objects["Deployment", "web"]["spec"]["override"])


def test_rollback_goes_to_the_last_good_version(memory, capsys):
    put(memory, previous="m-1")
    memory.conflicts = 1
    assert run("rollback", "web", "--reason", "it insults people") == 0
    found = override(memory)
    assert (found.action, found.version, found.reason) == ("Rollback", "m-1", "it insults people")
    assert "goes back to m-1; m-2 is not tried again" in capsys.readouterr().out


RECORD = {"name": "m-1", "uid": "the-first", "record": "{}"}


@pytest.mark.parametrize("other", [None, "Rejected"])
def test_identity_rollback_goes_to_what_is_recorded_whoever_has_its_name_now(memory, other):
    put(memory, previous="m-1", versions=[RECORD])
    del memory.objects["ModelVersion", "m-1"]
    if other:
        memory.put("ModelVersion", "m-1", spec={"model": "m"}, status={"phase": other})
    assert run("rollback", "web", "--reason", "r") == 0
    assert override(memory).version == "m-1"


def test_identity_the_recorded_one_itself_must_be_approved(memory, capsys):
    put(memory, previous="m-3", versions=[RECORD | {"name": "m-3"}])
    memory.objects["ModelVersion", "m-3"]["metadata"]["uid"] = "the-first"
    assert run("rollback", "web", "--reason", "r") != 0
    assert "is Rejected" in capsys.readouterr().err


def test_rollback_takes_back_what_is_on_its_way_first(memory, capsys):
    put(memory, previous="m-1", candidate={"version": "m-4"})
    assert run("rollback", "web", "--reason", "r") == 0
    assert override(memory).version == "m-2"
    assert "m-4 is not tried again" in capsys.readouterr().out


def test_rollback_to_a_named_version(memory):
    put(memory)
    assert run("rollback", "web", "--to", "m-1", "--reason", "r") == 0
    assert override(memory).version == "m-1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "m-2"), "live already"), (("--to", "m-3"), "is Rejected"), (("--to", "m-9"), "'m-9' is not in"),
        (("--to", ""), "a ModelVersion's name is empty"), ((), "no good version before it"),
    ],
)  # fmt: skip
def test_rollback_that_makes_no_sense_is_refused(memory, capsys, words, said):
    put(memory)
    assert run("rollback", "web", *words, "--reason", "r") != 0
    assert said in capsys.readouterr().err
    assert "override" not in memory.objects["Deployment", "web"]["spec"]


def test_rollback_to_what_was_never_live_is_refused(memory, capsys):
    put(memory, served=[{"name": "m-2"}, {"name": "m-0"}])
    assert run("rollback", "web", "--to", "m-1", "--reason", "r") == 1
    assert "m-1 was never live in deployment 'web'" in capsys.readouterr().err
    assert "override" not in memory.objects["Deployment", "web"]["spec"]


def test_promote_forces_what_is_on_its_way(memory, capsys):
    put(memory, candidate={"version": "m-4"})
    assert run("promote", "web", "--force", "--reason", "a fix for the outage") == 0
    assert (override(memory).action, override(memory).version) == ("Promote", "m-4")
    put(memory, message="m-2 is live")
    assert run("promote", "web", "--force", "--reason", "r") == 1
    assert "no version on its way: m-2 is live" in capsys.readouterr().err


def test_promote_of_a_version_that_is_not_on_its_way_is_refused(memory, capsys):
    put(memory, candidate={"version": "m-4"})
    assert run("promote", "web", "--version", "m-1", "--force", "--reason", "r") == 1
    assert "m-1 is not on its way in deployment 'web'; m-4 is. Name that one" in capsys.readouterr().err
    assert "override" not in memory.objects["Deployment", "web"]["spec"]
    assert run("promote", "web", "--version", "m-4", "--force", "--reason", "r") == 0
    assert override(memory).version == "m-4"


def test_both_need_a_reason_and_promote_needs_force(memory):  # noqa: ARG001 - nothing may be written
    for words in (("rollback", "web"), ("promote", "web", "--reason", "r"), ("promote", "web", "--force")):
        with pytest.raises(SystemExit):
            run(*words)


EXPERIMENT = {"experiment": {"arms": [{"version": "m-4"}, {"version": "m-5"}]}}


def test_rollback_ends_an_experiment(memory, capsys):
    put(memory, previous="m-1", **EXPERIMENT)
    assert run("rollback", "web", "--reason", "r") == 0
    assert override(memory).version == "m-2"
    assert "its experiment ends" in capsys.readouterr().out


def test_promote_names_one_of_an_experiment(memory, capsys):
    put(memory, **EXPERIMENT)
    assert run("promote", "web", "--force", "--reason", "r") == 1
    assert "--version m-4|m-5" in capsys.readouterr().err
    assert run("promote", "web", "--version", "m-5", "--force", "--reason", "r") == 0
    assert override(memory).version == "m-5"
