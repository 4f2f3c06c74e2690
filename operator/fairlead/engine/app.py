"""The operator as a process: lead, work, stop in good order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from fairlead.api.config import OperatorConfig
from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube, load_configuration
from fairlead.engine.health import Health
from fairlead.engine.kernel import Kernel
from fairlead.engine.lease import Lease, LeaseLost
from fairlead.engine.metrics import Metrics
from fairlead.engine.registry import SPECS
from fairlead.engine.resolve import Resolver
from fairlead.engine.source import KopfSource
from fairlead.signals import wire
from fairlead.store.endpoints import Rules, control_plane

log = logging.getLogger(__name__)

DRAIN = 20.0
"""Seconds that work in progress may take when the operator is stopped; the pod's grace period must be longer."""

ROUNDS = (20_000, 20, 20)
"""Objects more than before, until the garbage collector looks at the young ones; rounds until it looks at older
ones."""
SILENCE = 300.0
"""Seconds without a watch after which the process is no use any more."""


@dataclass(frozen=True)
class Options:
    """What the command line and the environment say."""

    config: str
    kubeconfig: str | None = None
    namespace: str = "fairlead"
    """The operator's own: the lease is there."""
    identity: str = ""
    host: str = "0.0.0.0"
    port: int = 8080
    lease: str = "fairlead"
    lease_duration: float = 12.0


def own_identity() -> str:
    """The pod's name: after a crash the same pod leads again at once. Elsewhere a name of this process's own."""
    return os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


def load_config(path: str) -> OperatorConfig:
    """The operator's configuration. Raises OSError and ValueError (pydantic's, naming the fields)."""
    with open(path, encoding="utf-8") as file:
        return OperatorConfig.model_validate(yaml.safe_load(file) or {})


class App:
    """One replica."""

    def __init__(self, options: Options, config: OperatorConfig) -> None:
        self._options, self._config = options, config
        self._metrics = Metrics()
        self._lease: Lease | None = None
        self._kernel: Kernel | None = None
        self._source: KopfSource | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Run until a signal comes (exit code 0) or the lease is lost (1)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        options = self._options
        health = Health(self._metrics.registry, self._unready, self._dead)
        await health.start(options.host, options.port)
        configuration = await load_configuration(options.kubeconfig)
        unguarded = HttpKube(configuration, observe=self._metrics.api)
        self._lease = _lease(options, unguarded)
        kube = HttpKube(configuration, self._lease.assert_held, self._metrics.api)
        try:
            return await self._lead(kube, self._lease)
        finally:
            await self._lease.release()
            await asyncio.gather(kube.close(), unguarded.close(), health.stop())

    async def _lead(self, kube: HttpKube, lease: Lease) -> int:
        stopped = asyncio.create_task(self._stop.wait())
        acquired = asyncio.create_task(lease.acquire())
        await asyncio.wait({stopped, acquired}, return_when=asyncio.FIRST_COMPLETED)
        if not acquired.done():
            acquired.cancel()
            stopped.cancel()
            return 0
        acquired.result()
        self._metrics.leader.set(1)
        async with wire.session() as session:
            rules = Rules(self._config, await asyncio.to_thread(control_plane, await _told(kube)))
            resolver = Resolver(kube, session, self._metrics.signal, rules)
            try:
                return await self._work(kube, lease, resolver, stopped)
            finally:
                resolver.close()
                self._metrics.leader.set(0)

    async def _work(self, kube: HttpKube, lease: Lease, resolver: Resolver, stopped: asyncio.Task[Any]) -> int:
        self._source = source = KopfSource(self._options.kubeconfig, self._config.namespaces)
        self._kernel = kernel = Kernel(
            SPECS, kube, source, resolver, self._config, metrics=self._metrics, instance=lease.identity,
            work=time.thread_time,
        )  # fmt: skip
        working = asyncio.create_task(kernel.run())
        keeping = asyncio.create_task(lease.keep())
        freezing = asyncio.create_task(_freeze_when(kernel))
        await asyncio.wait({stopped, working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        freezing.cancel()
        if not keeping.done():
            drained = await kernel.drain(DRAIN)
            log.info("stopped%s", "" if drained else "; some work was cut off and will be taken up again")
        for task in (working, keeping):
            task.cancel()
        ends = await asyncio.gather(working, keeping, return_exceptions=True)
        return _exit_code(ends)

    def _unready(self) -> str | None:
        """Why this replica can't do its part; a standby can."""
        if self._lease is None:
            return "starting"
        if self._kernel is not None and not self._kernel.synced.is_set():
            return "listing"
        return None

    def _dead(self) -> str | None:
        """Why this process should be restarted: it leads, but has not watched for long."""
        if self._source is None or self._kernel is None or not self._kernel.synced.is_set():
            return None
        silent = time.monotonic() - self._source.beat
        return f"no watch for {silent:.0f} s" if silent > SILENCE else None


def _lease(options: Options, kube: HttpKube) -> Lease:
    length = options.lease_duration
    return Lease(
        kube, options.namespace, options.lease, options.identity or own_identity(),
        duration=length, renew=length * 2 / 3, retry=length / 7.5,
    )  # fmt: skip


async def _told(kube: HttpKube) -> list[str]:
    """Where the API server says that it is: no store is there."""
    try:
        return await kube.addresses()
    except api.ApiError as failed:
        log.warning("the API server does not say where it is (%s); what its Service leads to is known", failed.message)
        return []


async def _freeze_when(kernel: Kernel) -> None:
    """After the lists, take the many long-lived objects out of the garbage collector's rounds: they are seconds long
    pauses otherwise."""
    await kernel.synced.wait()
    gc.collect()
    gc.freeze()


def _exit_code(ends: Iterable[Any]) -> int:
    code = 0
    for end in ends:
        if isinstance(end, LeaseLost):
            log.error("%s; this process ends, so that it can't write any more", end)
            code = 1
        elif isinstance(end, Exception):
            log.error("the operator failed", exc_info=end)
            code = 1
    return code


def tune() -> None:
    """Set what is the interpreter's, for all of the process."""
    # the watch's thread must not keep the work waiting for 5 ms each time it has data from the network
    sys.setswitchinterval(0.001)
    # a window makes and drops thousands of objects, none of them in a cycle; to search the whole cache for cycles each
    # second is a third of the work
    gc.set_threshold(*ROUNDS)


def main(options: Options) -> int:
    """Run the operator. Returns the exit code."""
    try:
        config = load_config(options.config)
    except (OSError, ValueError) as failed:
        log.error("the configuration %s can't be used: %s", options.config, failed)
        return 2

    tune()

    async def run() -> int:
        return await App(options, config).run()

    return asyncio.run(run())
