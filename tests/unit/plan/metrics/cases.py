"""A rollout for each metric, and what can happen to that which it reads. A new metric gets a line in `CASES`."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, nan

from tests.unit.plan.label_world import LabelWorld, labels
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim, spec

from fairlead.api.tasks import TaskError
from fairlead.plan.core import rfc3339
from fairlead.plan.requests import PromQuery, Vector

Change = Callable[["World"], None]
LONG = "3000s"
CANARY = {"weight": 50, "for": LONG}
SHADOW = {"shadow": "100%", "for": LONG}


class World(LabelWorld):
    """All that a metric can read: counters of pods and of Prometheus, a value, answers, labels, people."""

    worth: float = 0.0
    """By how much the candidate's value is worse."""
    unusable: Vector | None = None
    """What Prometheus answers instead."""
    people: str = ""
    """What people say of each pair."""
    ticks: int = 0

    def close(self, requests: int = 100) -> None:
        """A second with so many requests; somebody looks, people judge, and labels come."""
        self.step(requests)
        self.look()

    def step(self, requests: int = 100, seconds: float = 1.0) -> None:
        """The same, without a look."""
        self.ticks += 1
        rng = random.Random(self.ticks)
        self.gauges |= {"m-1": _one(rng.gauss(1.0, 0.1)), "m-2": _one(rng.gauss(1.0 + self.worth, 0.1))}
        self.traffic(requests)
        self.now += seconds
        if self.ticks % 4 == 0:
            self.publish()
        waiting = ((self.status.get("candidate") or {}).get("review") or {}).get("pairs", []) if self.people else []
        said = [{"pair": one["id"], "version": "m-2", "better": self.people, "by": "bob", "at": rfc3339(self.now)}
                for one in waiting]  # fmt: skip
        self.spec["judgements"] = [*self.spec.get("judgements", []), *said][-100:]  # there is room for so many

    def _query(self, request: PromQuery) -> object:
        return self.unusable if self.unusable is not None else super()._query(request)

    def state(self) -> Json:
        """The guard's."""
        found: Json = next(one for one in self.candidate["guards"] if one["guard"].startswith("0/"))
        return found


@dataclass(frozen=True)
class Case:
    """What a metric is tried with."""

    guard: Json
    another: Json
    """The guard, changed."""
    worse: Change
    """From here on the candidate is worse in it."""
    away: Change
    back: Change
    broken: tuple[Change, ...]
    """What is read is no number, or none that can be."""
    step: Json
    additive: bool = True
    """Two windows count what one does that is as long as both."""

    def begun(self) -> World:
        """A rollout by this guard alone, under way; m-2 is no worse than m-1. Each caller has a world of its own: how
        it began is the same for all, and is played once."""
        return copy.deepcopy(_begun(json.dumps([self.guard, self.step])))


@cache
def _begun(written: str) -> World:
    guard, step = json.loads(written)
    body = spec(guard, record={"output": {"type": "number"}})
    body["rollout"]["steps"] = [step]
    sim = World(body, says={"m-1": _normal(0.0), "m-2": _normal(0.0)}, delay=1.0, labelled=0.5)
    sim.errors |= {"m-1": 0.02, "m-2": 0.02}
    sim.wrong |= {"m-1": 0.1, "m-2": 0.1}
    sim.publish()
    sim.go_live()
    sim.traffic(400)
    sim.now += 1.0
    sim.begin()
    return sim


def _one(value: float) -> Vector:
    return Vector((("series", value),))


def _normal(mean: float) -> Callable[[int], object]:
    return lambda number: [random.Random(number).gauss(mean, 1.0)]


def _says(told: object) -> Change:
    def change(sim: World) -> None:
        sim.says |= {"m-1": lambda _: told, "m-2": lambda _: told}

    return change


def _page(text: str) -> Change:
    def change(sim: World) -> None:
        sim.pages |= {name: lambda _: text for name in ("m-1", "m-2")}

    return change


def _set(**changes: object) -> Change:
    def change(sim: World) -> None:
        for name, value in changes.items():
            setattr(sim, name, value)

    return change


def _unreadable(sim: World) -> None:
    sim.unreadable |= {"m-2"}


def _readable(sim: World) -> None:
    sim.unreadable.clear()


def _otherwise(sim: World) -> None:
    sim.says["m-2"] = _normal(3.0)


def _judged(sim: World) -> None:
    _otherwise(sim)
    sim.people = "Live"


COUNTERS = (_page('requests_total NaN\nseconds_bucket{le="+Inf"} NaN\n'), _page("requests_total +Inf\n"), _page("?"))
VALUES = (_set(unusable=Vector((), 1)), _set(unusable=_one(1e300)), _set(unusable=Vector(())))
UNREAD = (_says(None), _says([]), _says("text"))
ANSWERS = (_says([nan]), _says([inf]), _says([-inf]), *UNREAD)
_PROMETHEUS = {"away": _set(prometheus_down=True), "back": _set(prometheus_down=False), "broken": VALUES}
_PODS = {"away": _unreadable, "back": _readable, "broken": COUNTERS}
_KEPT = {"away": _unreadable, "back": _readable, "broken": ANSWERS}

CASES: dict[str, Case] = {
    "errors": Case(
        {"metric": "errors"}, {"metric": "errors", "worseBy": "1%"},
        lambda sim: sim.errors.update({"m-2": 0.5}), step=CANARY, **_PODS,
    ),
    "latency": Case(
        {"metric": "latency"}, {"metric": "latency", "quantile": "p50"},
        lambda sim: sim.slow.update({"m-2": 0.5}), step=CANARY, **_PODS,
    ),
    "outcomes": Case(
        OUTCOMES, OUTCOMES | {"worseBy": "1%"}, lambda sim: sim.wrong.update({"m-2": 0.7}), step=CANARY, **_PROMETHEUS,
    ),
    "gauge": Case(
        {"metric": "gauge", "gauge": {"value": "gauge:{{version}}"}},
        {"metric": "gauge", "gauge": {"value": "gauge:{{version}}", "tolerance": "0.1"}},
        _set(worth=1.0), step=CANARY, additive=False, **_PROMETHEUS,
    ),
    "disagreement": Case(
        {"metric": "disagreement", "worseBy": "10%"}, {"metric": "disagreement", "worseBy": "11%"}, _otherwise,
        step=SHADOW, **_KEPT | {"broken": UNREAD},  # a number that is none agrees with nothing: `verdict.agreement`
    ),
    "review": Case(
        {"metric": "review"}, {"metric": "review", "worseBy": "1%"}, _judged, step=SHADOW, **_KEPT,
    ),
    "scores": Case(
        {"metric": "scores"}, {"metric": "scores", "worseBy": "1%"}, _otherwise, step=CANARY, **_KEPT,
    ),
    "labels": Case(
        labels(), labels(worseBy="1%"), lambda sim: sim.wrong.update({"m-2": 0.7}),
        away=_set(fails=TaskError(reason="Unreachable", message="no answer")), back=_set(fails=None),
        broken=(_set(strange=True), _set(fails=TaskError(reason="BadData", message="no such column"))), step=CANARY,
    ),
}  # fmt: skip


def begins_anew(sim: Sim) -> None:
    """All that counts begins at zero."""
    for name in ("m-1", "m-2"):
        sim.restart(name)
        sim.forget(name)
        sim.outcomes[name] = [0, 0]
