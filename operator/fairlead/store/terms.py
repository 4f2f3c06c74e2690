"""On which terms the work of this thread may use a store: until when, how many bytes of an answer, and where.

A worker in a Job has none: there the pod's own limits and its namespace's network policies hold. The operator does
work for everybody, so nobody's store may keep a thread, fill the memory, or lead it to where it has no business.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from fairlead.store.errors import SpentError

ANSWER_LIMIT = 4 << 20
"""Bytes of one answer, headers included. A full page of a listing with the longest keys that S3 allows has 3.5 MiB."""

PAUSE = 1.0
"""Seconds at most between two pages of a listing."""


@dataclass
class Terms:
    """`seconds` in all, counted from when this is made."""

    seconds: float
    check: Callable[[str], None] | None = None
    """Told the address before a connection is made; raises StoreError where it is not wanted."""
    trusted: bool = True
    """The platform has named the store; what is wrong with it may be told in full."""
    answer: int = ANSWER_LIMIT
    """Bytes that an answer may have."""
    _until: float = field(init=False)
    _read: int = field(default=0, init=False)
    _worked: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that are left. Raises SpentError when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise SpentError("time")
        return left

    def pause(self) -> None:
        """Between two pages: leave the processor to the others, so that all threads together take one at most and the
        event loop is not kept waiting. Alone there is none."""
        worked = time.thread_time() - self._worked
        time.sleep(min(worked * (_at_work.number - 1), PAUSE, self.left()))
        self._worked = time.thread_time()

    def asked(self) -> None:
        """A request goes out: its answer is counted anew."""
        self.left()
        self._read = 0

    def received(self, size: int) -> None:
        """So many bytes of the answer have come. Raises SpentError when they are too many."""
        self._read += size
        if self._read > self.answer:
            raise SpentError("bytes")


class _AtWork:
    """How many works are under way on terms."""

    def __init__(self) -> None:
        self.number, self._lock = 0, threading.Lock()

    def add(self, by: int) -> None:
        with self._lock:
            self.number += by


_at_work = _AtWork()
_current: ContextVar[Terms | None] = ContextVar("terms", default=None)


def current() -> Terms | None:
    """The terms of this thread's work; None: there are none."""
    return _current.get()


@contextmanager
def under(terms: Terms) -> Iterator[Terms]:
    """What is done inside is done on these terms."""
    token = _current.set(terms)
    terms._worked = time.thread_time()
    _at_work.add(1)
    try:
        yield terms
    finally:
        _at_work.add(-1)
        _current.reset(token)


@contextmanager
def answers_of(size: int) -> Iterator[None]:
    """Inside, an answer may have `size` bytes besides its headers, if the terms bound it."""
    terms = current()
    if terms is None:
        yield
        return
    before, terms.answer = terms.answer, max(terms.answer, size + ANSWER_LIMIT)
    try:
        yield
    finally:
        terms.answer = before
