"""What a pod's recorder has kept of its answers."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from fairlead.api import foreign
from fairlead.plan.requests import AnswersPage, KeptAnswer, KeptInput, ReadAnswers, ReadInput
from fairlead.signals.budget import Budget
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside, Reply, fetch

SECONDS = 0.9
"""Less than a window, so that a slow pod costs one window and not the next one too."""
LIMIT = 2304 * 1024
"""Bytes of a page: a recorder's ends at 2 MiB, or after the answer with which it goes beyond."""
PARTS = 250_000
"""Elements of a page: each of its answers has eight, and as many as its output has."""
MOST = 10_000
"""Answers of one page: the rest comes with the next one."""
LONGEST_ID = 128
"""Characters of a request's id, which clients may choose."""
LONGEST_BOOT = 64
_LATEST = 1e11
"""Epoch seconds: no clock says more."""
_LARGEST = 2**53


async def answers(outside: Outside, request: ReadAnswers) -> AnswersPage:
    """The next answers that a recorder has kept. Raises SignalError."""
    page = await _page(outside, request.url, request.after)
    if request.boot and page.boot != request.boot:
        page = await _page(outside, request.url, 0)
    return page


async def _page(outside: Outside, url: str, after: int) -> AnswersPage:
    def read(reply: Reply, _budget: Budget) -> AnswersPage:
        _ok(reply, url)
        outside.answers.take(len(reply.body))
        try:
            return parse(reply.body)
        except ValueError as bad:
            raise _bad(url, "answers", bad) from bad

    whole = f"{url}?after={after}&limit={MOST}"
    return await fetch(outside, "GET", whole, read, seconds=SECONDS, limit=LIMIT)


async def kept_input(outside: Outside, request: ReadInput) -> KeptInput:
    """What was asked in a request. Raises SignalError."""
    url = f"{request.url}/{quote(request.request_id, safe='')}"

    def read(reply: Reply, _budget: Budget) -> KeptInput:
        if reply.status == 404:
            return KeptInput(None)
        _ok(reply, url)
        try:
            found = foreign.parse(reply.body, length=LIMIT)
            text = found["input"]
        except (ValueError, KeyError, TypeError) as bad:
            raise _bad(url, "a request", bad) from bad
        return KeptInput(text if isinstance(text, str) and text else None)

    return await fetch(outside, "GET", url, read, seconds=SECONDS, limit=LIMIT)


def _ok(reply: Reply, url: str) -> None:
    if reply.status != 200:
        raise SignalError("HttpStatus", f"the recorder at {url} answered {reply.status}. See the container's log.")


def _bad(url: str, what: str, why: Exception) -> SignalError:
    words = f"the recorder at {url} answered something else than {what}: {str(why)[:200]}"
    return SignalError("BadAnswer", f"{words}. Is it the recorder's container that listens there?")


def parse(text: str | bytes) -> AnswersPage:
    """A page as the recorder writes it. Raises ValueError, also for numbers that no recorder writes."""
    body = foreign.parse(text, length=LIMIT, parts=PARTS)
    if not isinstance(body, dict) or not isinstance(body.get("answers"), list):
        raise ValueError("it has no list of answers")
    found = tuple(map(_answer, body["answers"]))
    if any(a.number >= b.number for a, b in pairwise(found)):
        raise ValueError("its numbers do not rise")
    boot = body.get("boot")
    if not isinstance(boot, str) or len(boot) > LONGEST_BOOT:
        raise ValueError("it does not say of which process they are")
    following, dropped = (_whole(body.get(name), name) for name in ("next", "dropped"))
    return AnswersPage(boot, following, dropped, found, len(found) >= MOST)


def _answer(row: Any) -> KeptAnswer:
    if not isinstance(row, list) or len(row) != 8:
        raise ValueError("an answer has eight members")
    number, request_id, at, status, milliseconds, output, shadow, probability = row
    number = _whole(number, "number")
    if not 0 < _number(probability, "probability") <= 1:
        raise ValueError(f"answer {number} has no probability")
    if not 0 <= _number(at, "time") <= _LATEST:
        raise ValueError(f"answer {number} has no time")
    return KeptAnswer(
        number, _id(request_id), float(at), _whole(status, "status"), _number(milliseconds, "milliseconds"), output,
        bool(shadow), float(probability),
    )  # fmt: skip


def _id(given: Any) -> str:
    """A request's id; of a long one the beginning and a digest, so that all versions' answers to it still have the
    same one, and no other request's have."""
    text = str(given)
    if len(text) <= LONGEST_ID:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{text[: LONGEST_ID - len(digest) - 1]}-{digest}"


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ValueError(f"{what} is {str(value)[:40]!r}, which is no count")
    return value


def _number(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{what} is {str(value)[:40]!r}, which is no number")
    return float(value)
