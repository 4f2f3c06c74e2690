"""The terms on which a thread works: what is used up ends the work, and many at once take one processor at most."""

from __future__ import annotations

import threading

import pytest

from fairlead.store import terms as module
from fairlead.store.errors import SpentError
from fairlead.store.terms import Terms, answers_of, current, under


def test_time_is_used_up_once_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    terms = Terms(5.0)
    now[0] += 4.0
    assert terms.left() == 1.0
    now[0] += 1.0
    for ask in (terms.left, terms.asked, terms.pause):
        with pytest.raises(SpentError, match="no more time"):
            ask()


def test_bytes_are_of_one_answer() -> None:
    terms = Terms(10, answer=100)
    terms.received(60)
    terms.asked()
    terms.received(100)
    with pytest.raises(SpentError, match="no more bytes"):
        terms.received(1)


def test_an_answer_that_is_a_document_may_be_as_large_as_one() -> None:
    with under(Terms(10, answer=100)) as terms, answers_of(5000):
        terms.received(5000 + module.ANSWER_LIMIT)
        with pytest.raises(SpentError):
            terms.received(1)
    assert terms.answer == 100
    with answers_of(5000):
        assert current() is None


def test_terms_are_the_thread_s_own() -> None:
    seen: list[Terms | None] = []
    with under(Terms(10)) as terms:
        assert current() is terms
        other = threading.Thread(target=lambda: seen.append(current()))
        other.start()
        other.join()
    assert (seen, current()) == ([None], None)


def test_who_works_alone_does_not_pause_and_many_leave_the_processor_to_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused: list[float] = []
    worked = iter([0.0, 0.0, 0.2, 0.2, 0.5, 0.5])
    monkeypatch.setattr(module.time, "thread_time", lambda: next(worked))
    monkeypatch.setattr(module.time, "sleep", paused.append)
    with under(Terms(100)) as first:
        with under(Terms(100)):
            first.pause()  # two are under way: as long as it has worked
        first.pause()
    assert paused == pytest.approx([0.2, 0.0])
