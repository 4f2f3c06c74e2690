"""Objects in which every field is set, made from a structural schema."""

from __future__ import annotations

import re
from typing import Any

Node = dict[str, Any]
WORDS = (
    "1", "a", "1h", "1%", "s3://abc/x", "http://s3.example:9000", "/a", "0" * 64, "a.b", "nvidia.com/gpu", "abc", "1Gi",
    "1m", "Word", "1g.10gb", "0" * 40,
)  # fmt: skip
TIME = "2026-01-02T03:04:05.000006Z"


def filled(node: Node) -> Any:
    """A value for a schema, with every member present."""
    if "enum" in node:
        return node["enum"][0]
    if node["type"] == "object":
        if "additionalProperties" in node:
            return {"a": filled(node["additionalProperties"])}
        return {name: filled(child) for name, child in node["properties"].items()}
    if node["type"] == "array":
        return [filled(node["items"])]
    return scalar(node)


def scalar(node: Node) -> Any:
    """A plain value."""
    if node["type"] == "boolean":
        return True
    if node["type"] == "integer":
        return max(1, node.get("minimum", 1))
    if node["type"] == "number":
        return 1.5
    if node.get("format") == "date-time":
        return TIME
    low, high = node.get("minLength", 0), node.get("maxLength", 64)
    return next(w for w in WORDS if re.search(node.get("pattern", ""), w) and low <= len(w) <= high)
