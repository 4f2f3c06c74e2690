"""What people see of a guard on labels: its coverage and age, what it lacks, and when the next labels are joined."""

from __future__ import annotations

import argparse
import copy
from typing import Any

import pytest
from tests.unit.cli.test_commands import Memory
from tests.unit.experiment.test_experiment_troubles import labelled
from tests.unit.plan.label_world import begun, labels
from tests.unit.plan.test_deployment_labels import ALIKE, promoted

from fairlead.cli import commands, session
from fairlead.cli.blocks import plain
from fairlead.cli.get import view
from fairlead.plan.core import DATASET, rfc3339

Json = dict[str, Any]


def shown(sim: Any, dataset: bool = True) -> str:
    raw = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": sim.spec, "status": copy.deepcopy(sim.status)}
    known = {name: {**one, "metadata": {**one["metadata"], "uid": "u"}} for name, one in sim.of(DATASET).items()}
    return plain(view("deployment", raw, sim.now, None, known if dataset else {}))


def said(text: str, many: int = 9) -> list[str]:
    return [line.removeprefix("1/labels: ") for line in text.splitlines() if line.startswith("1/labels: ")][-many:]


def test_before_the_first_label_it_says_what_is_waited_for() -> None:
    sim = begun(labels(minEvents=50))
    sim.tick(50)
    sim.tick(50, 60.0)
    lines = said(shown(sim), 4)
    assert lines[0] == "answers count from 1m01s ago on; none of them is labelled yet"
    assert lines[1] == "0 of 50 labels that the step waits for (minEvents)"
    assert lines[2] == "nothing joined yet"
    assert "follows the next version of Dataset truth (its newest, v0, came" in lines[3]
    assert "whose source is looked at again in" in lines[3]
    assert lines[3].endswith("every 5m")


def test_of_an_experiment_each_versions_labels_are_told() -> None:
    sim = labelled(m_1=0.05, m_2=0.05, m_3=0.05)
    sim.until(lambda: {"m-2", "m-3"} == {task.candidate for task in sim.joins})
    text = shown(sim)
    assert "labels of the experiment's answers" in text
    for version in ("m-2", "m-3"):
        assert f"{version}, 1/labels: joined with version" in text


def test_coverage_and_age_grow_with_each_join() -> None:
    sim = begun(labels(worseBy="2%", minEvents=400), wrong={"m-1": 0.1, "m-2": 0.1}, delay=20.0)
    for _ in range(30):
        sim.tick(10)
    sim.publish()
    sim.look()
    sim.tick(10)
    text = shown(sim)
    seen = sim.guard()["labels"]
    assert f"{seen['stable']['labelled']}" in next(line for line in text.splitlines() if "cohorts" in line)
    ages = next(line for line in said(text) if "count from" in line)
    assert ages == "answers count from 31s ago on; the labelled ones were given from 31s ago to 23s ago"
    assert any(f"joined with version {seen['dataset']} 1s ago" in line for line in said(text))
    assert any("of 100 labelled answers of m-1 have come" in line for line in said(text))


def test_a_join_that_is_under_way_or_has_failed_is_told() -> None:
    sim = begun(holds=True)
    for _ in range(10):
        sim.tick(50)
    version = sim.publish()
    sim.look()
    assert said(shown(sim))[-1] == f"version {version} is being joined now"
    sim.status["joins"][0]["job"] |= {"notBefore": rfc3339(sim.now + 40), "attempt": 2}
    assert said(shown(sim))[-1] == f"version {version} could not be joined 2 times; tried again in 40s"


def test_after_the_promotion_it_says_when_answers_since_then_can_be_judged() -> None:
    sim = promoted(wrong=ALIKE, more={"rollout": {"afterPromotion": {"for": "7d"}}})
    sim.tick(20)
    (line,) = [line for line in said(shown(sim)) if "since the promotion" in line]
    assert line.startswith("0 of 100 labelled answers of m-1 have come")
    sim.tick(0, seconds=2 * 86400)
    sim.publish()
    sim.look()
    assert not [line for line in said(shown(sim)) if "since the promotion" in line]
    assert any("labelled ones were given from 2d0h ago to 2d0h ago" in line for line in said(shown(sim)))


def test_a_dataset_that_cannot_be_read_or_is_suspended_is_told() -> None:
    sim = begun()
    sim.tick(50)
    assert said(shown(sim, dataset=False))[-1] == "the next join follows the next version of Dataset truth"
    sim.of(DATASET)["truth"]["spec"]["suspend"] = True
    assert "is suspended" in said(shown(sim))[-1]


@pytest.mark.parametrize("there", [True, False])
def test_the_command_reads_the_datasets_that_the_guards_name(monkeypatch, capsys, there: bool) -> None:
    memory = Memory()

    async def connect(_kubeconfig: str | None) -> Memory:
        return memory

    monkeypatch.setattr(session, "_kube", connect)
    sim = begun()
    sim.tick(50)
    memory.put("Deployment", "web", spec=sim.spec, status=sim.status)
    if there:
        memory.objects["Dataset", "truth"] = sim.of(DATASET)["truth"]
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["get", "deployment", "web"])
    assert args.run(args) == 0
    assert ("every 5m" in capsys.readouterr().out) is there
