"""What pods and recorders may answer, and what it costs whom: a name for it, and nobody else anything."""

from __future__ import annotations

import asyncio
import gc
import itertools
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from tests.unit.signals import hostile
from tests.unit.signals.hostile import ANSWERS, BIG, ENDLESS, PAGES, lines, path

from fairlead.engine.app import tune
from fairlead.engine.resolve import Resolver
from fairlead.plan.requests import AnswersPage, Counters, Failed, MetricNames, ReadAnswers, Request, ScrapePod
from fairlead.signals import aside, wire
from fairlead.signals.errors import SignalError
from fairlead.signals.labels import MOST, Labels
from fairlead.signals.page import parse_page

NAMES = MetricNames("infer_requests_total", 'infer_requests_total{code=~"5.."}')
SLOW = MetricNames("infer_requests_total", 'infer_requests_total{code=~"[ab]*[ab]*c"}', "seconds")
LAG = 0.1
"""Seconds for which the event loop may be held up; the lease is lost after 8."""
TRIES = 10
"""What holds the loop up does so each time; a machine that is busy with other things does now and then."""
pytestmark = pytest.mark.usefixtures("unhurried", "own_garbage")
asking: ContextVar[str] = ContextVar("asking", default="")


@contextmanager
def serving() -> Iterator[str]:
    with subprocess.Popen([sys.executable, hostile.__file__], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def quiet() -> Iterator[str]:
    """A server that the hostile requests don't keep busy."""
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def _tuned() -> Iterator[None]:
    """As the operator's process is."""
    before, rounds = sys.getswitchinterval(), gc.get_threshold()
    tune()
    yield
    sys.setswitchinterval(before)
    gc.set_threshold(*rounds)


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    async with wire.session() as session:
        found = Resolver(None, session, lambda *_: None)  # type: ignore[arg-type]
        yield found
        found.close()


def kept_waiting() -> float:
    """Seconds that this thread was ready to run while other processes had the processors; 0 where nobody counts."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Lag:
    """The most work that the process did between two turns of the loop: for so long it was held up. A clock would
    count what other processes do; and what this one's other threads do while those keep the loop's from running."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def __aenter__(self) -> Lag:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        worked, waited = time.process_time(), kept_waiting()
        while True:
            await asyncio.sleep(0.002)
            now, so_far = time.process_time(), kept_waiting()
            self.worst = max(self.worst, now - worked - (so_far - waited))
            worked, waited = now, so_far


async def holds_nothing_up(attempt: Callable[[], Awaitable[None]]) -> None:
    """Do it until the loop was held up for less than LAG once."""
    lags = []
    for _ in range(TRIES):
        async with Lag() as lag:
            await attempt()
        lags.append(lag.worst)
        if lag.worst < LAG:
            return
    pytest.fail(f"the loop was held up for {lags} s")


def reason(answer: object) -> str:
    return answer.reason if isinstance(answer, Failed) else "ok"


def page(url: str, name: str, number: object = 0, whose: str = "hostile") -> ScrapePod:
    names = SLOW if name in ("a pattern that backtracks", "very many bounds") else NAMES
    return ScrapePod(f"{url}{path(name)}?{number}", names, whose)


@pytest.mark.parametrize("name", PAGES)
async def test_a_hostile_page_is_a_named_failure_of_its_own(url: str, resolver: Resolver, name: str) -> None:
    number = itertools.count()

    async def ask() -> None:
        asked = page(url, name, whose=f"hostile-{next(number)}")  # one that is not known as slow
        assert reason((await resolver.resolve([asked]))[asked]) == PAGES[name][1]

    await holds_nothing_up(ask)


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_hostile_recorder_is_a_named_failure_of_its_own(url: str, resolver: Resolver, name: str) -> None:
    async def ask() -> None:
        asked = ReadAnswers(f"{url}/{name}", 0)
        found = (await resolver.resolve([asked]))[asked]
        assert isinstance(found, Failed)
        assert found.reason == ANSWERS[name][1]
        assert len(found.message) < 500

    await holds_nothing_up(ask)


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_arrives_costs_little_whatever_it_is(url: str, resolver: Resolver, name: str) -> None:
    """32 such pods held the loop up for half a second each second, and took 100 MiB more each time."""

    async def ask() -> None:
        asked = page(url, name)
        assert reason((await resolver.resolve([asked]))[asked]) == ENDLESS[name][2]

    await holds_nothing_up(ask)
    gc.collect()
    gc.disable()  # the operator looks for cycles rarely
    tracemalloc.start()
    try:
        answers = await resolver.resolve([page(url, name, number) for number in range(16)])
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert {reason(one) for one in answers.values()} == {ENDLESS[name][2]}
    assert (left < 8 << 20, peak < 32 << 20) == (True, True)


async def test_attack_05_a_number_that_is_infinite(url: str, resolver: Resolver) -> None:
    """The pod answers `"next":1e999`: OverflowError went past everything that was caught, and took with it the answers
    of all that was asked in the same look."""
    bad, good = ReadAnswers(f"{url}/1e999", 0), ScrapePod(f"{url}/good", NAMES)
    answers = await resolver.resolve([bad, good])
    assert answers[good] == Counters(8.0, 1.0)
    found = answers[bad]
    assert isinstance(found, Failed)
    assert (found.reason, "1e999" in found.message) == ("BadAnswer", True)


async def test_64_pages_with_one_huge_label_leave_nothing_in_memory(url: str, resolver: Resolver) -> None:
    """They left 436 MiB in a cache of labels."""
    tracemalloc.start()
    try:
        asked = [page(url, "one label of 3.5 MB", number) for number in range(64)]
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        answers = await resolver.resolve(asked)
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert {reason(answers[one]) for one in asked} == {"TooLarge"}
    assert after - before < 24 << 20
    assert peak - before < 96 << 20


async def test_others_windows_go_on_while_one_namespace_has_64_hostile_pods(
    url: str, quiet: str, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each second all of them are asked, and so is one small page and one large page of somebody else's. The large one
    is read when those are that had a place before it, and none that had not."""
    names = list(PAGES)
    bad: list[Request] = [page(url, names[i % len(names)], i) for i in range(48)]
    bad += [ReadAnswers(f"{url}/elements?{i}", 0, "", "hostile") for i in range(16)]
    good = [ScrapePod(f"{quiet}/{name}", NAMES, "quiet") for name in ("good", "large")]
    begun, ahead, work, under_way = list[str](), list[int](), resolver._aside.work, asyncio.Event()

    async def watched(read: Callable[[], Any]) -> Any:
        whose, before = asking.get(), len(begun)
        if before > 1:
            under_way.set()

        def noted() -> Any:
            ahead.extend([len(begun) - before] * (whose == "quiet"))
            begun.append(whose)
            return read()

        return await work(noted)

    async def ask(whose: str, requests: list[Any]) -> list[Any]:
        asking.set(whose)
        return list((await resolver.resolve(requests)).values())

    async def attack() -> None:
        hostile = asyncio.create_task(ask("hostile", bad))
        await under_way.wait()
        assert await asyncio.create_task(ask("quiet", good)) == [Counters(8.0, 1.0)] * 2
        assert ahead.pop() <= aside.EACH
        assert "ok" not in {reason(one) for one in (await hostile)[48:]}
        begun.clear()
        under_way.clear()

    monkeypatch.setattr(resolver._aside, "work", watched)
    await holds_nothing_up(attack)


async def test_the_answers_of_all_pods_of_a_look_have_a_bound(url: str, resolver: Resolver) -> None:
    """Each page was within its own; a hundred of them were a gigabyte."""
    asked = [ReadAnswers(f"{url}/many?{number}", 0, "", "hostile") for number in range(40)]
    tracemalloc.start()
    try:
        answers = await resolver.resolve(asked)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = Counter(reason(one) for one in answers.values())
    assert found["ok"] in (2, 3)
    assert found == {"ok": found["ok"], "TooLarge": len(asked) - found["ok"]}
    assert peak < 150 << 20


async def test_compressed_answers_are_not_opened(url: str, resolver: Resolver) -> None:
    asked = ScrapePod(f"{url}/bomb", NAMES)
    answers = await resolver.resolve([asked])
    assert reason(answers[asked]) == "Compressed"


async def test_a_namespace_that_was_slow_is_read_aside_for_a_while() -> None:
    now = [0.0]
    found = aside.Aside(lambda: now[0])
    found.beware("slow")
    assert (found.slow("slow"), found.slow("other")) == (True, False)
    now[0] = aside.BEWARE + 1
    assert not found.slow("slow")
    found.close()


async def test_a_namespace_has_its_places_and_no_more() -> None:
    found = aside.Aside()
    async with found.place("a", 1), found.place("a", 1):
        with pytest.raises(SignalError, match="no turn"):
            async with found.place("a", 0.02):
                pass
        async with found.place("b", 0.02):
            pass
    async with found.place("a", 0.02):
        pass
    found.close()


def test_labels_are_kept_within_a_bound() -> None:
    tracemalloc.start()
    found = Labels()
    for number in range(3000):
        assert found.of(f'a="{number}",b="{"x" * 400}"') == {"a": str(number), "b": "x" * 400}
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 20 * MOST
    assert found.of('a="1"') is found.of('a="1"')
    assert found.of("a=1") is None


def test_no_page_costs_more_than_its_budget() -> None:
    text = lines(BIG, 'infer_requests_total{{a="{}"}} 1\n').decode()
    started = time.thread_time()
    with pytest.raises(SignalError) as caught:
        parse_page(text, NAMES)
    assert caught.value.reason == "TooSlow"
    assert time.thread_time() - started < 2 * aside.LONG


async def test_an_answer_that_is_as_the_recorder_writes_it(url: str, resolver: Resolver) -> None:
    asked = ReadAnswers(f"{url}/fine", 0)
    found = (await resolver.resolve([asked]))[asked]
    assert isinstance(found, AnswersPage)
    assert found.answers[0].output == [2]
