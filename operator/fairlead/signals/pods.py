"""What the model servers say themselves: their counters, and whether they answer."""

from __future__ import annotations

import random

from fairlead.plan.requests import AskReady, Counters, ReadySaid, ScrapePod, Warm, WarmUp
from fairlead.signals.budget import Budget
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside, Reply, fetch
from fairlead.signals.page import parse_page

SCRAPE_SECONDS = 0.9
"""Less than a window, so that a slow pod costs one window and not the next one too."""
SCRAPE_LIMIT = 4 * 1024 * 1024
WARM_UP_SECONDS = 20.0
WARM_UP_LIMIT = 16 * 1024 * 1024
READY_SECONDS = 0.9
"""It is only for people to see: nothing else waits for it for long."""

ANEW = 0.25
"""Share of the scrapes after which the connection is closed: one that is kept stays with one of several processes that
answer at the same port, and that they are several would not be seen."""

_PLAIN = {"Accept": "text/plain;version=0.0.4"}
_KEPT = 1024
"""Bytes of the answer to a warm-up that are looked at."""
_SAID = 700
"""Characters of what a server says that has not started."""


async def scrape(outside: Outside, request: ScrapePod) -> Counters:
    """A pod's counters now. Raises SignalError."""
    headers = _PLAIN | {"Connection": "close"} if random.random() < ANEW else _PLAIN
    labels = outside.aside.labels(outside.whose)

    def read(reply: Reply, budget: Budget) -> Counters:
        if reply.status != 200:
            raise SignalError(
                "HttpStatus", f"{request.url} answered {reply.status}. Check server.metrics.path and port."
            )  # fmt: skip
        return parse_page(reply.text, request.names, labels, budget)

    return await fetch(
        outside, "GET", request.url, read, seconds=SCRAPE_SECONDS, limit=SCRAPE_LIMIT, headers=headers
    )  # fmt: skip


async def warm_up(outside: Outside, request: WarmUp) -> Warm:
    """Send the request `times` times, one after the other, so that the model is loaded and its caches are filled
    before a user's request comes. Raises SignalError when one is not answered with success; of a server's own request
    when the server can't answer it (500 or above, 429)."""
    for _ in range(max(1, request.times) if request.body else 1):
        await _once(outside, request)
    return Warm()


async def ask_ready(outside: Outside, request: AskReady) -> ReadySaid:
    """What the server answers, whatever it is. Raises SignalError."""

    def read(reply: Reply, _: Budget) -> ReadySaid:
        return ReadySaid(reply.status, " ".join(reply.text[:_KEPT].split())[:_SAID])

    return await fetch(
        outside, "GET", request.url, read, seconds=READY_SECONDS, limit=WARM_UP_LIMIT, keep=_KEPT
    )  # fmt: skip


async def _once(outside: Outside, request: WarmUp) -> None:
    options = {"data": request.body, "headers": {"Content-Type": "application/json"}} if request.body else {}
    reply = await fetch(
        outside, "POST" if request.body else "GET", request.url, lambda reply, _: reply,
        seconds=WARM_UP_SECONDS, limit=WARM_UP_LIMIT, keep=_KEPT, **options,
    )  # fmt: skip
    if 200 <= reply.status < (500 if request.own else 300) and reply.status != 429:
        return
    words = " ".join(reply.text[:_KEPT].split())[:200]
    if request.body and 400 <= reply.status < 500 and reply.status != 429:
        raise SignalError(
            "WarmUpRefused",
            f"{request.url} answered {reply.status} to a request of the evaluation: {words!r}. "
            "Does this server load the model that was evaluated?",
        )
    raise SignalError("NotReady", f"{request.url} answered {reply.status}: {words!r}. See the pod's log.")
