"""The watch, by Kopf: the only file that imports it.

Kopf watches and hands over raw events, nothing else: no handlers with state, no annotations, no finalizers, no events
of its own. It runs in a thread with a loop of its own, so that neither a relist nor Kopf's habit of cancelling all
tasks of its loop touches the work.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import kopf

from fairlead.cluster.client import connection, load_configuration
from fairlead.plan.core import Kind

Json = dict[str, Any]
Deliver = Callable[[Kind, str | None, Json], None]
"""(kind, type or None for a listed object, object)"""
log = logging.getLogger(__name__)

BATCH = 200
"""Events that are taken in before others have their turn."""


LISTED, CHANGED = 0.2, 3.0
"""Seconds that Kopf's worker for an object waits for its next event, and keeps the object, after it was listed, and
after it has changed: what changes changes again soon, and a new worker each time costs more than the event."""


WATCHER = "watcher for "
"""How Kopf names the task that watches a kind."""


class Source(Protocol):
    """Where events come from."""

    async def run(self, kinds: Mapping[Kind, str], deliver: Deliver) -> None:
        """Watch these kinds, each with its label selector, and deliver all events, in order for each object, until
        cancelled. May raise: then it is started again."""


class _Backoffs:
    """Seconds between tries, for ever: an API server that is away must not end the watch."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1.0)
            pause = min(30.0, pause * 2)


@dataclass
class KopfSource:
    """`Source` by Kopf. `namespaces`: empty for all."""

    kubeconfig: str | None = None
    namespaces: Sequence[str] = ()
    beat: float = field(default_factory=time.monotonic)
    """When the watch's loop was last seen turning (`time.monotonic`)."""
    _mail: deque[tuple[Kind, str | None, Json]] = field(default_factory=deque)
    _announced: bool = False

    async def run(self, kinds: Mapping[Kind, str], deliver: Deliver) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        stop = threading.Event()
        self._mail.clear()
        self._announced = False

        def drain() -> None:
            self._announced = False
            for _ in range(min(BATCH, len(self._mail))):
                deliver(*self._mail.popleft())
            if self._mail:
                announce()

        def announce() -> None:
            if not self._announced:
                self._announced = True
                loop.call_soon_threadsafe(drain)

        def post(kind: Kind, type_: str | None, obj: Json) -> None:
            self._mail.append((kind, type_, obj))
            announce()

        ended: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(target=self._watch, args=(kinds, post, stop, loop, ended), name="watch", daemon=True)
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            stop.set()

    def _watch(
        self,
        kinds: Mapping[Kind, str],
        post: Deliver,
        stop: threading.Event,
        loop: asyncio.AbstractEventLoop,
        ended: asyncio.Future[None],
    ) -> None:
        """The thread's work."""
        error: BaseException | None = None
        try:
            asyncio.run(self._operator(kinds, post, stop, lambda why: loop.call_soon_threadsafe(_fail, ended, why)))
        except BaseException as failed:  # noqa: BLE001 - it is raised where `run` waits
            error = failed
        if not stop.is_set():
            loop.call_soon_threadsafe(_fail, ended, RuntimeError(f"the watch has ended: {error!r}"))

    async def _operator(
        self, kinds: Mapping[Kind, str], post: Deliver, stop: threading.Event, lost: Callable[[Exception], object]
    ) -> None:  # fmt: skip
        registry, settings = kopf.OperatorRegistry(), settings_for(kinds)
        kopf.on.login(registry=registry)(self._login)
        for kind in kinds:
            group, version = split(kind)
            on = kopf.on.event(group=group, version=version, plural=kind.plural, registry=registry)
            on(_handler(kind, post, settings.queueing))
        beating = asyncio.create_task(self._beat(lost))  # before Kopf begins: tasks made later are Kopf's to cancel
        where: dict[str, Any] = {"namespaces": list(self.namespaces)} if self.namespaces else {"clusterwide": True}
        try:
            await kopf.operator(
                registry=registry,
                settings=settings,
                standalone=True,
                # without one, Kopf asks for the user's name, which a container's bare uid does not have
                identity=cast(Any, "fairlead"),
                stop_flag=stop,
                **where,
            )
        finally:
            beating.cancel()

    async def _beat(self, lost: Callable[[Exception], object]) -> None:
        """lost: is told of a kind's watch that has failed: Kopf goes on with the others, and without that one for ever.
        One answer of 403 or 404 is enough, as an API server gives while its roles or definitions are not loaded."""
        watchers = set[asyncio.Task[Any]]()
        while True:
            self.beat = time.monotonic()
            watchers |= {task for task in asyncio.all_tasks() if task.get_name().startswith(WATCHER)}
            for task in watchers:
                if task.done() and not task.cancelled() and (why := task.exception()) is not None:
                    lost(RuntimeError(f"the {task.get_name()} has failed: {why}"))
            await asyncio.sleep(2.0)

    async def _login(self, **_kwargs: Any) -> kopf.ConnectionInfo:
        found = await connection(await load_configuration(self.kubeconfig))
        scheme, _space, token = (found.authorization or "").partition(" ")
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_file,
            insecure=not found.verify,
            certificate_path=found.certificate_file,
            private_key_path=found.key_file,
            scheme=scheme.capitalize() or None,
            token=token or None,
        )


def _fail(ended: asyncio.Future[None], error: Exception) -> None:
    if not ended.done():
        ended.set_exception(error)


class _NoEssence(kopf.DiffBaseStorage):
    """Kopf would copy each object to see what has changed since it last handled it: half of the work of a watch."""

    def build(self, **_kwargs: Any) -> Any:
        return {}

    def fetch(self, **_kwargs: Any) -> Any:
        return None

    def store(self, **_kwargs: Any) -> None:
        pass


class _NoProgress(kopf.ProgressStorage):
    """There are no handlers whose progress could be kept."""

    def fetch(self, **_kwargs: Any) -> Any:
        return None

    def store(self, **_kwargs: Any) -> None:
        pass

    def purge(self, **_kwargs: Any) -> None:
        pass

    def touch(self, **_kwargs: Any) -> None:
        pass

    def clear(self, *, essence: Any) -> Any:
        return essence


def _handler(kind: Kind, post: Deliver, workers: Any) -> Any:
    async def on_event(event: Any, **_kwargs: Any) -> None:
        workers.idle_timeout = CHANGED if event["type"] else LISTED
        post(kind, event["type"], event["object"])

    on_event.__name__ = f"{kind.plural}_{kind.api_version}"
    return on_event


def split(kind: Kind) -> tuple[str, str]:
    """API group and version."""
    group, _, version = kind.api_version.rpartition("/")
    return group, version


def settings_for(kinds: Mapping[Kind, str]) -> kopf.OperatorSettings:
    """Kopf's settings: watch by the server's selectors, never give up, write nothing."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _Backoffs()
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.idle_timeout = LISTED
    settings.persistence.diffbase_storage = _NoEssence()
    settings.persistence.progress_storage = _NoProgress()
    settings.persistence.finalizer = "fairlead.dev/never-used"
    for kind, selector in kinds.items():
        if selector:
            settings.watching.label_selectors[(*split(kind), kind.plural)] = selector
    return settings
