"""HTTP with bounds: on time, on the size of what comes back, and on the work of reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import aiohttp

from fairlead.signals.aside import LONG, QUICK, SMALL, Aside
from fairlead.signals.budget import Allowance, Budget, TooSlow
from fairlead.signals.errors import SignalError

T = TypeVar("T")

PLAIN = {"Accept-Encoding": "identity"}
"""A few compressed bytes may stand for as many as one likes."""
CONNECT = 0.5
"""Seconds that a connection may take to be made."""
ANSWERS = 6 << 20
"""Bytes of answers of one look: in memory they are some ten times as many, and to judge by them takes its time."""
COUNTS = 6 << 20
"""Bytes of counts of one look: some hundred pods', or a few of the widest profile."""


def of_answers() -> Allowance:
    """Of one look."""
    return Allowance(
        ANSWERS,
        "Keep a smaller share of them (spec.record.sample), or shorter outputs (spec.record.output.path).",
    )


def of_counts() -> Allowance:
    """Of one look."""
    return Allowance(COUNTS, "Profile fewer features.")


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Outside:
    """The way out, for one namespace."""

    session: aiohttp.ClientSession
    aside: Aside
    whose: str = ""
    """The namespace of the object that asks."""
    answers: Allowance = field(default_factory=of_answers)
    """What its pods' recorders may say at one look."""


Use = Callable[[Reply, Budget], T]
"""Reads an answer, and looks at its budget now and then."""


async def fetch(
    outside: Outside, method: str, url: str, use: Use[T], *, seconds: float, limit: int, keep: int | None = None,
    **options: Any,
) -> T:  # fmt: skip
    """One request, and what `use` makes of the answer; options go to aiohttp.

    seconds: total time allowed; limit: bytes of the answer allowed; keep: of these, how many are wanted; default: all.
    Raises what `use` raises, and SignalError (Timeout, Unreachable, TooLarge, TooSlow, Compressed). Redirects are not
    followed: a pod that answers for another address would be judged by the other's counters.
    """
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, CONNECT))
    fixed: dict[str, Any] = {"allow_redirects": False, "auto_decompress": False, "read_bufsize": SMALL}
    options["headers"] = {**PLAIN, **options.get("headers", {})}
    async with AsyncExitStack() as held:
        place = partial(held.enter_async_context, outside.aside.place(outside.whose, seconds))
        try:
            async with outside.session.request(method, url, timeout=timeout, **fixed, **options) as response:
                reply = Reply(response.status, await _read(response, limit, keep, url, place))
        except TimeoutError as error:
            raise SignalError("Timeout", f"{url} did not answer within {seconds:g} s. Is it overloaded?") from error
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            words = f"{url} can't be read: {_words(error)}. Is the server up, and does a NetworkPolicy allow it?"
            raise SignalError("Unreachable", words) from error
        return await _used(outside, use, reply, url, place)


async def _used(
    outside: Outside, use: Use[T], reply: Reply, url: str, place: Callable[[], Awaitable[None]]
) -> T:  # fmt: skip
    """What is made of an answer: at once if that is quickly done, else beside the event loop."""
    if len(reply.body) <= SMALL:
        if not outside.aside.slow(outside.whose):
            try:
                return use(reply, Budget(QUICK, url))
            except TooSlow:
                outside.aside.beware(outside.whose)
        await place()
    return await outside.aside.work(lambda: use(reply, Budget(LONG, url)))


async def _read(
    response: aiohttp.ClientResponse, limit: int, keep: int | None, url: str, place: Callable[[], Awaitable[None]]
) -> bytes:  # fmt: skip
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if keep is None and encoding not in ("", "identity"):
        words = (
            f"{url} answered compressed ({encoding[:40]!r}), though it was asked not to. Switch compression off there."
        )
        raise SignalError("Compressed", words)
    chunks: list[bytes] = []
    size = kept = 0
    async for chunk in response.content.iter_any():
        before, size = size, size + len(chunk)
        if size > limit:
            raise SignalError("TooLarge", f"{url} answered more than {limit // 1024} KiB. Export fewer series there.")
        if keep is None or kept < keep:
            chunks.append(chunk)
            kept += len(chunk)
        if keep is None and before <= SMALL < size:
            await place()
    return b"".join(chunks)


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
