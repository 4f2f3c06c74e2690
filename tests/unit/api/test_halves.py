"""The two halves of a status: told apart when it is written, one tree when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hack.gen import crds
from hack.gen.samples import filled
from hack.gen.structural import KEPT, schema_of
from pydantic import BaseModel, ValidationError

from fairlead.api import halves
from fairlead.api.deployment import Deployment
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.kinds import KINDS

Json = dict[str, Any]
FULL = filled(schema_of(Deployment)["properties"]["status"])
RECORDED = sorted((Path(__file__).parents[2] / "golden" / "statuses" / "record-0").glob("*.json"))


def whole(status: DeploymentStatus) -> Json:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """Where the plain values of a tree stand."""
    if isinstance(node, dict):
        return {leaf for key, one in node.items() for leaf in leaves(one, (*path, key))}
    if isinstance(node, list):
        return {leaf for number, one in enumerate(node) for leaf in leaves(one, (*path, number))} or {path}
    return {path}


def test_each_value_of_a_full_status_is_in_one_half_and_it_is_read_as_it_was() -> None:
    status = DeploymentStatus.model_validate(FULL)
    told = halves.written(status)
    own = told.pop("record")
    assert own.pop("version") == halves.VERSION
    for name, value in halves.WARD.items():
        assert told.pop(name) == value
    assert leaves(told).isdisjoint(leaves(own))
    assert leaves(told) | leaves(own) == leaves(whole(status))
    assert DeploymentStatus.model_validate(halves.written(status)) == status


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_is_written_is_read_as_it_was(path: Path) -> None:
    for recorded in json.loads(path.read_text()).values():
        status = DeploymentStatus.model_validate(recorded)
        assert DeploymentStatus.model_validate(json.loads(json.dumps(halves.written(status)))) == status


def test_other_kinds_have_one_half() -> None:
    for info in KINDS:
        if info.model is not Deployment:
            status = info.model.model_fields["status"].get_default()
            assert halves.written(status) == status.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"version": 2}, "written by a newer one"),
        ({}, "written by a newer one"),
        ("nonsense", "written by a newer one"),
        (None, "status.record is gone"),
        ({"version": 1, "history": []}, "history and its part of status.record do not belong together"),
    ],
)
def test_a_record_that_can_not_be_read_is_named(record: Any, says: str) -> None:
    status = halves.written(DeploymentStatus.model_validate(FULL)) | {"record": record}
    with pytest.raises(ValidationError, match=says):
        DeploymentStatus.model_validate(status)


def test_a_release_without_records_does_not_go_on_without_it() -> None:
    """Its model and its definition had this bound."""
    assert all(len(value) > 16 for value in halves.WARD.values())
    assert set(halves.WARD) == {"heeded"}


def test_a_member_is_found_in_either_form() -> None:
    status = DeploymentStatus.model_validate(FULL)
    assert halves.own({"status": halves.written(status)}, "versions") == FULL["versions"]
    assert halves.own({"status": whole(status)}, "versions") == FULL["versions"]
    assert halves.own({}, "versions") is None


def below(schema: Json, status: Any, path: str = "status") -> list[str]:
    """Where a definition would drop something of a status."""
    if isinstance(status, list):
        return [one for item in status for one in below(schema["items"], item, f"{path}[]")]
    if not isinstance(status, dict) or "additionalProperties" in schema:
        return []
    known = schema.get("properties", {})
    lost = [f"{path}.{name}" for name in status if name not in known and not schema.get(KEPT)]
    return lost + [
        one for name in status if name in known for one in below(known[name], status[name], f"{path}.{name}")
    ]


@pytest.mark.parametrize("status", [FULL, halves.written(DeploymentStatus.model_validate(FULL))], ids=["old", "new"])
def test_the_definition_keeps_what_either_release_writes(status: Json) -> None:
    schema = crds.status(schema_of(Deployment)["properties"]["status"])
    assert below(schema, status) == []
    assert below({**schema, KEPT: False}, FULL) != []


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and all below it."""
    found = {model}
    for field in model.model_fields.values():
        below = halves._model_in(field.annotation)
        found |= models(below) if below else set()
    return found


def test_below_a_field_of_fairleads_own_nothing_is_told() -> None:
    """Else it would be left out of both halves."""
    for model in models(DeploymentStatus):
        for name, field in model.model_fields.items():
            found = halves._model_in(field.annotation) if halves.is_own(field) else None
            assert not any(halves._is_mixed(one) for one in (models(found) if found else ())), f"{model}.{name}"
