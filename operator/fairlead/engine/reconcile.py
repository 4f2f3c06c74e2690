"""One look at one object: see, ask, plan, write.

Nothing that is wrong with one object may reach another: whatever happens here ends in a condition, a metric and a
time for the next look.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from fairlead.api.config import OperatorConfig
from fairlead.api.schema import Model
from fairlead.cluster import errors as api
from fairlead.engine import trouble as kernel
from fairlead.engine.cache import Cache, version_of
from fairlead.engine.children import Children, Result
from fairlead.engine.clocks import Clocks
from fairlead.engine.errors import BACKOFFS, UNSETTLED, StatusRefused, classify, classify_all
from fairlead.engine.logs import fields
from fairlead.engine.metrics import Metrics
from fairlead.engine.queue import Turn, WorkQueue
from fairlead.engine.statuses import Statuses
from fairlead.engine.world import Snapshot, meta_of
from fairlead.engine.write import Freshness, Writer
from fairlead.plan.core import Kind, KindSpec, Plan, Subject
from fairlead.plan.memo import Memo
from fairlead.plan.requests import Answer, Request

Json = dict[str, Any]
log = logging.getLogger(__name__)

RESYNC = 600.0
"""Seconds (± a fifth) after which an object is looked at though nothing seems to have changed."""
CROWD = 15.0
"""Seconds for which an object counts as one that is looked at all the time."""
PASSES = 25
"""Writing looks in a row after which an object is slowed down: its plan does not settle."""
PACE = 0.25
"""Seconds until the next look, then, at one in which much goes on."""
AGAIN = 8
"""So often the same status may come back meanwhile: what moves comes to another one."""


CHEAP = 0.005
"""Seconds of the processor that a look may take without any consequence."""
SHARE = 0.2
"""Of a processor's time, what one object's looks may take that cost more: afterwards it rests."""


_LEVELS = {"Bug": logging.ERROR, "Conflict": logging.DEBUG}


class Key(NamedTuple):
    """An object to be looked at."""

    kind: Kind
    namespace: str
    name: str


class Asker(Protocol):
    """Gets signals (see `engine.resolve`)."""

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers; never raises."""


@dataclass
class Crowd:
    """Which objects are looked at all the time: with many of them, each is looked at more rarely."""

    _last: dict[Key, float] = field(default_factory=dict)

    def seen(self, key: Key, at: float) -> None:
        """An object's plan was steady."""
        self._last.pop(key, None)
        self._last[key] = at

    def size(self, now: float) -> int:
        """How many there are."""
        while self._last and next(iter(self._last.values())) < now - CROWD:
            del self._last[next(iter(self._last))]
        return len(self._last)


@dataclass
class Rounds:
    """Which statuses the objects have had that are moving: one that goes in circles does not settle."""

    _seen: dict[Key, deque[int]] = field(default_factory=dict)

    def again(self, key: Key, status: Model) -> bool:
        """Whether an object has come back to this status too often, of late."""
        seen, mine = self._seen.setdefault(key, deque(maxlen=8 * AGAIN)), hash(status.model_dump_json())
        seen.append(mine)
        return seen.count(mine) > AGAIN

    def over(self, key: Key) -> None:
        """It has settled, or is gone."""
        self._seen.pop(key, None)


@dataclass
class Reconciler:
    """Looks at objects of all kinds. `clock`: epoch seconds."""

    specs: Mapping[Kind, KindSpec[Any]]
    cache: Cache
    writer: Writer
    asker: Asker
    config: OperatorConfig
    metrics: Metrics
    is_served: Callable[[Kind], bool]
    clock: Callable[[], float]
    rng: random.Random = field(default_factory=random.Random)
    work: Callable[[], float] = lambda: 0.0
    """Seconds of the processor's time that this thread has had; looks are paced by it."""
    _passes: dict[Key, int] = field(default_factory=dict)
    _rounds: Rounds = field(default_factory=Rounds)
    _crowd: Crowd = field(default_factory=Crowd)
    _memo: Memo[Any] = field(default_factory=Memo)

    def __post_init__(self) -> None:
        self._steady = asyncio.get_running_loop().time
        self.children = Children(self.writer, self._steady, self.rng)
        self.clocks = Clocks(self.clock, self._steady)
        self.statuses = Statuses(self.writer, self.metrics, self._steady)

    async def __call__(self, turn: Turn[Key]) -> None:
        """Work on a key of the queue."""
        key, loop = turn.key, asyncio.get_running_loop()
        name = key.kind.kind
        self.metrics.queue_wait.labels(name).observe(turn.waited)
        started = loop.time()
        try:
            result = await self._look(turn)
        except Exception as error:  # noqa: BLE001 - the wall between one object and all others
            result = self._failed(turn, error)
        if result == "conflict":
            await self._refresh(turn)
        if turn.cost > CHEAP:
            turn.queue.rest(key, loop.time() + turn.cost * (1 / SHARE - 1))
        self.metrics.reconciles.labels(name, result).inc()
        seconds = loop.time() - started
        self.metrics.reconcile_seconds.labels(name).observe(seconds)
        log.debug("looked", extra=fields(**_about(key), result=result, seconds=round(seconds, 4)))

    async def _look(self, turn: Turn[Key]) -> str:
        key, queue = turn.key, turn.queue
        spec = self.specs[key.kind]
        raw = self.cache.get(key.kind, key.namespace, key.name)
        if raw is None:
            self._forget(key, queue)
            return "gone"
        if raw["metadata"].get("deletionTimestamp") or self._rests(spec, raw):
            queue.forget(key)
            return "settled"
        begun, (now, behind) = self._steady(), self.clocks.now(raw)
        self.statuses.note_clock(key.kind, raw, behind)
        try:
            subject, plan = await self._plan(turn, spec, raw, now)
        except Exception as error:  # noqa: BLE001 - an object that can't be planned gets a condition
            return await self._unplanned(turn, raw, error, now)
        try:
            done = await self._carry_out(spec, raw, subject, plan, now)
        except StatusRefused as error:
            return await self._unplanned(turn, raw, error, now)
        return self._settle(turn, plan, done, begun)

    def _rests(self, spec: KindSpec[Any], raw: Json) -> bool:
        """Whether nothing is to be done for an object, and it says nothing that is not so any more."""
        meta = raw["metadata"]
        world = Snapshot(self.cache, self.config, meta.get("namespace", ""), meta["uid"], self.is_served)
        return spec.settled(raw) and not spec.stale(raw, world)

    async def _plan(self, turn: Turn[Key], spec: KindSpec[Any], raw: Json, now: float) -> tuple[Subject[Any], Plan]:
        began = self.work()
        seen = kernel.without_ours(raw)
        subject: Subject[Any] = Subject(meta_of(seen), self._parse(spec.info.model, seen), seen)
        world = Snapshot(self.cache, self.config, subject.meta.namespace, subject.meta.uid, self.is_served)
        world.memo, world.crowd = self._memo, self._crowd.size(asyncio.get_running_loop().time())
        requests = tuple(spec.observe(subject, world, now))
        turn.cost = self.work() - began
        if requests:
            with turn.waiting():
                world.answers = await self.asker.resolve(requests)
        began = self.work()
        plan = spec.plan(subject, world, now)
        turn.cost += self.work() - began
        return subject, plan

    def _parse(self, model: type[Model], raw: Json) -> Model:
        """The object's body; a spec that has not changed is the very object that it was last time. Raises
        pydantic.ValidationError naming the fields."""
        body = {key: raw[key] for key in ("spec", "status") if raw.get(key) is not None}
        wanted = body.get("spec")
        parsed: Any = None

        def make() -> tuple[Any, Any]:
            nonlocal parsed
            parsed = model.model_validate(body)
            return wanted, getattr(parsed, "spec", None)

        known = self._memo.find(("spec", raw["metadata"].get("uid")), lambda kept: bool(kept == wanted), make)
        return parsed or model.model_validate({**body, "spec": known})

    # --- writing ---------------------------------------------------------------------------------------------

    async def _carry_out(self, spec: KindSpec[Any], raw: Json, subject: Subject[Any], plan: Plan, now: float) -> Result:
        """Status first, then children, then events. What could be written, and what could not."""
        uid = subject.meta.uid
        current, status, told = await self.statuses.write(spec, raw, plan, now)
        wrote = current is not raw
        meta = meta_of(current)
        failure: Exception | None = None
        try:
            done = await self.children.write(meta, plan, Freshness(self.writer.kube, spec.kind, meta, wrote))
        except Exception as error:  # noqa: BLE001 - raised below: the events tell of the status, which is written
            failure = error
        else:
            done.wrote |= wrote
            if done.failures:
                await self._children_failed(spec.kind, current, status, done.failures, now)
        for event in (*plan.events, *told):
            await self.writer.event(spec.kind, meta, event, now)
        if failure is not None:
            raise failure
        if not done.failures and self.statuses.healed(uid):
            done.wrote = True  # the condition has lost its cause: the next look writes the status without it
        return done

    async def _children_failed(
        self, kind: Kind, current: Json, status: Json, failures: list[Exception], now: float
    ) -> None:  # fmt: skip
        """Say in a condition which children could not be written, and why."""
        found = classify_all(failures)
        if found.reason:
            await self.statuses.say(kind, current, status, found, now)

    async def _unplanned(self, turn: Turn[Key], raw: Json, error: Exception, now: float) -> str:
        found = classify(error)
        if found.reason:
            await self.statuses.unplanned(turn.key.kind, raw, found, now)
        return self._failed(turn, error)

    # --- what comes next -------------------------------------------------------------------------------------

    def _settle(self, turn: Turn[Key], plan: Plan, done: Result, begun: float) -> str:
        """Afterwards: at once if anything was written from which something may follow, at the time that the plan names,
        and when a child that could not be written is to be tried again."""
        key, queue = turn.key, turn.queue
        after = RESYNC * queue.rng.uniform(0.8, 1.2)
        if plan.requeue_after is not None:
            after = min(after, max(0.0, plan.requeue_after))
        # from when it was planned, not from when it was done: windows keep their length however long writing takes
        when = begun + after
        queue.add_at(key, when if done.due is None else min(when, done.due))
        for error in done.fresh:
            self._tell(key, error)
        result = classify_all(done.failures).word.lower() if done.failures else ""
        if plan.steady and done.wrote:
            self._crowd.seen(key, self._steady())
        if plan.steady or not done.wrote:
            queue.succeeded(key)
            self._calm(key)
            return result or ("wrote" if done.wrote else "ok")
        passes = self._passes[key] = self._passes.get(key, 0) + 1
        if passes <= PASSES:
            queue.succeeded(key)
            queue.add(key)
        elif plan.moving and not self._rounds.again(key, plan.status):
            queue.succeeded(key)
            queue.add_at(key, self._steady() + PACE)
        else:
            pause = queue.retry(key, UNSETTLED)
            about = fields(**_about(key), retry_in=round(pause, 2))
            log.error("its plan does not settle: each look writes again", extra=about)
            self.metrics.errors.labels(key.kind.kind, "Unsettled").inc()
        return result or "wrote"

    def _tell(self, key: Key, error: Exception, **more: object) -> None:
        """Count and log an error."""
        found = classify(error)
        self.metrics.errors.labels(key.kind.kind, found.word).inc()
        about = fields(**_about(key), word=found.word, reason=found.reason, **more)
        level = _LEVELS.get(found.word, logging.INFO)
        log.log(level, "%s", found.message, exc_info=error if found.word == "Bug" else None, extra=about)

    def _failed(self, turn: Turn[Key], error: Exception) -> str:
        key, found = turn.key, classify(error)
        self._calm(key)
        if found.word == "Invalid" and found.final:
            self.metrics.errors.labels(key.kind.kind, found.word).inc()
            turn.queue.succeeded(key)
            turn.queue.add_at(key, asyncio.get_running_loop().time() + RESYNC * turn.queue.rng.uniform(0.8, 1.2))
            return "invalid"
        retry_in = turn.queue.retry(key, BACKOFFS[found.word], found.retry_after)
        self._tell(key, error, retry_in=round(retry_in, 2))
        return found.word.lower()

    async def _refresh(self, turn: Turn[Key]) -> None:
        """Somebody was faster: see what they wrote, without waiting for the watch to bring it."""
        key = turn.key
        known = self.cache.get(key.kind, key.namespace, key.name)
        uid = known["metadata"]["uid"] if known else ""
        try:
            live = await self.writer.kube.get(key.kind, key.namespace, key.name)
        except api.NotFound:
            if known is not None:
                self.writer.gone(key.kind, known, uid)
        except api.ApiError:
            return  # the retry is set already
        else:
            self.writer.taken(key.kind, live, uid)
            found = self.cache.get(key.kind, key.namespace, key.name)
            if known is not None and found is not None and version_of(found) == version_of(known):
                return
        turn.queue.add(key)

    def _forget(self, key: Key, queue: WorkQueue[Key]) -> None:
        queue.forget(key)
        self._calm(key)

    def _calm(self, key: Key) -> None:
        self._passes.pop(key, None)
        self._rounds.over(key)

    def age(self) -> None:
        """Forget what has not been used for a while: to be called when the cache is cooled, for what is remembered
        keeps objects from being cooled."""
        self._memo.age()
        self.writer.age()

    def object_gone(self, uid: str) -> None:
        """An object was deleted: forget what was remembered of it."""
        self.statuses.forget(uid)
        self.clocks.forget(uid)
        self.children.forget(uid)
        self.writer.forget(uid)


def _about(key: Key) -> dict[str, str]:
    return {"kind": key.kind.kind, "namespace": key.namespace, "name": key.name}
