"""The one way to read another kind's object.

It may have been written by another version of Fairlead, or past its definition. One that does not parse is a named
problem of that reference, and stops nothing else."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from fairlead.api.schema import Model
from fairlead.plan.conditions import quoted
from fairlead.plan.core import Json, Kind

M = TypeVar("M", bound=Model)


class NotReadable(Exception):  # noqa: N818 - the house's names of errors
    """An object of another kind has a form that this Fairlead can't read."""

    def __init__(self, kind: Kind, name: str, why: str) -> None:
        self.reason = f"{kind.kind}Unreadable"
        self.message = f"{kind.kind} {name} has a form that this Fairlead can't read ({why}): correct it, or bring " \
                       "Fairlead to the version that it was written by"  # fmt: skip
        super().__init__(self.message)


class Lacking(NotReadable):
    """The cluster does not have what an object asks for."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason, self.message = reason, message
        Exception.__init__(self, message)


def read(model: type[M], kind: Kind, raw: Json, *parts: str) -> M:
    """An object of another kind. parts: of `spec` and `status`, what is needed; none named: both.

    Raises NotReadable."""
    wanted = parts or ("spec", "status")
    try:
        return model.model_validate({part: raw[part] for part in wanted if raw.get(part) is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "spec"
        raise NotReadable(kind, raw["metadata"]["name"], quoted(f"{where}: {first['msg']}", 200)) from None
