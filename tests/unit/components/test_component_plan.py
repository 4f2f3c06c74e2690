"""A Component says whether it can be used."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.components.component_examples import CLEAN
from tests.unit.plan.littleworld import LittleWorld

from fairlead.api.component import ComponentSpec
from fairlead.plan.component import plan as component
from fairlead.plan.component.digest import digest
from fairlead.plan.core import COMPONENT, Invalid, Json


def status(**spec: Any) -> Json:
    where = LittleWorld()
    where.put({"kind": "Component", "metadata": {"name": "clean"}, "spec": CLEAN | spec})
    where.settle(component.SPEC, "clean")
    return where.status(COMPONENT, "clean")


def test_one_that_makes_sense_is_ready() -> None:
    found = status()
    assert (found["phase"], found["version"], len(found["digest"])) == ("Ready", "1.2.0", 64)
    assert {one["type"]: (one["status"], one["reason"]) for one in found["conditions"]} == {"Ready": ("True", "Valid")}
    assert found["message"] == "version 1.2.0 can be used in this namespace"


@pytest.mark.parametrize(("allowed", "words"), [
    (["b", "a"], "in this namespace and in a, b"), (["a", "*"], "in all namespaces"),
])  # fmt: skip
def test_where_it_can_be_used(allowed: list[str], words: str) -> None:
    assert status(allowedNamespaces=allowed)["message"].endswith(words)


def test_in_64_namespaces_of_long_names() -> None:
    assert len(status(allowedNamespaces=[f"{n:063d}" for n in range(64)])["message"]) == 1024


LONGEST = CLEAN["params"]["longest"]
WRONG: list[tuple[Json, str]] = [
    ({"command": ["{{params.no}}"]}, r"spec\.command\[0\]: parameter 'no' is not declared; add it to spec\.params"),
    ({"args": ["{{each.size}}"]}, r"spec\.args\[0\]: \{\{each\.size\}\} is not known; .* its own parameters only"),
    ({"args": ["{{steps.a.b}}"]}, r"spec\.args\[0\]: \{\{steps\.a\.b\}\} is not known"),
    ({"args": ["{{}}"]}, r"spec\.args\[0\]: \{\{\}\} is not known"),
    ({"env": [{"name": "A", "value": "{{{params.rate}}}"}]}, r"spec\.env\[0\]\.value: \{\{\{params\.rate\}\} is"),
    ({"env": []}, r"spec\.params\.rate: no text uses it"),
    ({"params": CLEAN["params"] | {"mode": {"in": ["drop"], "default": "cap"}}},
     r"spec\.params\.mode\.default: 'cap' is none of drop"),
    ({"params": CLEAN["params"] | {"longest": LONGEST | {"default": "x"}}}, r"longest\.default: 'x' is not a whole"),
    ({"params": CLEAN["params"] | {"longest": LONGEST | {"in": ["1", "x"]}}}, r"longest\.in\[1\]: 'x' is not a whole"),
    ({"params": CLEAN["params"] | {"longest": LONGEST | {"max": "0"}}}, r"longest\.min: 1 is more than max, 0"),
    ({"params": CLEAN["params"] | {"mode": {"default": "{{params.rate}}"}}}, r"mode\.default: a default is taken as"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_what_makes_no_sense_is_named(changes: Json, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        status(**changes)


SAME: list[Json] = [
    {}, {"description": "other words"}, {"allowedNamespaces": ["*"]}, {"version": "2"}, {"args": []},
    {"outputs": CLEAN["outputs"] | {"flights": {"type": "dataset", "description": "?"}}},
]  # fmt: skip
OTHER: list[Json] = [
    {"image": "i"}, {"args": ["--x"]}, {"moreInputs": True}, {"resources": {}}, {"nodeSelector": {}},
    {"outputs": {"flights": {"type": "dataset"}}}, {"params": CLEAN["params"] | {"longest": {"type": "integer"}}},
]  # fmt: skip


def test_the_digest_is_of_what_results_follow_from() -> None:
    def of(changes: Json) -> str:
        return digest(ComponentSpec.model_validate(CLEAN | changes))

    assert {of(one) for one in SAME} == {of({})}
    assert len({of(one) for one in OTHER} | {of({})}) == len(OTHER) + 1
