"""The kernel: everything that runs while this replica leads, put together.

discover the kinds → list them (then the cache is complete) → work; meanwhile watch, compare from time to time, and
notice kinds that come and go.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.cluster import errors as api
from fairlead.cluster.port import Kube
from fairlead.engine.cache import Cache
from fairlead.engine.listing import Lister
from fairlead.engine.metrics import Metrics, StateCollector
from fairlead.engine.queue import Backoff, WorkQueue
from fairlead.engine.reconcile import Asker, Key, Reconciler
from fairlead.engine.route import Router
from fairlead.engine.source import Source
from fairlead.engine.write import Writer
from fairlead.plan.core import MANAGED_BY, MANAGER, Kind, KindSpec

Json = dict[str, Any]
log = logging.getLogger(__name__)

CHILDREN = f"{MANAGED_BY}={MANAGER}"


@dataclass(frozen=True)
class Pace:
    """Seconds between the regular things."""

    compare: float = 600.0
    compare_after_relist: float = 20.0
    cool: float = 30.0
    discover: float = 60.0
    missing: float = 5.0
    restart: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=60.0))


def selectors_of(specs: Iterable[KindSpec[Any]]) -> dict[Kind, str]:
    """All kinds to watch, each with its label selector: our own whole and those that plans ask for so, all others only
    where Fairlead made them."""
    specs = list(specs)
    own = [kind for spec in specs for kind in (spec.kind, *spec.foreign)]
    others = [kind for spec in specs for kind in (*spec.children, *spec.mappers)]
    return {**dict.fromkeys(others, CHILDREN), **dict.fromkeys(own, "")}


def optional_of(specs: Iterable[KindSpec[Any]]) -> frozenset[Kind]:
    """Kinds that all who use them can do without."""
    known = list(specs)
    needed = {one for spec in known for one in (spec.kind, *spec.children, *spec.mappers) if one not in spec.optional}
    return frozenset(kind for spec in known for kind in spec.optional) - needed


def _full(kind: Kind) -> str:
    return f"{kind.plural}.{kind.api_version.rpartition('/')[0]}".rstrip(".")


class Kernel:
    """Looks after the objects of these kinds. `kube` must refuse writes that this replica has no right to."""

    def __init__(
        self,
        specs: Iterable[KindSpec[Any]],
        kube: Kube,
        source: Source,
        asker: Asker,
        config: OperatorConfig,
        *,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        pace: Pace | None = None,
        instance: str = "fairlead",
        work: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """work: seconds of the processor's time that this thread has had, to pace looks by."""
        self._loop = asyncio.get_running_loop()
        self._kube, self._source, self._rng, self._pace = kube, source, rng or random.Random(), pace or Pace()
        self.metrics = metrics or Metrics()
        self.specs = {spec.kind: spec for spec in specs}
        self._selectors = selectors_of(self.specs.values())
        self._served: set[Kind] = set()
        self._optional = optional_of(self.specs.values())
        self._withheld: dict[Kind, str] = {}
        """Optional kinds that are there, and that the API server does not let us list: why."""
        self.synced = asyncio.Event()
        self.watching = False
        claims = {spec.kind: spec.claims for spec in self.specs.values() if spec.claims is not None}
        index = {spec.kind: spec.index for spec in self.specs.values()}
        self.cache = Cache(self._selectors, self._loop.time, claims, index)
        kinds = {(kind.api_version, kind.kind): kind for kind in self._selectors}
        writer = Writer(kube, self.cache, kinds, instance)
        self.reconciler = Reconciler(
            self.specs, self.cache, writer, asker, config, self.metrics, self._served.__contains__, clock, self._rng,
            work,
        )  # fmt: skip
        self.queue: WorkQueue[Key] = WorkQueue(self.reconciler, config.workers, self._rng)
        self.router = Router(self.specs, self.cache, self.queue, self.reconciler.object_gone)
        writer.take, writer.drop, writer.hold = self.router.written, self.router.deleted, self.router.writing
        self._lister = Lister(kube, self.cache, self.router, self._selectors, config.namespaces, self._rng)
        self._collector = StateCollector(self.cache, self.specs.values(), _Depths(self.queue, tuple(self.specs)))
        self._relisted: dict[Kind, asyncio.TimerHandle] = {}
        self._comparisons: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    # --- life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self.metrics.registry.register(self._collector)
        try:
            await self._begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                group.create_task(self._every(self._pace.discover, self._discover_again))
                group.create_task(self._every(self._pace.compare, self._compare_all))
                group.create_task(self._every(self._pace.cool, self._cool))
        finally:
            self.metrics.registry.unregister(self._collector)

    async def drain(self, within: float) -> bool:
        """Begin nothing more and finish what is being worked on. True if all of it was finished in time."""
        for handle in self._relisted.values():
            handle.cancel()
        for comparison in self._comparisons:
            comparison.cancel()
        return await self.queue.stop(within)

    def _in_order(self, kinds: Collection[Kind]) -> list[Kind]:
        """Always the same order: a set's is another in each process."""
        return [kind for kind in self._selectors if kind in kinds]

    async def _begin(self) -> None:
        started = self._loop.time()
        while True:
            if await self._own_kinds():
                break
            await asyncio.sleep(self._pace.missing)
        optional, needed = self._in_order(self._served & self._optional), self._in_order(self._served - self._optional)
        await asyncio.gather(*map(self._lister.fill, needed), *map(self._fill, optional))
        self.router.caught_up()
        self.synced.set()
        objects = sum(len(self.cache.store(kind)) for kind in self.cache.kinds)
        log.info("%d objects listed in %.1f s", objects, self._loop.time() - started)
        self.queue.start()

    async def _fill(self, kind: Kind) -> bool:
        """List an optional kind. One that can't be is as if the cluster had none of it: nothing else waits for it, and
        it is tried again."""
        why = await self._lister.fill_if_possible(kind)
        if why:
            self._withhold(kind, why)
        else:
            self._withheld.pop(kind, None)
            self._served.add(kind)
            self.metrics.kinds_withheld.labels(_full(kind)).set(0)
        return not why

    def _withhold(self, kind: Kind, why: str) -> None:
        if kind not in self._withheld:
            log.warning("%s (%s) can't be listed, and is done without: %s", kind.plural, kind.api_version, why)
        self._withheld[kind] = why
        self._served.discard(kind)
        self.cache.clear(kind)
        self.metrics.kinds_withheld.labels(_full(kind)).set(1)

    async def _own_kinds(self) -> bool:
        """Discover. False while a kind of our own is missing."""
        try:
            self._served.update(await self._discover())
        except api.ApiError as failed:
            log.warning("the API server can't be asked for its kinds: %s", failed.message)
            return False
        missing = sorted(kind.plural for kind in self.specs if kind not in self._served)
        if missing:
            log.error("the CustomResourceDefinitions of %s are missing; apply crds/", ", ".join(missing))
        return not missing

    # --- watching --------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Keep the source running over the kinds that are served."""
        failures = 0
        while True:
            self._changed.clear()
            kinds = {kind: self._selectors[kind] for kind in self._in_order(self._served)}
            running = asyncio.create_task(self._source.run(kinds, self.deliver))
            changed = asyncio.create_task(self._changed.wait())
            self.watching, begun = True, self._loop.time()
            try:
                await asyncio.wait({running, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.watching = False
                running.cancel()
                changed.cancel()
                ended = await asyncio.gather(running, changed, return_exceptions=True)
            if isinstance(ended[0], Exception):
                failures = 1 if self._loop.time() - begun > 300 else failures + 1
                log.error("the watch failed and is started again: %s", ended[0])
                await asyncio.sleep(self._pace.restart.delay(failures, self._rng))
                await self._discover_again()
                for kind in self._in_order(self._served & self._optional):
                    await self._compare(kind)  # what is forbidden now is done without: the others have a watch again

    def deliver(self, kind: Kind, type_: str | None, obj: Json) -> None:
        """Take in an event of the source. Never raises: a strange object must not end the watch."""
        try:
            if type_ == "DELETED":
                self.router.deleted(kind, obj)
                return
            self.router.seen(kind, obj, low=type_ is None)
            if type_ is None:
                self._note_relist(kind)
        except Exception:
            log.exception("an event of %s could not be taken in", kind.plural)
            self.metrics.errors.labels(kind.kind, "Bug").inc()

    def _note_relist(self, kind: Kind) -> None:
        """The watch began again with a list: deletions may have been missed. Compare when the list is over."""
        if kind in self._relisted:
            return
        delay = self._pace.compare_after_relist * self._rng.uniform(0.8, 1.2)
        self._relisted[kind] = self._loop.call_later(delay, self._compare_soon, kind)

    def _compare_soon(self, kind: Kind) -> None:
        del self._relisted[kind]
        task = self._loop.create_task(self._compare(kind))
        self._comparisons.add(task)
        task.add_done_callback(self._comparisons.discard)

    # --- the regular things ----------------------------------------------------------------------------------

    async def _every(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds * self._rng.uniform(0.8, 1.2))
            await act()

    async def _cool(self) -> None:
        self.cache.cool()
        self.reconciler.age()

    async def _compare_all(self) -> None:
        for kind in self._in_order(self._served):
            await self._compare(kind)

    async def _compare(self, kind: Kind) -> None:
        try:
            await self._lister.compare(kind)
        except api.Forbidden as failed:
            if kind in self._optional:
                self._withhold(kind, failed.message)
                self._wake({kind})
            log.warning("%s can't be compared with the API server: %s", kind.plural, failed.message)
        except api.ApiError as failed:
            log.warning("%s can't be compared with the API server: %s", kind.plural, failed.message)
        except Exception:
            log.exception("%s could not be compared with the API server", kind.plural)

    async def _discover(self) -> set[Kind]:
        kinds = list(self._selectors)
        found = await asyncio.gather(*map(self._is_there, kinds))
        return {kind for kind, there in zip(kinds, found, strict=True) if there}

    async def _is_there(self, kind: Kind) -> bool:
        """Whether the API server has a kind. Of an optional one that can't be asked for, as it was: an extension's own
        server that is away stops nothing else."""
        try:
            return await self._kube.served(kind)
        except api.ApiError as failed:
            if kind not in self._optional:
                raise
            log.warning("it is not known whether %s (%s) is served: %s", kind.plural, kind.api_version, failed.message)
            return kind in self._served

    async def _discover_again(self) -> None:
        """Notice kinds that came or went, and let their owners see to it."""
        try:
            found = await self._discover()
        except api.ApiError as failed:
            log.warning("the API server can't be asked for its kinds: %s", failed.message)
            return
        came, went = found - self._served, self._served - found
        for kind in self._withheld.keys() - found:
            self._withheld.pop(kind)
            self.metrics.kinds_withheld.labels(_full(kind)).set(0)
        for kind in went:
            log.warning("%s (%s) is not served any more", kind.plural, kind.api_version)
            self._served.discard(kind)
            self.cache.clear(kind)
        for kind in self._in_order(came):
            if kind in self._optional:
                if not await self._fill(kind):
                    came.discard(kind)
                    continue
            else:
                await self._lister.fill(kind)
                self._served.add(kind)
            log.info("%s (%s) is served now", kind.plural, kind.api_version)
        if came or went:
            self._wake(came | went)

    def _wake(self, kinds: set[Kind]) -> None:
        """Watch by what is served now, and look at all whom it concerns."""
        self._changed.set()
        for spec in self.specs.values():
            if kinds & {spec.kind, *spec.children, *spec.mappers}:
                self.router.wake_all(spec.kind)


@dataclass
class _Depths:
    """How many keys of each kind are ready, counted at each look."""

    queue: WorkQueue[Key]
    kinds: tuple[Kind, ...]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        found = Counter(key.kind for key in self.queue.ready())
        return ((kind.kind, found[kind]) for kind in self.kinds)
