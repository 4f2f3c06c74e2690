"""The triggers that there are. Adding one ends with a line here; the rest is what a Pipeline's say together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fairlead.api import pipeline as api
from fairlead.plan.core import Context, Invalid, Json, Kind
from fairlead.plan.pipeline.triggers.after import AfterRun
from fairlead.plan.pipeline.triggers.base import Due, Heed, Private, Reference, Seeing, Sight, Standing, Trigger
from fairlead.plan.pipeline.triggers.code import OfCode
from fairlead.plan.pipeline.triggers.condition import OnCondition
from fairlead.plan.pipeline.triggers.dataset import OfDataset
from fairlead.plan.pipeline.triggers.image import OfImage
from fairlead.plan.pipeline.triggers.prometheus import OnValue
from fairlead.plan.pipeline.triggers.schedule import OnSchedule
from fairlead.plan.pipeline.triggers.stale import OnStale
from fairlead.plan.requests import Request

TRIGGERS: tuple[type[Trigger[Any]], ...] = (
    OfDataset,
    OnSchedule,
    OnCondition,
    OnStale,
    OnValue,
    OfImage,
    AfterRun,
    OfCode,
)


def all_of(spec: api.PipelineSpec) -> Iterator[Trigger[Any]]:
    """A Pipeline's triggers, in the order of the spec. Raises Invalid for one that this Fairlead does not know."""
    for index, entry in enumerate(spec.triggers):
        yield _of(entry, f"spec.triggers[{index}]")


def _of(entry: api.Trigger, path: str) -> Trigger[Any]:
    for one in TRIGGERS:
        if (said := getattr(entry, one.field)) is not None:
            return one(said)
    known = ", ".join(one.field for one in TRIGGERS)
    raise Invalid(path, f"its type is not known to this version of Fairlead, which knows {known}; write one of these, "
                        "or bring Fairlead to the version that the trigger was written for")  # fmt: skip


def check(spec: api.PipelineSpec) -> None:
    """Raises Invalid with the path of the first field that makes no sense."""
    known = dict[str, tuple[int, Trigger[Any]]]()
    for index, one in enumerate(all_of(spec)):
        path = f"spec.triggers[{index}].{one.field}"
        one.check(path)
        first, other = known.setdefault(one.name, (index, one))
        if isinstance(one, Seeing) and one.spec != other.spec:  # what one sees would be taken for the other's
            raise Invalid(path, f"it goes by the same as spec.triggers[{first}] ({one.name}); make one of both")


def references(spec: api.PipelineSpec) -> set[Reference]:
    """What the triggers speak of."""
    return {one for trigger in all_of(spec) for one in trigger.references()}


def handled(spec: api.PipelineSpec, before: Mapping[str, str], now: float, resumed: bool) -> dict[str, str]:
    """The handled keys, brought up to date with the spec: what is not a trigger any more is forgotten, one that is new
    begins. resumed: the Pipeline was suspended until now."""
    found = {}
    for one in all_of(spec):
        known = before.get(one.name)
        key = one.begin(now) if known is None else one.resume(known, now) if resumed else known
        if key is not None:
            found[one.name] = key
    return found


def requests(context: Context[api.Pipeline]) -> Iterator[Request]:
    """What has to be asked of the outside before `due`."""
    for one in all_of(context.subject.body.spec):
        yield from one.requests(context)


def private(context: Context[api.Pipeline]) -> Iterator[Private]:
    """What Jobs have to ask before `due`."""
    found = (one.private(context) for one in all_of(context.subject.body.spec))
    return (one for one in found if one is not None)


def due(
    keys: Mapping[str, str], context: Context[api.Pipeline], anew: Collection[str] = ()
) -> dict[str, Due]:  # fmt: skip
    """What triggers ask a run for, by their names, in the order of the spec. keys: those handled, by name. anew: those
    that may ask once more for what was handled."""
    asked = ((one, None if one.name in anew else keys.get(one.name)) for one in all_of(context.subject.body.spec))
    found = ((one.name, one.due(key, context)) for one, key in asked)
    return {name: asks for name, asks in found if asks is not None}


def standing(spec: api.PipelineSpec) -> set[str]:
    """Names of the triggers that go by what is the case."""
    return {one.name for one in all_of(spec) if isinstance(one, Standing)}


def seeing(spec: api.PipelineSpec) -> set[str]:
    """Names of the triggers that say what they see."""
    return {one.name for one in all_of(spec) if isinstance(one, Seeing)}


def sights(context: Context[api.Pipeline]) -> dict[str, Sight]:
    """What these see, by name, in the order of the spec; without those that have not been asked for."""
    mine = (one for one in all_of(context.subject.body.spec) if isinstance(one, Seeing))
    found = ((one.name, one.sight(context)) for one in mine)
    return {name: sight for name, sight in found if sight is not None}


def next_time(context: Context[api.Pipeline]) -> float | None:
    """Seconds until a trigger is to be asked again, if no event says so."""
    times = (one.next_time(context) for one in all_of(context.subject.body.spec))
    return min((time for time in times if time is not None), default=None)


def pins(spec: api.PipelineSpec, keys: Mapping[str, str]) -> dict[str, str]:
    """The Dataset versions that a run is for, from the handled keys."""
    known = [one for one in all_of(spec) if one.name in keys]
    return {name: version for one in known for name, version in one.pins(keys[one.name]).items()}


def follows(spec: api.PipelineSpec, keys: Mapping[str, str]) -> dict[str, str]:
    """Runs of other Pipelines that a run follows, by the Pipeline's name. keys: for which it is started."""
    known = [one for one in all_of(spec) if one.name in keys]
    return {name: run for one in known for name, run in one.follows(keys[one.name]).items()}


def commit(spec: api.PipelineSpec, keys: Mapping[str, str]) -> str | None:
    """The commit of its code that a run is for; None: what its ref stands for when it starts. keys: for which it is
    started."""
    named = (one.commit(keys[one.name]) for one in all_of(spec) if one.name in keys)
    return next((found for found in named if found), None)


def heeds() -> dict[Kind, list[tuple[str, Heed]]]:
    """What the types of triggers go by, by kind: (a type's field, what)."""
    found: dict[Kind, list[tuple[str, Heed]]] = {}
    for one in TRIGGERS:
        for heed in one.heeds:
            found.setdefault(heed.kind, []).append((one.field, heed))
    return found


def goes_by(spec: Json, obj: Json, heeded: Iterable[tuple[str, Heed]]) -> bool:
    """Whether a trigger of a spec (as JSON) goes by an object."""
    entries = spec.get("triggers") or ()
    return any(entry.get(field) and heed.matters(entry[field], obj) for entry in entries for field, heed in heeded)
