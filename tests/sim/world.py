"""A small world for tests: an API server, the controllers that Kubernetes has, and operators that come and go."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fairlead.api.config import Images, OperatorConfig
from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import JOB
from fairlead.plan.requests import Answer, Request, Vector
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.toys import CONFIG_MAP, SHELF, SPECS, TOY

Json = dict[str, Any]
EPOCH = 1_800_000_000.0


class FakeAsker:
    """Answers every request alike, after a while."""

    def __init__(self, answer: Answer | None = None, seconds: float = 0.0) -> None:
        self.answer, self.seconds = answer or Vector(()), seconds

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers."""
        await asyncio.sleep(self.seconds)
        return dict.fromkeys(requests, self.answer)


class SimWorld:
    """Everything, seeded. Times are the event loop's."""

    def __init__(self, seed: int = 0, faults: Faults | None = None, pace: Pace | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng = random.Random(seed)
        self.faults = faults or Faults()
        self.pace = pace or Pace()
        self.server = ApiServer(self.now, with_status={TOY, SHELF, JOB})
        self.asker = FakeAsker()
        self.kube: FakeKube
        self.kernel: Kernel
        self.crash: Crash | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._operator: asyncio.Task[None] | None = None
        self.ended_jobs: list[str] = []

    def now(self) -> float:
        """Epoch seconds."""
        return EPOCH + self.loop.time()

    # --- what Kubernetes does --------------------------------------------------------------------------------

    def start_controllers(self) -> None:
        """Jobs complete, garbage is collected."""
        self._tasks.append(asyncio.create_task(self._controllers()))

    async def _controllers(self) -> None:
        while True:
            if all(job.get("status") for job in self.server.all(JOB)):
                await self.server.changed.wait()
            await asyncio.sleep(0.1 * self.rng.uniform(0.5, 1.5))
            for job in self.server.all(JOB):
                if not job.get("status") and self.rng.random() < 0.5:
                    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
                    self.server.replace_status(JOB, job)
                    self.ended_jobs.append(job["metadata"]["name"])
            self.server.collect_garbage()

    # --- operators -------------------------------------------------------------------------------------------

    def start(
        self, crash: Crash | None = None, guard: Callable[[], None] = lambda: None, behind: float = 0.0
    ) -> Kernel:  # fmt: skip
        """A new operator process. behind: seconds by which its node's clock is."""
        self.crash = crash
        self.kube = FakeKube(self.server, self.rng, self.faults, crash, guard)
        source = FakeSource(self.server, self.rng, self.faults)
        config = OperatorConfig(images=Images(worker="worker"), workers=4)
        self.kernel = Kernel(
            SPECS, self.kube, source, self.asker, config, clock=lambda: self.now() - behind, rng=self.rng,
            pace=self.pace,
        )  # fmt: skip
        self._operator = asyncio.create_task(self.kernel.run())
        return self.kernel

    async def kill(self) -> None:
        """The operator's process ends at once."""
        assert self._operator is not None
        self._operator.cancel()
        await asyncio.gather(self._operator, return_exceptions=True)
        await self.kernel.drain(0.0)

    async def close(self) -> None:
        """End everything."""
        if self._operator:
            await self.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, true: Callable[[], bool], within: float = 120.0) -> None:
        """Wait until something is so. Raises AssertionError."""
        end = self.loop.time() + within
        while not true():
            assert self.loop.time() < end, f"not so within {within:g} virtual seconds: {self.state()}"
            assert self._operator is None or not self._operator.done(), f"the operator ended: {self._operator}"
            await asyncio.sleep(0.05)

    async def quiet(self, seconds: float = 5.0) -> list[tuple[str, str, str]]:
        """Wait, and return the writes meanwhile."""
        before = len(self.kube.writes)
        await asyncio.sleep(seconds)
        return self.kube.writes[before:]

    # --- looking ---------------------------------------------------------------------------------------------

    def status(self, name: str) -> Json:
        """A toy's status."""
        found: Json = self.server.get(TOY, "play", name).get("status", {})
        return found

    def condition(self, name: str) -> Json:
        """A toy's condition Ready."""
        return next((c for c in self.status(name).get("conditions", []) if c["type"] == "Ready"), {})

    def made(self, plural: str) -> list[str]:
        """Names of the objects that were ever made, in order."""
        return [c.obj["metadata"]["name"] for c in self.server.log if c.type == "ADDED" and c.kind.plural == plural]

    def colours(self) -> dict[str, str]:
        """What the ConfigMaps say."""
        return {c["metadata"]["name"]: c["data"]["colour"] for c in self.server.all(CONFIG_MAP)}

    def state(self) -> Json:
        """For messages."""
        return {t["metadata"]["name"]: t.get("status") for t in self.server.all(TOY)}
