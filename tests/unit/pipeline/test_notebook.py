"""A step that runs a notebook."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.plan.littleworld import LittleWorld

from fairlead.plan.core import Json
from fairlead.plan.pipeline import run


def program(params: Json | None = None, **step: Any) -> Json:
    """The container of a notebook's step."""
    where = LittleWorld()
    spec = {
        "params": {"horizon": "24", "name": "$(HOME) {{params.horizon}}"},
        "steps": [{"name": "s", "image": "notebooks:1", "notebook": "train.ipynb"} | step],
    }
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec})
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p", "params": params or {}}})
    where.settle(run.SPEC, "p-1")
    (job,) = where.jobs(step="s")
    found: Json = next(c for c in job["spec"]["template"]["spec"]["initContainers"] if c["name"] == "step")
    return found


def test_papermill_runs_it_with_the_runs_parameters_as_they_are() -> None:
    """What a parameter says is neither rendered nor expanded once more."""
    found = program({"horizon": "48"}, args=["-k", "python{{params.horizon}}"])
    assert found["command"] == [
        "papermill", "train.ipynb", "/fairlead/out/notebook.ipynb", "-p", "horizon", "48", "-p", "name",
        "$$(HOME) {{params.horizon}}",
    ]  # fmt: skip
    assert found["args"] == ["-k", "python48"]


def test_the_values_of_an_item_are_parameters_too() -> None:
    each = {"matrix": {"region": ["NE"], "horizon": ["12"]}}
    assert program(each=each)["command"][3:] == [
        "-p", "horizon", "12", "-p", "name", "$$(HOME) {{params.horizon}}", "-p", "region", "NE",
    ]  # fmt: skip


def test_the_executed_notebook_is_an_output_beside_the_steps_own() -> None:
    where = LittleWorld()
    step = {"name": "s", "image": "notebooks:1", "notebook": "a.ipynb", "outputs": {"model": {"type": "model"}}}
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": [step]}})
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
    where.settle(run.SPEC, "p-1")
    (job,) = where.jobs(step="s")
    (publish,) = job["spec"]["template"]["spec"]["containers"]
    task = json.loads(next(one["value"] for one in publish["env"] if one["name"] == "FAIRLEAD_TASK"))
    outputs = {(one["name"], one["type"], one["path"]) for one in task["outputs"]}
    assert outputs == {("model", "model", "/fairlead/out/model"), ("notebook", "preview", "/fairlead/out/notebook")}
