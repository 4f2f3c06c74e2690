"""Whether a pipeline should run, decided by comparing what is with what was last handled.

Events only wake the decision: losing one, or getting it twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import PipelineSpec, ScheduleTrigger, Trigger
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import DATASET, World, epoch, rfc3339
from fairlead.plan.pipeline import cron
from fairlead.plan.read import NotReadable, read

_NAME_LIMIT = 128


@dataclass(frozen=True)
class Due:
    """A trigger that has something to say."""

    trigger: str
    key: str
    reason: str


def name_of(trigger: Trigger) -> str:
    """`dataset/flights`, `schedule/0 3 * * 1`; a time zone other than UTC is named."""
    if trigger.dataset:
        return f"dataset/{trigger.dataset.name}"
    assert trigger.schedule is not None
    zone = "" if trigger.schedule.time_zone == "Etc/UTC" else f" {trigger.schedule.time_zone}"
    full = f"schedule/{trigger.schedule.cron}{zone}"
    return full if len(full) <= _NAME_LIMIT else f"{full[: _NAME_LIMIT - 11]}-{short_hash(full)}"


def handled(spec: PipelineSpec, before: dict[str, str], now: float, resumed: bool) -> dict[str, str]:
    """The handled keys, brought up to date with the spec: what is not a trigger any more is forgotten, a schedule that
    is new (or resumes) begins now, a Dataset that is new begins with nothing handled."""
    found = {}
    for trigger in spec.triggers:
        name = name_of(trigger)
        if trigger.schedule and (resumed or name not in before):
            found[name] = rfc3339(now)
        elif name in before:
            found[name] = before[name]
    return found


def due(spec: PipelineSpec, before: dict[str, str], world: World, now: float) -> list[Due]:
    """The triggers that ask for a run, in the order of the spec."""
    found = (
        _dataset(trigger, before, world)
        if trigger.dataset
        else _schedule(trigger.schedule, name_of(trigger), before, now)
        for trigger in spec.triggers
    )
    return [one for one in found if one is not None]


def _dataset(trigger: Trigger, before: dict[str, str], world: World) -> Due | None:
    assert trigger.dataset is not None
    name, dataset = name_of(trigger), trigger.dataset.name
    version = current_version(world, dataset)
    last = before.get(name, "")
    if not version or version == last:
        return None
    return Due(name, version, f"Dataset {dataset} has version {version}" + (f" (last run: {last})" if last else ""))


def current_version(world: World, dataset: str) -> str:
    """A Dataset's current version, or an empty string: without one, and where it can't be read, which the Pipeline's
    condition says."""
    raw = world.get(DATASET, dataset)
    try:
        current = read(Dataset, DATASET, raw).status.current if raw else None
    except NotReadable:
        return ""
    return current.version if current else ""


def _schedule(schedule: ScheduleTrigger | None, name: str, before: dict[str, str], now: float) -> Due | None:
    assert schedule is not None
    time = cron.latest_due(schedule, epoch(before[name]), now) if name in before else None
    return Due(name, rfc3339(time), f"{schedule.cron} was due at {rfc3339(time)}") if time is not None else None


def next_time(spec: PipelineSpec, now: float) -> float | None:
    """Seconds until the next scheduled time."""
    times: Iterable[float] = (cron.next_due(t.schedule, now) - now for t in spec.triggers if t.schedule)
    return min(times, default=None)


def pins(spec: PipelineSpec, keys: dict[str, str]) -> dict[str, str]:
    """The Dataset versions that a run is for, from the handled keys."""
    names = {t.dataset.name: name_of(t) for t in spec.triggers if t.dataset}
    return {dataset: keys[name] for dataset, name in names.items() if name in keys}
