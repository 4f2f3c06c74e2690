"""A run when a run of another Pipeline has completed.

Of several that have completed meanwhile the last one counts, in the order in which they were made. One that is older
than what was handled starts nothing: it was made before, or is what is left when newer ones are cleared away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fairlead.api.pipeline import AfterTrigger, Pipeline
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Context, Json, World
from fairlead.plan.pipeline import runs
from fairlead.plan.pipeline.triggers.base import Heed, Reference, Seeing, Sight, unknown

CIRCLE = "Circle"


def _of_it(mine: Json, run: Json) -> bool:
    return bool(mine.get("pipeline") == (run.get("spec") or {}).get("pipeline"))


def _named(mine: Json, pipeline: Json) -> bool:
    return bool(mine.get("pipeline") == pipeline["metadata"]["name"])


def _waits_for(pipeline: Json) -> list[str]:
    """The Pipelines that one comes after; what it gets may be malformed."""
    entries = (pipeline.get("spec") or {}).get("triggers") or ()
    named = ((one.get("after") or {}).get("pipeline") for one in entries)
    return [name for name in named if isinstance(name, str)]


class AfterRun(Seeing[AfterTrigger]):
    """The key is when the run was made, and its name."""

    field = "after"
    heeds = (Heed(PIPELINE_RUN, _of_it, runs.completed, counts=runs.completed), Heed(PIPELINE, _named, _waits_for))

    def label(self) -> str:
        """The Pipeline's name."""
        return self.spec.pipeline

    def references(self) -> Iterable[Reference]:
        """The Pipeline."""
        return (Reference(PIPELINE, self.spec.pipeline),)

    def outlook(self, _now: float) -> str:
        """The next one."""
        return f"a run of Pipeline {self.spec.pipeline} has completed"

    def sight(self, context: Context[Pipeline]) -> Sight:
        """The newest run."""
        if way := _circle(context.world, context.name, self.spec.pipeline):
            return unknown(CIRCLE, f"Pipelines wait for each other: {' → '.join(way)}; take one of these triggers away")
        found = runs.newest_completed(context.world, self.spec.pipeline)
        if found is None:
            return Sight("Quiet", f"no run of Pipeline {self.spec.pipeline} has completed so far", exact=True)
        name, handled = found["metadata"]["name"], context.subject.body.status.handled.get(self.name)
        told = f"run {name} of Pipeline {self.spec.pipeline} has completed"
        key = f"{found['metadata'].get('creationTimestamp', '')}/{name}"
        if handled is not None and runs.made(found) <= _order(handled):
            return Sight("Quiet", told, key=handled, exact=True)
        return Sight("Asks", told, key=key, exact=True)

    def follows(self, key: str) -> Mapping[str, str]:
        """The run that it saw, though there may be a newer one by now."""
        return {self.spec.pipeline: key.partition("/")[2]}


def _order(handled: str) -> tuple[str, int, str]:
    created, _, name = handled.partition("/")
    return runs.order(created, name)


def _circle(world: World, start: str, first: str) -> list[str]:
    """The way from a Pipeline back to itself, by way of one that it waits for; empty: there is none."""
    came: dict[str, str] = {first: start}
    todo = [first]
    while todo and start not in came:
        name = todo.pop()
        raw = world.get(PIPELINE, name)
        for other in _waits_for(raw) if raw is not None else ():
            if other not in came:
                came[other] = name
                todo.append(other)
    return list(_back(came, start)) if start in came else []


def _back(came: Mapping[str, str], start: str) -> Iterator[str]:
    yield start
    name = came[start]
    while name != start:
        yield name
        name = came[name]
    yield start
