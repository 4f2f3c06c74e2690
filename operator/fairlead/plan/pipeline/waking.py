"""What wakes a Pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from fairlead.plan.core import COMPONENT, DATASET, MODEL_VERSION, PIPELINE_RUN, POD, Json, Kind, Mapper, Peers
from fairlead.plan.jobs import attempt
from fairlead.plan.pipeline import history, logs, measuring, tries
from fairlead.plan.pipeline.asking import OfPipeline
from fairlead.plan.pipeline.components import waking as components
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.triggers.base import Heed
from fairlead.plan.pipeline.types import registry as types


def by_run(run: Json, _pipelines: Iterable[Json]) -> list[str]:
    """The pipeline that a run belongs to."""
    name = run["spec"].get("pipeline")
    return [name] if name else []


def by_pod(pod: Json, _pipelines: Iterable[Json]) -> list[str]:
    """The pipeline whose private repository a pod asks."""
    return attempt.wakes(pod, OfPipeline.label)


_OWN: dict[Kind, Mapper] = {
    PIPELINE_RUN: by_run, MODEL_VERSION: history.by_version, POD: by_pod, COMPONENT: components.by_component,
}  # fmt: skip
"""Of what a Pipeline itself has brought about, and which one is clear from the object; and of Components, whose
Pipelines are in any namespace."""
ANYWHERE = frozenset({COMPONENT})


def mappers() -> dict[Kind, Mapper]:
    """The kinds whose objects wake Pipelines, and which ones."""
    heeded = triggers.heeds()
    return {kind: partial(_woken, kind, heeded.get(kind, [])) for kind in dict.fromkeys((*_OWN, DATASET, *heeded))}


def _woken(kind: Kind, heeded: list[tuple[str, Heed]], obj: Json, pipelines: Peers) -> Iterator[str]:
    if kind in _OWN:
        yield from _OWN[kind](obj, pipelines)
    heeded = [(field, heed) for field, heed in heeded if heed.counts(obj)]
    if kind != DATASET and not heeded:
        return
    for pipeline in pipelines:
        spec = pipeline["spec"]
        if (
            triggers.goes_by(spec, obj, heeded)
            or (kind == DATASET and _read_by_steps(spec, obj))
            or (kind == MODEL_VERSION and _of_its_models(spec, obj))
        ):
            yield pipeline["metadata"]["name"]


def _read_by_steps(spec: Json, dataset: Json) -> bool:
    name = dataset["metadata"]["name"]
    return name in measuring.datasets(spec) or any(name in types.datasets(step) for step in spec.get("steps") or ())


def _of_its_models(spec: Json, version: Json) -> bool:
    """Whoever has made it: if it is approved, triggers that have tried in vain let it have its chance."""
    model = (version.get("spec") or {}).get("model")
    return any(one.get("model") == model for one in spec.get("produces") or ())


def heeds() -> dict[Kind, Callable[[Json], Any]]:
    """What of these objects counts, of kinds of which not everything does."""
    found: dict[Kind, list[Callable[[Json], Any]]] = {
        PIPELINE_RUN: [of_run], DATASET: [_whole], MODEL_VERSION: [history.outcome, tries.refused],
        COMPONENT: [components.heeded],
    }  # fmt: skip
    for kind, heeded in triggers.heeds().items():
        found.setdefault(kind, []).extend(heed.of or _whole for _, heed in heeded)
    return {kind: partial(_all, parts) for kind, parts in found.items() if _whole not in parts}


def of_run(run: Json) -> Any:
    """What a Pipeline goes by in a run: how that stands. What its steps do meanwhile changes many times a run, and is
    none of it."""
    meta, status = run["metadata"], run.get("status") or {}
    phase = status.get("phase")
    return (
        [meta.get(key) for key in ("labels", "annotations", "ownerReferences", "deletionTimestamp")],
        run.get("spec"), phase, bool(status.get("template")), phase in TERMINAL and status.get("message"),
        [status.get(key) for key in ("datasets", "after", "commit", "models", "finishedAt")],
        logs.awaited(status), list(map(_of_step, status.get("steps") or ())),
    )  # fmt: skip


def _of_step(step: Json) -> Any:
    cache = step.get("cache") or {}
    return step.get("gpuSeconds"), cache.get("outcome"), cache.get("outcome") == "Mismatch" and cache.get("message")


def _whole(obj: Json) -> Json:
    return obj


def _all(parts: Iterable[Callable[[Json], Any]], obj: Json) -> list[Any]:
    return [part(obj) for part in parts]
