"""What is different from the run before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.plan.core import Json

_BEFORE, _SHOWN = 60, 160
"""Characters that are shown of a text: before the first that differs, and in all."""


def between(old: Json, new: Json) -> list[str]:
    """Lines for people: data, parameters and steps that differ, and what became of each output.

    old, new: PipelineRuns."""
    was, now = old.get("status") or {}, new.get("status") or {}
    data = _differ({d["name"]: d["version"] for d in was.get("datasets") or ()},
                   {d["name"]: d["version"] for d in now.get("datasets") or ()})  # fmt: skip
    params = _differ(was.get("params") or {}, now.get("params") or {})
    found = [f"data {name}: {change}" for name, change in data.items()]
    found += [f"param {name}: {change}" for name, change in params.items()]
    edited = _edited(was, now)
    found += [f"step {name}: {change}" for name, change in edited.items()]
    outputs_were, outputs_are = _outputs(was), _outputs(now)
    for name, change in _differ(outputs_were, outputs_are, short=True).items():
        found.append(f"output {name}: {change}{_why(name, outputs_were, outputs_are, data, params, edited)}")
    same = [name for name, digest in outputs_are.items() if outputs_were.get(name) == digest]
    if same:
        found.append(f"the same bytes: {', '.join(same)}")
    return found


def _why(name: str, were: Mapping[str, str], are: Mapping[str, str], *causes: Mapping[str, str]) -> str:
    """What is said of an output that is another one though nothing that is recorded is."""
    if name not in were or name not in are or any(causes):
        return ""
    return " (data, parameters and steps are the same: a program or a library has changed, or does not repeat itself)"


def _differ(was: Mapping[str, str], now: Mapping[str, str], *, short: bool = False) -> dict[str, str]:
    found = {}
    for name in {**was, **now}:
        old, new = was.get(name), now.get(name)
        if old != new:
            first, most = (0, 12) if short else (max(0, _same(old or "", new or "") - _BEFORE), _SHOWN)
            found[name] = f"{_part(old, first, most, short=short)} → {_part(new, first, most, short=short)}"
    return found


def _same(one: str, other: str) -> int:
    """Characters at the beginning in which two texts are the same."""
    return next((at for at, both in enumerate(zip(one, other, strict=False)) if both[0] != both[1]),
                min(len(one), len(other)))  # fmt: skip


def _part(text: str | None, first: int, most: int, *, short: bool) -> str:
    """What is shown of one that differs: of a long text where it does."""
    if text is None:
        return "none"
    left = text[first : first + most]
    return left if short else f"{'…' if first else ''}{left}{'…' if first + most < len(text) else ''}"


def _outputs(status: Json) -> dict[str, str]:
    return {
        f"{step['name']}.{one['name']}": one["sha256"]
        for step in status.get("steps") or () for one in step.get("outputs") or ()
    }  # fmt: skip


def _edited(was: Json, now: Json) -> dict[str, str]:
    """By step: the fields that are written otherwise."""
    before, after = _steps(was), _steps(now)
    found = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            found[name] = "is new" if old is None else "is not there any more"
        elif fields := sorted(key for key in {**old, **new} if old.get(key) != new.get(key)):
            found[name] = f"{', '.join(fields)} edited"
    return found


def _steps(status: Json) -> dict[str, dict[str, Any]]:
    template = status.get("template") or {}
    return {step["name"]: step for step in template.get("steps") or ()}
