"""An example of every type of step: what the contract in test_step_types.py is tried with."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.plan.core import Json


@dataclass(frozen=True)
class Example:
    """A step `work` of a Pipeline that has a parameter `horizon` and a step `prepare`, which leaves `train`, `test` and
    `model`."""

    step: Json
    inputs: dict[str, str]
    """What it reads by name: `dataset/<name>` or `output/<step>.<output>`."""
    outputs: dict[str, str]
    """What it leaves: types by name."""
    shown: str
    """What people see of what it runs."""
    nonsense: tuple[tuple[Json, str], ...] = field(default=())
    """(fields of the step that the CRD's schema lets through, the path below it that is named)."""
    pipeline: Json = field(default_factory=dict)
    """What the Pipeline has besides steps and parameters."""


EXAMPLES: dict[str, Example] = {
    "EvaluateStep": Example(
        step={
            "evaluate": {"model": "delay"},
            "inputs": {"model": {"output": "prepare.model"}, "data": {"output": "prepare.test"}},
        },
        inputs={"model": "output/prepare.model", "data": "output/prepare.test"}, outputs={"evaluation": "preview"},
        shown="measures delay",
        nonsense=(
            ({"evaluate": {"model": "other"}}, ".evaluate.model"),
            ({"env": [{"name": "E", "value": "1"}]}, ".env"),
            ({"resources": {"memory": "9Gi"}}, ".resources"), ({"nodeSelector": {"zone": "a"}}, ".nodeSelector"),
            ({"retry": {"limit": 1, "memory": "9Gi"}}, ".retry.memory"),
            ({"inputs": {"more": {"dataset": "flights"}}}, ".inputs.more"),
            ({"inputs": {"model": {"dataset": "flights"}}}, ".inputs.model.dataset"),
            ({"inputs": {"data": {"output": "prepare.model"}}}, ".inputs.data.output"),
        ),
        pipeline={"produces": [{
            "model": "delay", "from": "prepare.model",
            "version": {
                "server": {"image": "sklearn:1", "resources": {"memory": "2Gi"}},
                "evaluation": {
                    "features": ["x"], "target": "y", "metrics": ["mae"], "data": {"output": "prepare.test"},
                },
            },
        }]},
    ),
    "NotebookStep": Example(
        step={
            "image": "notebooks:1", "notebook": "train.ipynb", "inputs": {"rows": {"output": "prepare.train"}},
            "outputs": {"model": {"type": "model"}}, "args": ["-k", "python{{params.horizon}}"],
        },
        inputs={"rows": "output/prepare.train"}, outputs={"model": "model", "notebook": "preview"},
        shown="notebooks:1 train.ipynb",
        nonsense=(
            ({"command": ["sh"]}, ".command"), ({"outputs": {"notebook": {}}}, ".outputs.notebook"),
            ({"args": ["{{params.other}}"]}, ".args[0]"),
        ),
    ),
    "ReportStep": Example(
        step={
            "report": {"title": "Delays"},
            "inputs": {"rows": {"output": "prepare.train"}, "raw": {"dataset": "flights"}},
        },
        inputs={"rows": "output/prepare.train", "raw": "dataset/flights"}, outputs={"report": "preview"},
        shown="report",
        nonsense=(
            ({"env": [{"name": "E", "value": "1"}]}, ".env"), ({"secrets": ["tokens"]}, ".secrets"),
            ({"resources": {"gpu": {}}}, ".resources.gpu"), ({"inputs": {}}, ".when"),
        ),
    ),
    "ContainerStep": Example(
        step={
            "image": "registry/airline:1", "command": ["train", "--horizon={{params.horizon}}"],
            "env": [{"name": "H", "value": "{{params.horizon}}"}], "secrets": ["tokens"],
            "inputs": {"rows": {"output": "prepare.train"}, "raw": {"dataset": "flights"}},
            "outputs": {"model": {"type": "model"}, "plot": {}},
        },
        inputs={"rows": "output/prepare.train", "raw": "dataset/flights"},
        outputs={"model": "model", "plot": "file"}, shown="registry/airline:1",
        nonsense=(
            ({"args": ["{{params.other}}"]}, ".args[0]"),
            ({"command": ["a", "{{run.name}}"]}, ".command[1]"),
            ({"env": [{"name": "E", "value": "{{params.q}}"}]}, ".env[0].value"),
        ),
    ),
}  # fmt: skip
"""By the name of the type's class."""
