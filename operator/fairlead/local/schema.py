"""What the API server would refuse: the generated definition of a kind, applied to an object. Pure but for that file.

`definitions.json` has of each kind that can be run here its schema, without words. Unknown fields are refused, as
`kubectl apply` does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any

from fairlead.api import foreign
from fairlead.local import cel
from fairlead.plan.core import Json

RULES = "x-kubernetes-validations"
_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict) and all(isinstance(key, str) for key in v),
}
_SAID = {"string": "a text", "array": "a list", "object": "a map", "boolean": "true or false",
         "integer": "a whole number", "number": "a number"}  # fmt: skip


@cache
def definitions() -> Json:
    """The schemas by kind."""
    text = (resources.files("fairlead.local") / "definitions.json").read_text(encoding="utf-8")
    found: Json = foreign.parse(text)
    return found


def problems(found: Json, known: Json | None = None) -> list[str]:
    """What is wrong with an object of a kind that is known, each with its field. Rules are asked once all the rest is
    right, as the API server does. known: the schemas; default: `definitions`."""
    schema = (known or definitions())[found["kind"]]
    meta = found.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
        return ["metadata.name: is required"]
    if found.get("spec") is None:
        return ["spec: is required"]
    members = {"apiVersion", "kind", "metadata", "spec", "status"}
    wrong = [f"{name}: there is no such field" for name in found if name not in members]
    spec = defaulted(found["spec"], schema["spec"])
    wrong += _wrong(spec, schema["spec"], "spec")
    if wrong:
        return wrong
    return [*_broken({"metadata": meta}, {RULES: schema[RULES]}, ""), *_broken(spec, schema["spec"], "spec")]


def defaulted(value: Any, schema: Json) -> Any:
    """With the definition's defaults. A null is as if nothing were written; but not as an item of a list."""
    if isinstance(value, dict):
        there, rest = schema.get("properties", {}), schema.get("additionalProperties")
        given = {k: v for k, v in value.items() if v is not None or not (k in there or rest)}
        defaults = {k: one["default"] for k, one in there.items() if "default" in one and k not in given}
        return {k: defaulted(v, there.get(k) or rest or {}) for k, v in {**given, **defaults}.items()}
    if isinstance(value, list) and "items" in schema:
        return [defaulted(v, schema["items"]) for v in value]
    return value


def _wrong(value: Any, schema: Json, path: str) -> Iterator[str]:
    """What a schema says of a value, and of all below it."""
    kind = schema["type"]
    if not _TYPES[kind](value):
        quotes = "; put it in quotes" if kind == "string" and not isinstance(value, (dict, list)) else ""
        yield f"{path}: must be {_SAID[kind]}, not {_short(value)}{quotes}"
        return
    yield from (f"{path}: {problem}" for problem in _LIMITS[kind](value, schema))
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {_short(value)} is none of {', '.join(map(str, schema['enum']))}"
    if kind == "object":
        yield from _members(value, schema, path)
    if kind == "array":
        yield from _twice(value[: schema.get("maxItems", len(value))], schema, path)
        for index, one in enumerate(value[: schema.get("maxItems", len(value))]):
            yield from _wrong(one, schema["items"], f"{path}[{index}]")


def _members(value: Json, schema: Json, path: str) -> Iterator[str]:
    if "additionalProperties" in schema:
        for key, one in value.items():
            yield from _wrong(one, schema["additionalProperties"], f"{path}.{_short_key(key)}")
        return
    there = schema.get("properties", {})
    yield from (f"{path}.{name}: is required" for name in schema.get("required", ()) if name not in value)
    for key, one in value.items():
        if key in there:
            yield from _wrong(one, there[key], f"{path}.{key}")
        else:
            alike = difflib.get_close_matches(key, there, n=1)
            hint = f"; did you mean {alike[0]}?" if alike else ""
            yield f"{path}.{_short_key(key)}: there is no such field{hint}"


def _of_text(value: str, schema: Json) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"must have at least {schema['minLength']} characters"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"may have at most {schema['maxLength']} characters, and has {len(value)}"
    elif "pattern" in schema and not _matches(schema["pattern"], value):
        yield f"{_short(value)} must match {schema['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    """As Go sees it: `$` is the end of the text, and not a line's before it."""
    return re.search(re.sub(r"(?<!\\)\$(?=$|\))", r"\\Z", pattern), value, re.ASCII) is not None


def _of_number(value: float, schema: Json) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"must be at least {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield f"may be at most {schema['maximum']}"


def _of_list(value: list[Any], schema: Json) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"must have at least {schema['minItems']} items"
    if len(value) > schema.get("maxItems", len(value)):
        yield f"may have at most {schema['maxItems']} items, and has {len(value)}"


def _twice(value: list[Any], schema: Json, path: str) -> Iterator[str]:
    """Items that there may be one of."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if not keys and schema.get("x-kubernetes-list-type") != "set":
        return
    seen = set()
    for index, one in enumerate(value):
        named = _shown(one, keys)
        if named in seen:
            yield f"{path}[{index}]: {_short(named) if not keys else named} is there twice"
        seen.add(named)


def _shown(item: Any, keys: Sequence[str]) -> str:
    if not keys or not isinstance(item, dict):
        return str(item)
    return ", ".join(f"{key}: {_short(item.get(key))}" for key in keys)


def _of_map(value: Json, schema: Json) -> Iterator[str]:
    if len(value) < schema.get("minProperties", 0):
        yield f"must have at least {schema['minProperties']} entries"
    most = schema.get("maxProperties", len(value))
    if len(value) > most:
        yield f"may have at most {most} entries, and has {len(value)}"
    if len(value) < schema.get("minProperties", 0):
        yield f"must have at least {schema['minProperties']} entries"


def _nothing(_value: Any, _schema: Json) -> Iterator[str]:
    return iter(())


_LIMITS: dict[str, Callable[[Any, Json], Iterator[str]]] = {
    "string": _of_text, "integer": _of_number, "number": _of_number, "array": _of_list, "object": _of_map,
    "boolean": _nothing,
}  # fmt: skip


# --- rules ---------------------------------------------------------------------------------------------------------


def _broken(value: Any, schema: Json, path: str) -> Iterator[str]:
    """Rules that a value, or something below it, does not keep."""
    for rule in schema.get(RULES, ()):
        if "oldSelf" not in rule["rule"] and not _kept(rule["rule"], value):
            yield f"{path}: {rule['message']}" if path else str(rule["message"])
    if isinstance(value, dict):
        for key, one in value.items():
            child = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if child:
                yield from _broken(one, child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _broken(one, schema["items"], f"{path}[{index}]")


@cache
def _compiled(rule: str) -> cel.Code:
    return cel.compiled(rule)


def _kept(rule: str, value: Any) -> bool:
    """Raises NotKnown for a rule that can't be read here; a test sees to it that there is none."""
    try:
        return _compiled(rule)({"self": value}) is True
    except cel.Wrong:
        return False


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:59]}…"


def _short_key(key: str) -> str:
    return key if len(key) <= 60 else f"{key[:59]}…"
