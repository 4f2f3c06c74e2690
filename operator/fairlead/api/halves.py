"""The two halves of a status: what people and other controllers read, and what Fairlead writes for itself.

In memory a status is one tree. Where it is written its own fields (`Own`) go into one member, `record`, which has the
same form as the rest: the same names, lists in the same order, without what is told. The API server keeps it as it is,
key by key unseen, and it can change without a change of the definition; it has a version for that. Both halves are
written at once, so they never disagree.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaSerializer

Json = dict[str, Any]
T = TypeVar("T")

VERSION = 1
"""Of a record. One of another version is refused, whoever wrote it knew more."""
MARK = "x-fairlead-own"
"""What a field of the record has in a model's JSON schema."""
WARD = {"heeded": "stands in status.record"}
"""Longer than an operator of a release without records can read, and than a definition of that time allows: neither
drops the record, and goes on without it. The one says `Invalid` and changes nothing; the other refuses the write."""


class _Own:
    """In a field's metadata: Fairlead writes it for itself."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {MARK: True}


Own = Annotated[T, _Own()]
"""A field of a status that Fairlead writes for itself: state of tests, how far it has read, what it has done."""


_Shared = tuple[tuple[str, Any], ...]


class _Halves(NamedTuple):
    told: SchemaSerializer
    own: SchemaSerializer


def written(status: BaseModel) -> Json:
    """A status as the API server gets it: members that are null are left out."""
    halves = _halves(type(status))
    if halves is None:
        return status.model_dump(mode="json", by_alias=True, exclude_none=True)
    told: Json = halves.told.to_python(status, mode="json", by_alias=True, exclude_none=True)
    own: Json = halves.own.to_python(status, mode="json", by_alias=True, exclude_none=True)
    told.update(WARD, record={"version": VERSION, **own})
    return told


def joined(model: type[BaseModel], status: Any) -> Any:
    """A status as one tree. What a release without records has written is one already. Raises ValueError for a record
    that can't be read."""
    if not isinstance(status, dict):
        return status
    record = status.get("record")
    if record is None:
        if any(status.get(name) == value for name, value in WARD.items()):
            raise ValueError(_LOST)
        return status
    if not isinstance(record, dict) or record.get("version") != VERSION:
        found = record.get("version") if isinstance(record, dict) else record
        raise ValueError(f"status.record has the version {str(found)[:20]!r}, and this release reads {VERSION}: it was "
                         "written by a newer one; install that again")  # fmt: skip
    return _laid(status, record, _shared(model))


def member(raw: Json, name: str) -> Any:
    """Whatever is there of this name in the record of a status that is not parsed; None: nothing. One of a release
    without records has it beside the others."""
    status = raw.get("status") or {}
    record = status.get("record")
    return (record if isinstance(record, dict) else status).get(name)


def own(raw: Json, name: str) -> list[Json]:
    """The objects in such a list: what is none is passed over."""
    found = member(raw, name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _laid(told: Json, own: Json, shared: _Shared) -> Json:
    whole = {**told, **own}
    for name, below in shared:
        if name in own and name in told:
            whole[name] = _both(name, told[name], own[name], below)
    return whole


def _both(name: str, told: Any, own: Any, below: _Shared) -> Any:
    try:
        if not isinstance(told, list):
            return _laid(told, own, below)
        if len(told) == len(own):
            pairs = zip(told, own, strict=True)
            return [_laid(*pair, below) for pair in pairs] if below else [{**one, **other} for one, other in pairs]
    except TypeError:
        pass  # neither two objects nor two lists: to look before each time costs as much as all the rest
    raise ValueError(f"{name} and its part of status.record do not belong together: one of both was changed by hand")


def is_own(field: FieldInfo) -> bool:
    """Whether Fairlead writes this field for itself."""
    return any(isinstance(one, _Own) for one in field.metadata)


@cache
def _shared(model: type[BaseModel]) -> _Shared:
    """The members of which each half has a part, with those below them."""
    return tuple((field.alias or name, _shared(below)) for name, field, below in _parts(model) if _is_mixed(below))


def _parts(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        if not is_own(field) and (below := _model_in(field.annotation)):
            yield name, field, below


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a field, of its items, or of what it may be besides none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)


@cache
def _is_mixed(model: type[BaseModel]) -> bool:
    """Whether each half has a part of it."""
    own = any(is_own(field) for field in model.model_fields.values())
    return own or any(_is_mixed(below) for _, _, below in _parts(model))


@cache
def _halves(model: type[BaseModel]) -> _Halves | None:
    """How each half of a status is made; None: it has one only."""
    if not _is_mixed(model):
        return None
    schema = model.__pydantic_core_schema__
    return _Halves(*(SchemaSerializer(_without(schema, left_out)) for left_out in (_own_names, _told_names)))


def _own_names(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if is_own(field)}


def _told_names(model: type[BaseModel]) -> set[str]:
    if not _is_mixed(model):
        return set()  # below a field of Fairlead's own
    below = {name for name, _, part in _parts(model) if _is_mixed(part)}
    return set(model.model_fields) - _own_names(model) - below


def _without(schema: Any, left_out: Callable[[type[BaseModel]], set[str]]) -> Any:
    """A core schema in which some fields of models are not written."""
    if isinstance(schema, list):
        return [_without(one, left_out) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _without(value, left_out) for key, value in schema.items()}
    if found.get("type") == "model":
        for name in left_out(found["cls"]):
            _fields(found["schema"])[name]["serialization_exclude"] = True
        found["cls"] = _stand_in(found["cls"])
    return found


def _stand_in(model: type[BaseModel]) -> type:
    """A class that a model's objects are of, and that has no serializer of its own: pydantic would take that one."""
    made = ABCMeta(model.__name__, (), {})
    made.register(model)
    return made


def _fields(schema: Any) -> Any:
    """Of a model, within what checks it."""
    return schema["fields"] if schema["type"] == "model-fields" else _fields(schema["schema"])


_LOST = (
    "status.record is gone: the custom resource definitions are older than the operator, or somebody has removed it. "
    "Bring them up to date, and put the status of a backup back; without one, remove the status (then what is live is "
    "found in the store)"
)
