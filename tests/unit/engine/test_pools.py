"""Threads that are shared: nobody takes them from the others, and a place is free when its thread is."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fairlead.engine.pools import CrowdedError, FairPool

LONG = 30.0


class Hanging:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.go, self.begun, self._changed = threading.Event(), 0, threading.Condition()

    def __call__(self) -> str:
        with self._changed:
            self.begun += 1
            self._changed.notify_all()
        assert self.go.wait(LONG)
        return "late"

    async def reaches(self, number: int) -> None:
        """Wait until so many have begun."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self.begun >= number, LONG)

        assert await asyncio.to_thread(wait)


@pytest.fixture
def pool() -> FairPool:
    return FairPool("test", threads=8, share=3, store_share=2)


async def test_a_namespace_that_hangs_keeps_no_other_one_waiting(pool: FairPool) -> None:
    slow = Hanging()
    hanging = [asyncio.ensure_future(pool.run("a", f"store-{n}", slow, LONG)) for n in range(40)]
    await slow.reaches(3)
    assert await pool.run("b", "store", lambda: "quick", LONG) == "quick"
    assert slow.begun == 3
    assert not any(one.done() for one in hanging)
    slow.go.set()
    assert await asyncio.gather(*hanging) == ["late"] * 40


async def test_a_store_that_hangs_keeps_the_namespaces_other_stores_going(pool: FairPool) -> None:
    slow = Hanging()
    hanging = [asyncio.ensure_future(pool.run("a", "slow", slow, LONG)) for _ in range(9)]
    await slow.reaches(2)
    assert await pool.run("a", "good", lambda: "quick", LONG) == "quick"
    assert slow.begun == 2
    slow.go.set()
    await asyncio.gather(*hanging)


async def test_who_has_stopped_waiting_leaves_its_place_taken_until_the_thread_ends(pool: FairPool) -> None:
    slow = Hanging()
    hanging = [asyncio.ensure_future(pool.run("a", n, slow, LONG)) for n in range(3)]
    await slow.reaches(3)
    for one in hanging:
        one.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    with pytest.raises(CrowdedError):
        await pool.run("a", "good", lambda: "quick", 0.05)
    slow.go.set()
    assert await pool.run("a", "good", lambda: "quick", LONG) == "quick"


async def test_who_has_stopped_waiting_before_its_turn_is_not_begun(pool: FairPool) -> None:
    slow, begun = Hanging(), []
    hanging = [asyncio.ensure_future(pool.run("a", n, slow, LONG)) for n in range(3)]
    waiting = asyncio.ensure_future(pool.run("a", "more", lambda: begun.append(1), LONG))
    await slow.reaches(3)
    waiting.cancel()
    slow.go.set()
    await asyncio.gather(*hanging)
    assert await pool.run("a", "more", lambda: "after", LONG) == "after"
    assert begun == []


async def test_those_who_wait_are_taken_in_turn_by_namespace_and_store() -> None:
    pool, slow, order = FairPool("test", threads=1, share=1, store_share=1), Hanging(), []
    first = asyncio.ensure_future(pool.run("a", "s", slow, LONG))
    await slow.reaches(1)
    wanted = [("a", "s", 1), ("a", "s", 2), ("a", "s", 3), ("a", "t", 1), ("b", "s", 1), ("b", "s", 2), ("c", "s", 1)]
    others = [asyncio.ensure_future(pool.run(w[0], w[1], lambda w=w: order.append(w), LONG)) for w in wanted]
    await asyncio.sleep(0)
    slow.go.set()
    await asyncio.gather(first, *others)
    assert order == [
        ("a", "s", 1), ("b", "s", 1), ("c", "s", 1), ("a", "t", 1), ("b", "s", 2), ("a", "s", 2), ("a", "s", 3)
    ]  # fmt: skip


async def test_however_many_namespaces_hang_there_is_a_place_for_who_comes_new() -> None:
    pool, slow = FairPool("test", threads=24, share=6, store_share=6), Hanging()
    hanging = [asyncio.ensure_future(pool.run(f"n-{n % 12}", "s", slow, LONG)) for n in range(240)]
    await slow.reaches(22)
    for n in range(3):
        assert await pool.run(f"new-{n}", "s", lambda: "quick", LONG) == "quick"
    slow.go.set()
    await asyncio.gather(*hanging)


async def test_all_threads_are_used_and_no_more() -> None:
    pool, slow = FairPool("test", threads=4, share=3, store_share=3), Hanging()
    hanging = [asyncio.ensure_future(pool.run(f"n-{n % 5}", "s", slow, LONG)) for n in range(20)]
    await slow.reaches(4)
    await asyncio.sleep(0.02)
    assert slow.begun == 4
    slow.go.set()
    assert await asyncio.gather(*hanging) == ["late"] * 20


async def test_an_error_is_who_waits_s(pool: FairPool) -> None:
    def broken() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await pool.run("a", "s", broken, LONG)
    assert await pool.run("a", "s", lambda: "next", LONG) == "next"


async def test_a_pool_that_is_closed_begins_nothing(pool: FairPool) -> None:
    pool.close()
    with pytest.raises(CrowdedError):
        await pool.run("a", "s", lambda: "never", 0.01)
