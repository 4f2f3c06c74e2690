"""Building blocks that say in a pydantic model what a Kubernetes schema can express.

The annotations here end up in the generated CRDs: CEL rules, list types, formats with bounds. Everything a user may
write is bounded, because the API server refuses CEL rules whose cost it cannot bound.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """`x-kubernetes-validations` for a model or field: pairs of (CEL rule, message)."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def exactly_one_of(*members: str) -> tuple[str, str]:
    """A CEL rule for a union: exactly one of the optional members is set."""
    terms = " + ".join(f"(has(self.{m}) ? 1 : 0)" for m in members)
    return f"{terms} == 1", f"exactly one of {', '.join(members)} must be set"


def list_map(*keys: str) -> dict[str, Any]:
    """A list that server-side apply merges by key."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
LIST_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


class Model(BaseModel):
    """Base of every API type: camelCase on the wire, unknown fields of newer versions tolerated on read."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )


Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""The name of an object in the same namespace (RFC 1123 label)."""

Key = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""An identifier: a column, a parameter, a metric."""

Duration = Annotated[str, Field(max_length=20, pattern=r"^([0-9]+(ms|s|m|h|d))+$")]
"""A length of time: `250ms`, `30s`, `1h30m`, `14d`."""

Percent = Annotated[str, Field(max_length=12, pattern=r"^[0-9]{1,5}(\.[0-9]{1,4})?%$")]
"""A percentage: `0.5%`."""

Decimal = Annotated[str, Field(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$")]
"""A number as a string (floats are not portable in Kubernetes objects): `"0.95"`."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
"""A SHA-256 digest in lower-case hex."""

S3Uri = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1024)]
"""An object (or, with a trailing slash, a folder of objects) in S3."""

Author = Annotated[str, Field(min_length=1, max_length=253)]
"""A user, by the name that the API server knows. The ValidatingAdmissionPolicy `fairlead-authors` sees to it that people
write their own."""

Image = Annotated[str, Field(min_length=1, max_length=512)]
"""A container image; a digest (`name@sha256:…`) pins it."""

Quantity = Annotated[str, Field(max_length=20, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
"""A Kubernetes quantity: `500m`, `2`, `8Gi`."""

Text = Annotated[str, Field(max_length=1024)]
"""A short text for people."""
