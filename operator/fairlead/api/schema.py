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


def one_field(schema: dict[str, Any]) -> None:
    """`json_schema_extra` of a union of all fields of a model: a new member is a new field, and nothing else."""
    schema |= cel(exactly_one_of(*schema["properties"]))


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


def strictly(pattern: str) -> dict[str, Any]:
    """What the API server asks of a text that is written now. What was written before such a bound was there is still
    read, by the wider pattern of the field: a bound must not stop what runs."""
    return {"pattern": pattern}


_TIME = r"([0-9]+(ms|s|m|h|d))+"
_PARTS = "([0-9]{1,7}(ms|s)|[0-9]{1,5}m|[0-9]{1,4}h|[0-9]{1,3}d)"

Duration = Annotated[str, Field(max_length=20, pattern=rf"^{_TIME}$", json_schema_extra=strictly(f"^{_PARTS}+$"))]
"""A length of time: `250ms`, `30s`, `1h30m`, `14d`; `0s` is none. At most 999 days a part."""

Span = Annotated[
    str,
    Field(
        max_length=20,
        pattern=rf"^{_TIME}$",
        json_schema_extra=strictly(
            f"^([1-9][0-9]{{0,6}}s|[1-9][0-9]{{0,4}}m|[1-9][0-9]{{0,3}}h|[1-9][0-9]{{0,2}}d){_PARTS}*$"
        ),
    ),
]
"""A length of time of at least a second: `30s`, `1h30m`, `14d`."""

_PERCENT = r"^[0-9]{1,5}(\.[0-9]{1,4})?%$"

Percent = Annotated[
    str, Field(max_length=12, pattern=_PERCENT, json_schema_extra=strictly(r"^(1000|[0-9]{1,3}(\.[0-9]{1,4})?)%$"))
]
"""A percentage of something that may be more than the whole, up to `1000%`: `0.5%`."""

Share = Annotated[
    str,
    Field(
        max_length=12, pattern=_PERCENT, json_schema_extra=strictly(r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$")
    ),
]
"""A part of the whole, `0%` to `100%`: `0.5%`."""

Chance = Annotated[
    str,
    Field(
        max_length=12, pattern=_PERCENT, json_schema_extra=strictly(r"^(50(\.0{1,4})?|[0-4]?[0-9](\.[0-9]{1,4})?)%$")
    ),
]
"""The chance of an error, at most `50%`: `1%`."""

Decimal = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$",
        json_schema_extra=strictly(r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"),
    ),
]
"""A number as a string (floats are not portable in Kubernetes objects): `"0.95"`, `"1e-6"`."""

Limit = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|[0-9]{1,5}(\.[0-9]{1,4})?%)$",
        json_schema_extra=strictly(
            r"^(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?|(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%)$"
        ),
    ),
]
"""A number as a string, or a part of the whole: `"0.95"`, `10%`."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
"""A SHA-256 digest in lower-case hex."""

S3Uri = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
        json_schema_extra=strictly(r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f]+$"),
    ),
]
"""An object (or, with a trailing slash, a folder of objects) in S3."""

Author = Annotated[str, Field(min_length=1, max_length=253)]
"""A user, by the name that the API server knows. The ValidatingAdmissionPolicy `fairlead-authors` sees to it that people
write their own."""

Image = Annotated[
    str, Field(min_length=1, max_length=512, json_schema_extra=strictly("^[A-Za-z0-9][-A-Za-z0-9._:/@+]*$"))
]
"""A container image; a digest (`name@sha256:…`) pins it."""

_PART = r"0\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])"
"""Less than one, and more than none."""
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"

Cores = Annotated[
    str,
    Field(
        max_length=20,
        pattern=_QUANTITY,
        json_schema_extra=strictly(rf"^([1-9][0-9]{{0,3}}(\.[0-9]{{1,3}})?|{_PART}|[1-9][0-9]{{0,6}}m)$"),
    ),
]
"""Cores as Kubernetes writes them, up to 9999: `500m`, `2`, `0.5`."""

Memory = Annotated[
    str,
    Field(
        max_length=20,
        pattern=_QUANTITY,
        json_schema_extra=strictly(
            r"^([1-9][0-9]{6,13}|[1-9][0-9]{3,10}(k|Ki)|[1-9][0-9]{0,7}(\.[0-9]{1,3})?(M|Mi)"
            rf"|([1-9][0-9]{{0,4}}(\.[0-9]{{1,3}})?|{_PART})(G|Gi)|([1-9][0-9]?(\.[0-9]{{1,3}})?|{_PART})(T|Ti))$"
        ),
    ),
]
"""Bytes as Kubernetes writes them, from 1 MB to 99 TB: `8Gi`, `512Mi`. (`500m` would be half a byte.)"""

LabelKey = Annotated[
    str,
    Field(
        json_schema_extra=strictly(
            "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
        )
    ),
]
"""The key of a label."""

LabelValue = Annotated[
    str, Field(max_length=63, json_schema_extra=strictly("^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"))
]
"""The value of a label."""

Text = Annotated[str, Field(max_length=1024)]
"""A short text for people."""
