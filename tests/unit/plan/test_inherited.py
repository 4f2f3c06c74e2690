"""What another release has begun goes on: nothing is forgotten, and nothing is counted twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plan.midway import CASES, RECORDED
from tests.unit.plan.rollout_world import Json, dump, in_halves

from fairlead.api import halves
from fairlead.api.deploymentstatus import DeploymentStatus

WORDS = frozenset({"message", "conditions", "problem", "lines", "alerts", "said", "canary"})
"""What may be told in other words by each release, and its alert rules, which Prometheus is asked about anew."""
FILES = sorted(RECORDED.glob("*/*.json"))


def compared(recorded: Any, found: Any, path: str = "") -> None:
    """Raises AssertionError where one is not as it was recorded. There may be fields that came later."""
    if isinstance(recorded, dict):
        for name in recorded.keys() - WORDS:
            assert name in found, f"{path}.{name}"
            compared(recorded[name], found[name], f"{path}.{name}")
    elif isinstance(recorded, list):
        assert len(recorded) == len(found), path
        for number, (one, other) in enumerate(zip(recorded, found, strict=True)):
            compared(one, other, f"{path}[{number}]")
    else:
        assert found == recorded, path


def tree(status: Json) -> Json:
    """A status of either form as one tree."""
    return dump(DeploymentStatus.model_validate(status))


def test_each_form_has_all_cases() -> None:
    forms = {"record-0", *(f"record-{number}" for number in range(1, halves.VERSION + 1))}
    assert {(path.parent.name, path.stem) for path in FILES} == {(form, name) for form in forms for name in CASES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_goes_on_as_the_release_would_have_that_began_it(path: Path) -> None:
    case, recorded = CASES[path.stem], json.loads(path.read_text())
    sim = case.begin()
    sim.status = tree(recorded["left"])
    sim.form = lambda _: recorded["left"]
    sim.plan()
    sim.form = in_halves
    sim.look()
    compared(tree(recorded["left"]), sim.status)
    case.go_on(sim)
    compared(tree(recorded["after"]), sim.status)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_neither_half_is_too_large(path: Path) -> None:
    for status in json.loads(path.read_text()).values():
        told = in_halves(status)
        own = told.pop("record")
        assert len(json.dumps(told, separators=(",", ":"))) <= 8 << 10
        assert len(json.dumps(own, separators=(",", ":"))) <= 24 << 10
