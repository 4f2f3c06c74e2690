"""No file outside their rooms knows which triggers, and which types of steps, there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairlead
from fairlead.api.pipeline import Step, Trigger
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.types import registry as types

ROOT = Path(fairlead.__file__).parent
OF_ALL_STEPS = {
    "name", "needs", "when", "if_", "each", "retry", "queue_timeout", "start_timeout", "timeout", "cache",
}  # fmt: skip
"""What the graph and the attempts know of a step; everything else is its type's."""
OF_A_TYPE = set(Step.model_fields) - OF_ALL_STEPS
ROOMS = (
    "plan/pipeline/triggers/", "plan/pipeline/types/", "plan/pipeline/components/", "plan/pipeline/measuring.py",
    "api/", "sdk/", "local/fields.py",
)  # fmt: skip
"""Components, and what is filled in of models that are measured, make ordinary steps before a type is asked."""
FILES = {
    name: path for path in sorted(ROOT.rglob("*.py"))
    if not (name := path.relative_to(ROOT).as_posix()).startswith(ROOMS)
}  # fmt: skip


def hidden() -> set[str]:
    """Modules and classes that only the rooms may name."""
    modules = {one.__module__ for one in (*triggers.TRIGGERS, *(type(one) for one in types.TYPES))}
    classes = {one.__name__ for one in triggers.TRIGGERS} | {type(one).__name__ for one in types.TYPES}
    entries = {f"{name.title().replace('_', '')}Trigger" for name in Trigger.model_fields}
    return modules | classes | entries


def named(tree: ast.AST, secret: set[str]) -> Iterator[str]:
    """What a file names of `secret`, and where it looks into a Pipeline's triggers or at a type's part of a step."""
    steps = steps_in(tree)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from secret & {module, *(one.name for one in names), *(f"{module}.{one.name}" for one in names)}
            case ast.Import(names=names):
                yield from secret & {one.name for one in names}
            case ast.Attribute(attr="triggers"):
                yield f"line {node.lineno}: .triggers"
            case ast.Constant(value="triggers"):
                yield f'line {node.lineno}: "triggers"'
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in OF_A_TYPE and name in steps:
                yield f"line {node.lineno}: {name}.{attr}"
            case ast.Attribute(value=ast.Subscript() as taken, attr=attr) if attr in OF_A_TYPE and _steps(taken.value):
                yield f"line {node.lineno}: steps[…].{attr}"


def steps_in(tree: ast.AST) -> set[str]:
    """Names that stand for a `Step` somewhere in a file: annotated as one, or going through a spec's steps."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(arg=name, annotation=ast.Name(id="Step"))
                | ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="Step"))
            ):
                found.add(name)
            case (
                ast.comprehension(target=ast.Name(id=name), iter=each) | ast.For(target=ast.Name(id=name), iter=each)
            ) if _steps(each):
                found.add(name)
    return found


def _steps(node: ast.AST) -> bool:
    """Whether it is the steps of a spec, as people write them; a status has steps, too, and so have rollouts."""
    match node:
        case ast.Attribute(value=ast.Name(id=base) | ast.Attribute(attr=base), attr="steps"):
            return base in ("spec", "template", "pipeline")
    return False


def test_no_file_names_a_trigger_or_a_type_of_step() -> None:
    secret = hidden()
    texts = {name: path.read_text() for name, path in FILES.items()}
    read = {name: text for name, text in texts.items() if "pipeline" in text or "triggers" in text}
    assert {name: said for name, text in read.items() if (said := [*named(ast.parse(text), secret)])} == {}


@pytest.mark.parametrize("text", [
    "from fairlead.plan.pipeline.triggers.dataset import OfDataset",
    "from fairlead.plan.pipeline.triggers import schedule",
    "from fairlead.plan.pipeline.types import container",
    "import fairlead.plan.pipeline.types.container",
    "from fairlead.api.pipeline import ScheduleTrigger",
    "any(t.schedule for t in spec.triggers)",
    "spec.get('triggers')",
    "def f(step: Step):\n    return step.image",
    "[one.inputs for one in template.steps]",
    "for s in found.spec.steps:\n    print(s.outputs)",
    "spec.steps[0].command",
])  # fmt: skip
def test_such_a_name_is_found(text: str) -> None:
    assert list(named(ast.parse(text), hidden()))


@pytest.mark.parametrize("text", [
    "from fairlead.plan.pipeline.triggers import registry as triggers\ntriggers.due(keys, context)",
    "[s.outputs for s in run.steps]",
    "for step in look.spec.rollout.steps:\n    print(step.shadow)",
    "def f(step: Step):\n    return step.retry.limit",
])  # fmt: skip
def test_what_all_may_say_is_not(text: str) -> None:
    assert not list(named(ast.parse(text), hidden()))
