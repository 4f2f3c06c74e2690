"""What a pod's recorder has kept of its answers."""

from __future__ import annotations

import json
from itertools import pairwise
from math import isfinite
from typing import Any
from urllib.parse import quote

import aiohttp

from fairlead.plan.core import AnswersPage, KeptAnswer, KeptInput, ReadAnswers, ReadInput
from fairlead.signals.errors import SignalError
from fairlead.signals.http import fetch

SECONDS = 0.9
"""Less than a window, so that a slow pod costs one window and not the next one too."""
LIMIT = 4 * 1024 * 1024
MOST = 10_000
"""Answers of one page: the rest comes with the next one."""


async def answers(session: aiohttp.ClientSession, request: ReadAnswers) -> AnswersPage:
    """The next answers that a recorder has kept. Raises SignalError."""
    page = await _page(session, request.url, request.after)
    if request.boot and page.boot != request.boot:
        page = await _page(session, request.url, 0)
    return page


async def _page(session: aiohttp.ClientSession, url: str, after: int) -> AnswersPage:
    reply = await fetch(session, "GET", f"{url}?after={after}&limit={MOST}", seconds=SECONDS, limit=LIMIT)
    if reply.status != 200:
        raise SignalError("HttpStatus", f"the recorder at {url} answered {reply.status}. See the container's log.")
    try:
        return parse(reply.text)
    except (ValueError, TypeError, KeyError) as bad:
        raise SignalError("BadAnswer", f"the recorder at {url} answered something else than answers: {bad}") from bad


async def kept_input(session: aiohttp.ClientSession, request: ReadInput) -> KeptInput:
    """What was asked in a request. Raises SignalError."""
    url = f"{request.url}/{quote(request.request_id, safe='')}"
    reply = await fetch(session, "GET", url, seconds=SECONDS, limit=LIMIT)
    if reply.status == 404:
        return KeptInput(None)
    if reply.status != 200:
        raise SignalError("HttpStatus", f"the recorder at {url} answered {reply.status}. See the container's log.")
    try:
        found = json.loads(reply.text)["input"]
    except (ValueError, TypeError, KeyError) as bad:
        raise SignalError("BadAnswer", f"the recorder at {url} answered something else than a request: {bad}") from bad
    return KeptInput(found if isinstance(found, str) and found else None)


def parse(text: str) -> AnswersPage:
    """A page as the recorder writes it. Raises ValueError, TypeError or KeyError."""
    body = json.loads(text)
    found = tuple(map(_answer, body["answers"]))
    if any(a.number >= b.number for a, b in pairwise(found)):
        raise ValueError("its numbers do not rise")
    return AnswersPage(str(body["boot"]), int(body["next"]), int(body["dropped"]), found, len(found) >= MOST)


def _answer(row: list[Any]) -> KeptAnswer:
    number, request_id, at, status, milliseconds, output, shadow, probability = row
    if not isfinite(at) or not 0 < probability <= 1:
        raise ValueError(f"answer {number} has no time or no probability")
    return KeptAnswer(
        int(number), str(request_id), float(at), int(status), float(milliseconds), output, bool(shadow),
        float(probability),
    )  # fmt: skip
