"""What a CRD's schema can't check, each with the field that is named."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from fairlead.api.pipeline import PipelineSpec
from fairlead.plan.core import Invalid
from fairlead.plan.pipeline import dag

A = {"name": "a", "image": "i", "outputs": {"x": {"type": "dataset"}, "m": {"type": "model"}}}
EVALUATION = {"features": ["f"], "target": "t", "metrics": ["mae"]}


def spec(*steps: Any, **more: Any) -> PipelineSpec:
    """A pipeline's spec."""
    return PipelineSpec.model_validate({"steps": [{"image": "i", **s} for s in steps], **more})


TWICE = [{"schedule": {"cron": "0 25 * * *"}}], [{"schedule": {"cron": "0 0 31 2 *"}}]
GOOD = [
    spec(A),
    spec(A, {"name": "b", "needs": ["a"], "inputs": {"x": {"output": "a.x"}, "d": {"dataset": "flights"}}}),
    spec(A, {"name": "b", "args": ["{{params.p}}", "{{ params.p }}", "{not a param}"]}, params={"p": "1"}),
    spec(A, triggers=[{"schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Berlin"}}]),
    spec(
        A, produces=[{"model": "m", "from": "a.m", "version": {"evaluation": EVALUATION | {"data": {"output": "a.x"}}}}]
    ),
]
BAD = [
    ("spec.steps[0].needs[0]", "there is no step 'c'; there are b", spec({"name": "b", "needs": ["c"]})),
    ("spec.steps[1].inputs.x.output", "no step 'c'", spec(A, {"name": "b", "inputs": {"x": {"output": "c.x"}}})),
    ("spec.steps[1].inputs.x.output", "it has m, x", spec(A, {"name": "b", "inputs": {"x": {"output": "a.y"}}})),
    ("spec.steps", "a → a", spec({"name": "a", "needs": ["a"]})),
    ("spec.steps[0].args[1]", "'p' is not declared", spec({"name": "b", "args": ["x", "{{params.p}}"]})),
    ("spec.steps[0].env[0].value", "not declared",
     spec({"name": "b", "env": [{"name": "E", "value": "{{params.q}}"}]}, params={"p": "1"})),
    ("spec.steps[0].command[0]", "write {{params.NAME}}", spec({"name": "b", "command": ["{{run.name}}"]})),
    ("spec.produces[0].from", "set its type to model",
     spec(A, produces=[{"model": "m", "from": "a.x", "version": {}}])),
    ("spec.produces[0].version.evaluation.data.output", "must have type dataset",
     spec(A, produces=[{"model": "m", "from": "a.m",
                        "version": {"evaluation": EVALUATION | {"data": {"output": "a.m"}}}}])),
    ("spec.produces[0].version.evaluation.baseline.reference.output", "no step",
     spec(A, produces=[{"model": "m", "from": "a.m", "version": {"evaluation": EVALUATION | {
         "data": {"output": "a.x"}, "baseline": {"reference": {"output": "z.x"}}}}}])),
    ("spec.triggers[0].schedule.cron", "five fields", spec(A, triggers=[{"schedule": {"cron": "0 0 3 * * 1"}}])),
    ("spec.triggers[0].schedule.cron", "not a cron expression", spec(A, triggers=TWICE[0])),
    ("spec.triggers[0].schedule.cron", "not a cron expression", spec(A, triggers=TWICE[1])),
    ("spec.triggers[0].schedule.timeZone", "Europe/Berlin",
     spec(A, triggers=[{"schedule": {"cron": "0 3 * * *", "timeZone": "Europe/Atlantis"}}])),
    ("spec.triggers[0].schedule.timeZone", "no time zone",
     spec(A, triggers=[{"schedule": {"cron": "0 3 * * *", "timeZone": "../etc/passwd"}}])),
]  # fmt: skip


@pytest.mark.parametrize("good", GOOD)
def test_good(good: PipelineSpec) -> None:
    dag.validate(good)


@pytest.mark.parametrize(("path", "words", "bad"), BAD)
def test_bad(path: str, words: str, bad: PipelineSpec) -> None:
    with pytest.raises(Invalid) as caught:
        dag.validate(bad)
    assert caught.value.field_path == path
    assert words in str(caught.value)


def test_a_cycle_is_named_in_order() -> None:
    with pytest.raises(Invalid, match="remove one") as caught:
        dag.validate(spec({"name": "a", "needs": ["c"]}, {"name": "b", "needs": ["a"]}, {"name": "c", "needs": ["b"]}))
    cycle = str(caught.value).split(": ")[2].split(";")[0].split(" → ")
    assert len(cycle) == 4
    needs = {"a": "c", "b": "a", "c": "b"}
    assert all(needs[one] == other for one, other in pairwise(cycle))


def test_so_many_datasets_as_a_run_can_pin() -> None:
    def reads(number: int) -> dict[str, object]:
        return {"name": f"s{number}", "inputs": {"x": {"dataset": f"d{number}"}}}

    dag.validate(spec(*(reads(number) for number in range(dag.DATASETS))))
    with pytest.raises(Invalid, match="a run can pin 32"):
        dag.validate(spec(*(reads(number) for number in range(dag.DATASETS + 1))))
