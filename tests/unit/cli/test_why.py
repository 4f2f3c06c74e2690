"""`fairlead why pipeline/x`, over the whole life of a case: what a person reads at each turn of it."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from tests.unit.cli.test_commands import Memory
from tests.unit.pipeline.test_no_circles import HOUR, NAME, TRIGGER, end, give_up, look, wait, world
from tests.unit.pipeline.trigger_examples import eta
from tests.unit.plan.littleworld import LittleWorld

from fairlead.api.pipeline import Pipeline
from fairlead.cli import show_why
from fairlead.cli.blocks import plain
from fairlead.cli.main import main


def text(where: LittleWorld) -> str:
    return plain(show_why.blocks("p", Pipeline.model_validate(where.objects["Pipeline", "p"]), where.now))


def row(where: LittleWorld) -> show_why.Row:
    return show_why.rows(Pipeline.model_validate(where.objects["Pipeline", "p"]), where.now)[0]


def test_before_anything_has_happened() -> None:
    where = world()
    found = row(where)
    assert (found.trigger, found.state, found.run) == (NAME, "Quiet", "")
    assert found.saw == "WorldChanged of Deployment eta is False (MoreWrong)"
    assert found.next == "a run when WorldChanged of Deployment eta is True"
    assert "no run yet" in text(where)
    assert "triggers have started 0 of 24 by conditions and values in 24 hours, 0 in 30 days" in text(where)


def test_while_its_run_is_under_way_proven_rejected_and_given_up() -> None:
    where = world()
    eta(where, 1)
    look(where)
    assert row(where).next == "what comes of p-1 decides"
    end(where, "p-1", "AwaitingApproval")
    look(where)
    assert "waits for a person: eta-of-p-1 waits for approval" in row(where).next
    end(where, "p-1")
    look(where)
    assert "eta-of-p-1 is Rejected: so it is; waits until" in row(where).next
    wait(where, HOUR)
    end(where, "p-2")
    look(where)
    wait(where, HOUR)
    end(where, "p-3")
    wait(where, HOUR)
    assert "3 runs in a row have not helped" in row(where).next
    assert "GaveUp" in text(where)
    assert "triggers have started 3 of 24" in text(where)


def test_when_a_version_was_approved() -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", "Approved")
    look(where)
    assert row(where).next.startswith("nothing more for this, as eta-of-p-1 is approved")


def test_while_nobody_knows_and_while_it_is_suspended() -> None:
    where = world()
    eta(where, 1, type="Other")
    look(where)
    assert row(where).saw.startswith("Deployment eta has no condition WorldChanged so far")
    assert row(where).next.startswith("nothing as long as nobody knows")
    where.objects["Pipeline", "p"]["spec"]["suspend"] = True
    look(where)
    assert row(where).next == "nothing, while spec.suspend is set"


def test_triggers_that_go_by_what_happens() -> None:
    where = world(triggers=[{"dataset": {"name": "flights"}}, {"schedule": {"cron": "0 3 * * *"}}, TRIGGER])
    found = show_why.rows(Pipeline.model_validate(where.objects["Pipeline", "p"]), where.now)
    assert [one.next for one in found[:2]] == [
        "a run when Dataset flights has a new version", "a run when it is 2026-03-03T03:00:00.000000Z",
    ]  # fmt: skip


def test_a_trigger_of_a_later_version_is_named(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    spec: Any = {"steps": [{"name": "a", "image": "i"}], "triggers": [{"moon": {}}]}
    memory.put("Pipeline", "p", spec=spec)
    assert main(["why", "pipeline/p"]) == 1
    assert "its type is not known" in capsys.readouterr().err


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    from fairlead.cli import session

    found = Memory()

    async def kube(_config: str | None) -> Memory:
        return found

    monkeypatch.setattr(session, "_kube", kube)
    monkeypatch.setattr(session, "current_namespace", lambda _config: "team")
    return found


def test_the_command(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    where = world()
    give_up(where)
    memory.objects["Pipeline", "p"] = where.objects["Pipeline", "p"]
    assert main(shlex.split("why pipeline/p")) == 0
    assert "next      3 runs in a row" in capsys.readouterr().out
    assert main(shlex.split("why mlpipe/p -o json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["byTrigger"][NAME]["state"], set(said["starts"]), len(said["decisions"])) == (
        "Asks",
        {"day", "month"},
        6,
    )
    assert main(shlex.split("why deployment/p")) == 2
    assert "is not pipeline/NAME" in capsys.readouterr().err
