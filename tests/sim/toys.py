"""Two toy kinds that need all that the kernel promises.

A `Toy` works in two phases: it records an attempt, makes a Job for it once, waits for it, records the outcome, deletes
the Job, and keeps a ConfigMap as its spec says, by server-side apply. A `Shelf` counts the Toys of its namespace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from fairlead.api.common import StatusBase
from fairlead.api.kinds import KindInfo
from fairlead.api.schema import Model
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import JOB, Delete, Event, Gauge, Invalid, Kind, KindSpec, Plan, Subject, World, rfc3339
from fairlead.plan.requests import Failed, PromQuery, Request

Json = dict[str, Any]

GROUP = "test.fairlead.dev/v1"
TOY = Kind(GROUP, "Toy", "toys")
SHELF = Kind(GROUP, "Shelf", "shelves")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")


JOB_SPEC: Json = {
    "suspend": True,  # on a real cluster no pod is wanted
    "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.invalid/none"}]}},
}


class ToySpec(Model):
    """What is wanted."""

    colour: Annotated[str, Field(max_length=16)] = "red"
    attempts: Annotated[int, Field(ge=1)] = 1
    explode: bool = False
    ask: str | None = None
    every: float | None = None
    moving: bool = False
    """Much goes on in it."""
    torn: bool = False
    """Each look undoes what the one before has written."""
    shelf: str | None = None


class ToyStatus(StatusBase):
    """What was done."""

    attempt: int = 0
    job: str = ""
    job_uid: str = ""
    done: bool = False
    asked: str = ""
    windows: Annotated[list[float], Field(max_length=10)] = []
    last_window_at: str = ""


class Toy(Model):
    """A toy."""

    spec: ToySpec
    status: ToyStatus = ToyStatus()


class ShelfSpec(Model):
    """Nothing to want."""


class ShelfStatus(StatusBase):
    """What is on it."""

    toys: int = 0


class Shelf(Model):
    """A shelf."""

    spec: ShelfSpec = ShelfSpec()
    status: ShelfStatus = ShelfStatus()


def _child(subject: Subject[Any], api_version: str, kind: str, name: str, **rest: Any) -> Json:
    meta = {
        "name": name,
        "labels": labels(toy=subject.meta.name),
        "ownerReferences": [owner_reference(GROUP, "Toy", subject.meta.name, subject.meta.uid)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}


def _finished(job: Json) -> bool:
    return any(c.get("type") == "Complete" for c in job.get("status", {}).get("conditions", []))


def observe(subject: Subject[Toy], _world: World, _now: float) -> Iterable[Request]:
    """Ask what the spec names."""
    return [PromQuery("http://prom", subject.body.spec.ask)] if subject.body.spec.ask else []


def plan(subject: Subject[Toy], world: World, now: float) -> Plan:
    """The two phases."""
    spec, old = subject.body.spec, subject.body.status
    if spec.explode:
        raise ZeroDivisionError("the toy explodes")
    if spec.colour == "infrared":
        raise Invalid("spec.colour", "nobody can see infrared; choose another")
    new: dict[str, Any] = {"observed_generation": subject.meta.generation}
    conditions = Conditions(old.conditions, now, subject.meta.generation)
    made: list[Json] = []
    gone: list[Delete] = []
    events: list[Event] = []
    attempt = max(1, old.attempt)
    name = child_name(subject.meta.name, subject.meta.uid, str(attempt))
    jobs = {job["metadata"]["name"]: job for job in world.owned(JOB)}
    if not old.done:
        new |= {"attempt": attempt, "job": name, "phase": "Working"}
        job = jobs.get(name)
        if job is None and not old.job_uid:
            made.append(_child(subject, JOB.api_version, "Job", name, spec=JOB_SPEC))
        if job is not None:
            new["job_uid"] = job["metadata"]["uid"]
            if _finished(job):
                more = attempt < spec.attempts
                new |= {"attempt": attempt + 1, "job": "", "job_uid": ""} if more else {"done": True, "phase": "Done"}
                events.append(Event("Finished", f"attempt {attempt} is done"))
    if old.done or new.get("done") or new["attempt"] > attempt:
        gone = [Delete(JOB, job, raw["metadata"]["uid"]) for job, raw in jobs.items() if _finished(raw)]
        made = []
    if spec.shelf:
        made.append(_child(subject, GROUP, "Shelf", spec.shelf, spec={}))
    done = bool(new.get("done", old.done))
    conditions.set("Ready", done or None, "Done" if done else "Working")
    windows = list(old.windows)
    after = None
    if spec.every:
        if not windows or now - windows[-1] >= spec.every - 1e-6:
            windows = [*windows[-9:], now]
            new["last_window_at"] = rfc3339(now)
        after = windows[-1] + spec.every - now
    if spec.ask:
        answer = world.answer(PromQuery("http://prom", spec.ask))
        new["asked"] = answer.reason if isinstance(answer, Failed) else "ok"
    if spec.torn:
        new["asked"] = "" if old.asked else "to and fro"
    status = old.model_copy(update=new | {"conditions": conditions.result(), "windows": windows})
    config = _child(subject, "v1", "ConfigMap", f"{subject.meta.name}-config", data={"colour": spec.colour})
    return Plan(
        status, apply=[config], create=made, delete=gone, events=events, requeue_after=after, moving=spec.moving
    )


def plan_shelf(subject: Subject[Shelf], world: World, _now: float) -> Plan:
    """Count."""
    status = ShelfStatus(observed_generation=subject.meta.generation, toys=len(world.select(TOY)))
    return Plan(status)


def gauges(raw: Json) -> Iterable[Gauge]:
    """The attempts."""
    yield Gauge("toy_attempts", "Attempts.", {"toy": raw["metadata"]["name"]}, raw.get("status", {}).get("attempt", 0))


def shelves_of(_toy: Json, shelves: Iterable[Json]) -> Iterable[str]:
    """All shelves of the namespace."""
    return [shelf["metadata"]["name"] for shelf in shelves]


SPECS: tuple[KindSpec[Any], ...] = (
    KindSpec(
        TOY, KindInfo(Toy, "toys", "toy", ()), plan, observe, children=(JOB, CONFIG_MAP, SHELF), gauges=gauges,
        smaller=lambda status: [status.model_copy(update={"windows": status.windows[-1:]})],
        optional=frozenset({CONFIG_MAP}),
        settled=lambda raw: raw["metadata"].get("labels", {}).get("settled") == "yes",
    ),
    KindSpec(SHELF, KindInfo(Shelf, "shelves", "shelf", ()), plan_shelf, mappers={TOY: shelves_of}),
)  # fmt: skip


def toy(name: str, **spec: Any) -> Json:
    """A manifest."""
    return {"apiVersion": GROUP, "kind": "Toy", "metadata": {"name": name, "namespace": "play"}, "spec": spec}


def shelf(name: str) -> Json:
    """A manifest."""
    return {"apiVersion": GROUP, "kind": "Shelf", "metadata": {"name": name, "namespace": "play"}, "spec": {}}
