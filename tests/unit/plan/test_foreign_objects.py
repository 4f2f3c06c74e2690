"""Another kind's object is read in one way: one that does not parse is a named problem of that reference."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import fairlead.plan
from fairlead.api.kinds import KINDS

ROOM = Path(fairlead.plan.__path__[0])
OBJECTS = {
    model.__name__
    for info in KINDS
    for model in (info.model, *(one.annotation for key, one in info.model.model_fields.items() if key != "metadata"))
    if isinstance(model, type)
}
"""Models of the kinds, and of what their objects consist of."""
OWN = {("model/identity.py", "ModelVersionSpec"), ("pipeline/components/builtin/base.py", "ComponentSpec")}
"""From what Fairlead has written for itself."""


def parsed(text: str) -> Iterator[str]:
    """The models by which something is parsed."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("model_validate")
            and isinstance(node.value, ast.Name)
        ):
            yield node.value.id


def test_no_plan_parses_another_kinds_object_but_by_read() -> None:
    files = sorted(ROOM.rglob("*.py"))
    found = {(str(file.relative_to(ROOM)), model) for file in files for model in parsed(file.read_text())}
    assert {(file, model) for file, model in found if model in OBJECTS} - OWN == set()
    assert found >= OWN, "what is an exception no more is to be listed no more"


def test_one_that_does_would_be_found() -> None:
    assert {
        "Dataset",
        "DatasetSpec",
        "DatasetStatus",
        "Pipeline",
        "PipelineRun",
        "ModelVersion",
        "Deployment",
    } <= OBJECTS
    assert list(parsed("def of(raw):\n    return Dataset.model_validate(raw)")) == ["Dataset"]
