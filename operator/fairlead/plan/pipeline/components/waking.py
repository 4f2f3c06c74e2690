"""Whom a Component wakes: the Pipelines that use it, and runs that wait for one, in all namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.plan.core import Json, Peers
from fairlead.plan.pipeline.components.find import REASON

_WAITS = "waits/component"
"""Key of runs that have not started, for a Component can't be used."""


def by_component(component: Json, pipelines: Peers) -> Iterator[str]:
    """The Pipelines of a namespace that use it."""
    meta = component["metadata"]
    for pipeline in pipelines:
        own = pipeline["metadata"].get("namespace", "")
        if any(_names(step, own) == (meta.get("namespace", ""), meta["name"]) for step in _steps(pipeline)):
            yield pipeline["metadata"]["name"]


def _steps(pipeline: Json) -> Any:
    return (pipeline.get("spec") or {}).get("steps") or ()


def _names(step: Json, own: str) -> tuple[str, str]:
    """Namespace and name of the Component that a step uses."""
    ref = step.get("component") or {}
    return ref.get("namespace") or own, ref.get("name") or ""


def runs_by_component(_component: Json, runs: Peers) -> Iterator[str]:
    """The runs of a namespace that wait for some Component: they are few, and look for themselves."""
    yield from (run["metadata"]["name"] for run in runs.indexed(_WAITS))


def keys(run: Json) -> Iterator[str]:
    """By which a run is found that waits for a Component."""
    status = run.get("status") or {}
    if status.get("template") is None and status.get("phase") == "Pending":
        reasons = (str(one.get("reason", "")) for one in status.get("conditions") or () if one.get("type") == "Ready")
        yield from (_WAITS for reason in reasons if reason.startswith(REASON))


def heeded(component: Json) -> Any:
    """What of a Component matters to others."""
    return component.get("spec")
