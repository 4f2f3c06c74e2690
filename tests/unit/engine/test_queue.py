"""The work queue's contract."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.virtualtime import run_virtual

from fairlead.engine.queue import Backoff, Turn, WorkQueue


class Recorder:
    """Work that takes a while, and what was done when."""

    def __init__(self, seconds: float = 1.0, workers: int = 2) -> None:
        self.seconds = seconds
        self.begun: list[tuple[float, str]] = []
        self.now: dict[str, int] = {}
        self.most = 0
        self.loop = asyncio.get_running_loop()
        self.start = self.loop.time()
        self.queue: WorkQueue[str] = WorkQueue(self, workers, random.Random(1))

    async def __call__(self, turn: Turn[str]) -> None:
        assert not self.now.get(turn.key), "worked on twice at a time"
        self.now[turn.key] = 1
        self.most = max(self.most, sum(self.now.values()))
        self.begun.append((round(self.loop.time() - self.start, 3), turn.key))
        await asyncio.sleep(self.seconds)
        self.now[turn.key] = 0

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.begun]


def story(tell: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await tell()

    run_virtual(run())


def test_a_key_waits_once_and_runs_once_at_a_time() -> None:
    async def tell() -> None:
        work = Recorder()
        for _ in range(5):
            work.queue.add("a")
        work.queue.start()
        await asyncio.sleep(0.5)
        for _ in range(5):
            work.queue.add("a")
        await asyncio.sleep(10)
        assert work.begun == [(0.0, "a"), (1.0, "a")]

    story(tell)


def test_changes_go_before_relists() -> None:
    async def tell() -> None:
        work = Recorder(workers=1)
        for key in "abc":
            work.queue.add(key, low=True)
        work.queue.add("c")
        work.queue.add("d")
        work.queue.start()
        await asyncio.sleep(10)
        assert work.keys == ["c", "d", "a", "b"]

    story(tell)


def test_no_more_workers_than_allowed() -> None:
    async def tell() -> None:
        work = Recorder(workers=3)
        work.queue.start()
        for n in range(10):
            work.queue.add(f"k{n}")
        await asyncio.sleep(10)
        assert work.most == 3
        assert len(work.begun) == 10

    story(tell)


def test_a_worker_that_waits_steps_aside() -> None:
    async def tell() -> None:
        done: list[str] = []

        async def work(turn: Turn[str]) -> None:
            if turn.key.startswith("slow"):
                with turn.waiting():
                    await asyncio.sleep(100)
            done.append(turn.key)

        queue: WorkQueue[str] = WorkQueue(work, 1, random.Random(1))
        queue.start()
        for n in range(20):
            queue.add(f"slow{n}")
        queue.add("fast")
        await asyncio.sleep(1)
        assert done == ["fast"]
        await asyncio.sleep(200)
        assert len(done) == 21

    story(tell)


def test_due_times_are_exact_and_the_last_one_counts() -> None:
    async def tell() -> None:
        work = Recorder(seconds=0.0)
        work.queue.start()
        work.queue.add_at("a", work.start + 5)
        work.queue.add_at("a", work.start + 2.5)
        work.queue.add_at("b", work.start + 1)
        work.queue.add_at("b", work.start + 3)
        work.queue.add_at("c", work.start + 4)
        work.queue.forget("c")
        await asyncio.sleep(10)
        assert work.begun == [(2.5, "a"), (3.0, "b")]

    story(tell)


def test_what_rests_is_looked_at_afterwards_once_for_all_that_came() -> None:
    async def tell() -> None:
        work = Recorder(seconds=0.0)
        work.queue.start()
        work.queue.rest("a", work.start + 5)
        work.queue.add("a")
        work.queue.add_at("a", work.start + 2)  # what its plan wants does not come sooner, either
        await asyncio.sleep(3)
        work.queue.add("a", low=True)
        work.queue.add("b")
        await asyncio.sleep(7)
        work.queue.add("a")
        assert work.begun == [(3.0, "b"), (5.0, "a")]
        await asyncio.sleep(1)
        assert work.begun[2:] == [(10.0, "a")]

    story(tell)


def test_a_rest_moves_no_look_that_is_due_later() -> None:
    async def tell() -> None:
        work = Recorder(seconds=0.0)
        work.queue.start()
        work.queue.rest("a", work.start + 1)
        work.queue.add_at("a", work.start + 4)
        await asyncio.sleep(10)
        assert work.begun == [(4.0, "a")]

    story(tell)


def test_what_is_forgotten_rests_no_longer() -> None:
    async def tell() -> None:
        work = Recorder(seconds=0.0)
        work.queue.start()
        work.queue.rest("a", work.start + 50)
        work.queue.forget("a")
        work.queue.add("a")
        await asyncio.sleep(1)
        assert work.begun == [(0.0, "a")]

    story(tell)


def test_backoff_doubles_up_to_its_cap_and_success_resets_it() -> None:
    async def tell() -> None:
        work = Recorder()
        delays = [work.queue.retry("a", Backoff(1.0, 30.0)) for _ in range(9)]
        assert all(low <= delay <= 2 * low for low, delay in zip([0.5, 1, 2, 4, 8], delays, strict=False))
        assert all(15 <= delay <= 30 for delay in delays[5:])
        assert work.queue.retry("a", Backoff(1.0, 30.0), at_least=90.0) == 90.0
        work.queue.succeeded("a")
        assert work.queue.retry("a", Backoff(1.0, 30.0)) <= 1.0

    story(tell)


def test_stopping_finishes_what_was_begun_and_begins_nothing() -> None:
    async def tell() -> None:
        work = Recorder(seconds=5.0, workers=1)
        work.queue.start()
        work.queue.add("a")
        work.queue.add("b")
        await asyncio.sleep(1)
        assert await work.queue.stop(within=20) is True
        assert work.keys == ["a"]

    story(tell)


def test_stopping_cuts_off_what_takes_too_long() -> None:
    async def tell() -> None:
        work = Recorder(seconds=500.0, workers=1)
        work.queue.start()
        work.queue.add("a")
        await asyncio.sleep(1)
        assert await work.queue.stop(within=20) is False
        assert work.loop.time() - work.start == pytest.approx(21.0)

    story(tell)


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.booleans(), st.floats(0, 2), st.floats(0, 3)), max_size=30),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_each_addition_is_followed_by_a_look_that_begins_after_it(
    additions: list[tuple[str, bool, float, float]], workers: int
) -> None:
    async def tell() -> None:
        work = Recorder(seconds=0.7, workers=workers)
        work.queue.start()
        last: dict[str, float] = {}
        for key, low, pause, rest in additions:
            if rest > 1:
                work.queue.rest(key, work.loop.time() + rest)
            work.queue.add(key, low=low)
            last[key] = work.loop.time() - work.start
            await asyncio.sleep(pause)
        await asyncio.sleep(100)
        for key, when in last.items():
            assert max(at for at, done in work.begun if done == key) >= round(when, 3) - 1e-9
        assert work.queue.idle
        assert work.most <= workers

    story(tell)
