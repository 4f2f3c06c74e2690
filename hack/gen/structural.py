"""From pydantic's JSON schema to what the API server accepts: a structural OpenAPI v3 schema."""

from __future__ import annotations

from typing import Any

from fairlead.api.halves import MARK
from fairlead.api.schema import Model

Node = dict[str, Any]

KEPT = "x-kubernetes-preserve-unknown-fields"
ORDER = (
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "exclusiveMinimum",
    "maximum", "exclusiveMaximum", "minItems", "maxItems", "minProperties", "maxProperties", "default", "required",
    "properties", "additionalProperties", "items", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type", KEPT, "x-kubernetes-validations", MARK,
)  # fmt: skip
"""The keywords that may be left in the end, in the order in which they read best."""

DROPPED = frozenset({"title", "anyOf", "$ref", "$defs", "const", "propertyNames", "patternProperties"})
"""Keywords that are rewritten or have no meaning in a structural schema."""


class Unsupported(Exception):  # noqa: N818 - the house's names of errors
    """A model uses something that a structural schema cannot say. The message has the path."""


def schema_of(model: type[Model]) -> Node:
    """The structural schema of a kind's model: `properties` has `spec` and `status`."""
    raw = model.model_json_schema(by_alias=True)
    return convert(raw, raw.get("$defs", {}), model.__name__)


def convert(raw: Node, definitions: Node, path: str) -> Node:
    """One node and all below it. Raises `Unsupported`."""
    merged = merge(raw, definitions, path)
    node: Node = {}
    for key, value in merged.items():
        if key == "description":
            node[key] = paragraphs(value)
        elif key == "properties":
            node[key] = {name: convert(child, definitions, f"{path}.{name}") for name, child in value.items()}
        elif key == "items":
            node[key] = convert(value, definitions, f"{path}[]")
        elif key == "additionalProperties":
            if isinstance(value, dict):
                node[key] = convert(value, definitions, f"{path}[*]")
        elif key == "patternProperties":
            if len(value) != 1:
                raise Unsupported(f"{path}: keys by several patterns")
            node[key] = {name: convert(child, definitions, f"{path}[*]") for name, child in value.items()}
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            node |= {key.removeprefix("exclusive").lower(): value, key: True}
        elif key in ORDER:
            node[key] = value
        elif key not in DROPPED:
            raise Unsupported(f"{path}: the keyword {key!r} has no place in a structural schema")
    finish(node, merged, path)
    return {key: node[key] for key in ORDER if key in node}


def merge(raw: Node, definitions: Node, path: str) -> Node:
    """A node with its `$ref` and its `anyOf [X, null]` dissolved; what stands beside them wins."""
    if "$ref" in raw:
        target = definitions[raw["$ref"].rpartition("/")[2]]
        return merge(target, definitions, path) | {k: v for k, v in raw.items() if k != "$ref"}
    if "anyOf" in raw:
        some = [option for option in raw["anyOf"] if option.get("type") != "null"]
        if len(some) != 1:
            raise Unsupported(f"{path}: a union; use optional members and exactly_one_of")
        return merge(some[0], definitions, path) | {k: v for k, v in raw.items() if k != "anyOf"}
    return raw


def finish(node: Node, merged: Node, path: str) -> None:
    """Constants, keys of maps, defaults; and the demand that every node has a type."""
    if "const" in merged:
        node["enum"] = [merged["const"]]
    names = dict(merged.get("propertyNames", {}))
    for pattern, value in node.pop("patternProperties", {}).items():
        names["pattern"] = pattern
        node["additionalProperties"] = value
    if names.keys() & {"pattern", "maxLength"}:
        node["x-kubernetes-validations"] = [*node.get("x-kubernetes-validations", []), key_rule(names)]
    if node.get("default", "") is None:
        del node["default"]
    if "type" not in node:
        raise Unsupported(f"{path}: a node without a type")
    if "default" in node and not worth_saying(node):
        del node["default"]


def key_rule(names: Node) -> Node:
    """A CEL rule for the keys of a map, which structural schemas cannot bound otherwise."""
    pattern, longest = names.get("pattern"), names.get("maxLength")
    terms = [f"key.size() <= {longest}"] if longest else []
    terms += [f"key.matches('{pattern}')"] if pattern else []
    message = f"keys must match {pattern}" + (f" and have at most {longest} characters" if longest else "")
    return {"rule": f"self.all(key, {' && '.join(terms)})", "message": message}


def worth_saying(node: Node) -> bool:
    """Whether a default changes anything. An object's default becomes `{}` when defaults lie below it, so that the
    API server fills those in; empty strings, lists and maps are what their absence means anyway."""
    if node["type"] == "object" and "properties" in node:
        node["default"] = {}
        return has_defaults(node)
    if node["type"] == "array":
        node["default"] = [without_empty(value) for value in node["default"]]
    return node["default"] not in ("", [], {})


def without_empty(value: Any) -> Any:
    """A default without the members that say nothing."""
    if not isinstance(value, dict):
        return value
    return {k: without_empty(v) for k, v in value.items() if v is not None}


def has_defaults(node: Node) -> bool:
    """Whether any member has a default."""
    return any("default" in child for child in node["properties"].values())


def paragraphs(text: str) -> str:
    """A docstring with each paragraph on one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def plain(node: Node, *, described: bool) -> Node:
    """A status's schema: what the operator writes needs neither defaults, nor rules, nor patterns to hold it back.
    Below a copy of a spec the descriptions go too: they stand where people write it."""
    out = {
        key: value
        for key, value in node.items()
        if key not in ("default", "x-kubernetes-validations", "pattern") and (described or key != "description")
    }
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = plain(out[key], described=described)
    if "properties" in out:
        out["properties"] = {k: plain(v, described=described) for k, v in out["properties"].items()}
    return out
