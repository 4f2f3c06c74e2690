"""A task's answer, cut to what a termination message can hold: always valid JSON, optional detail goes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fairlead.api.tasks import RESULT_LIMIT, TaskResult

Json = dict[str, Any]


def encode(result: TaskResult, limit: int = RESULT_LIMIT) -> bytes:
    """JSON of at most `limit` bytes, packed if need be. Raises ValueError if even the bare facts don't fit."""
    value = result.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    steps = (_shorten_texts(300), _drop_passed, _shorten_texts(120), _few_checks, _drop_messages, _drop_sample)
    for shorten in (lambda _: None, *steps):
        shorten(value)
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        for form in (body, TaskResult.pack(body)):
            if len(form) <= limit:
                return form
    raise ValueError(f"the result has {len(body)} bytes, and packed still more than the {limit} that fit")


def _entries(value: Json) -> list[Json]:
    """The parts that carry messages: the error, checks, gates."""
    found: list[Json] = [value["error"]] if "error" in value else []
    for member, name in (("snapshot", "checks"), ("evaluate", "gates")):
        found += value.get(member, {}).get(name, [])
    return found


def _shorten_texts(length: int) -> Callable[[Json], None]:
    def shorten(value: Json) -> None:
        for entry in _entries(value):
            if len(entry.get("message", "").encode()) > length:
                entry["message"] = entry["message"].encode()[: length - 3].decode(errors="ignore") + "…"

    return shorten


def _drop_passed(value: Json) -> None:
    for entry in value.get("evaluate", {}).get("gates", []):
        if entry.get("verdict") == "Passed":
            entry.pop("message", None)
    if "checks" in value.get("snapshot", {}):
        value["snapshot"]["checks"] = [c for c in value["snapshot"]["checks"] if not c["passed"]]


def _drop_sample(value: Json) -> None:
    value.get("evaluate", {}).pop("sample", None)


def _few_checks(value: Json) -> None:
    if "checks" in value.get("snapshot", {}):
        value["snapshot"]["checks"] = value["snapshot"]["checks"][:10]


def _drop_messages(value: Json) -> None:
    for entry in value.get("evaluate", {}).get("gates", []):
        entry.pop("message", None)
