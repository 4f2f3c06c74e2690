"""What a pod's recorder has counted of its requests."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any
from urllib.parse import quote

from fairlead.api import foreign
from fairlead.monitor.counts import Tally
from fairlead.monitor.profile import FEATURES, LONGEST, PAIRS, SLICES, VALUES
from fairlead.plan.requests import CountsPage, ReadCounts
from fairlead.signals.budget import Budget
from fairlead.signals.counts import LARGEST
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside, Reply, fetch

SECONDS = 0.9
LIMIT = 2 << 20
"""Bytes of a page: a recorder's has fewer, however wide its profile is."""
PARTS = 120_000
"""Elements of a page: the widest profile has 24,000 counts, which are there twice."""
VECTORS = FEATURES + 2 + 2 * SLICES * VALUES
LENGTH = 160
"""Places of a vector: a score has two a bin."""
SUMS = 6
REASONS = 32
_REASON, _NAME, _DIGEST = re.compile(r"[a-z]{1,20}"), re.compile(r"[A-Za-z]{0,40}"), re.compile(r"([0-9a-f]{64})?")
_MARK, _BOOT = re.compile(r"[0-9a-f]{1,32}"), re.compile(r"[0-9A-Za-z-]{1,64}")
_KEY = 2 * LONGEST + 32
"""Characters of a key: two names, and what they are."""
_SAID = 300


async def counts(outside: Outside, request: ReadCounts) -> CountsPage:
    """What a recorder has counted since it began, and since a mark. Raises SignalError."""

    def read(reply: Reply, _: Budget) -> CountsPage:
        if reply.status != 200:
            raise SignalError(
                "HttpStatus", f"the recorder at {request.url} answered {reply.status}: one of an earlier release knows "
                "no counts; see the container's log",
            )  # fmt: skip
        outside.answers.take(len(reply.body))
        try:
            return parse(reply.body)
        except ValueError as bad:
            words = f"the recorder at {request.url} answered something else than counts: {str(bad)[:200]}"
            raise SignalError("BadAnswer", f"{words}. Is it the recorder's container that listens there?") from bad

    url = f"{request.url}?since={quote(request.mark, safe='')}"
    return await fetch(outside, "GET", url, read, seconds=SECONDS, limit=LIMIT)


def parse(text: str | bytes) -> CountsPage:
    """A page as the recorder writes it; what a later one says besides is left out. Raises ValueError, also for counts
    that no recorder has."""
    body = _object(foreign.parse(text, length=LIMIT, parts=PARTS), "the page")
    profile, since = _text(body, "profile", _DIGEST), body.get("since")
    message = body.get("message", "")
    return CountsPage(
        boot=_text(body, "boot", _BOOT), profile=profile, problem=_text(body, "problem", _NAME),
        tally=_tally(body.get("tally"), profile), mark=_text(body, "mark", _MARK),
        since=None if since is None else _tally(since, profile),
        message=" ".join(message[:_SAID].split()) if isinstance(message, str) else "",
        chance=_chance(body.get("chance", 1.0)),
    )  # fmt: skip


def _tally(found: Any, profile: str) -> Tally:
    body = _object(found, "the tally")
    rows, requests, sampled, outliers = (
        _whole(body.get(name), name) for name in ("rows", "requests", "sampled", "outliers")
    )
    unread = {why: _whole(one, why) for why, one in _members(body, "unread", REASONS, 20).items()}
    if not all(_REASON.fullmatch(one) for one in unread):
        raise ValueError("a reason is one word in small letters")
    vectors = {key: _vector(one, key) for key, one in _members(body, "vectors", VECTORS, _KEY).items()}
    sums = {key: _sums(one, key) for key, one in _members(body, "sums", PAIRS, _KEY).items()}
    return Tally(profile, rows, requests, sampled, outliers, unread, vectors, sums)


def _object(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{what} is no object")
    return found


def _members(body: dict[str, Any], name: str, most: int, longest: int) -> dict[str, Any]:
    found = _object(body.get(name), name)
    if len(found) > most or any(len(key) > longest for key in found):
        raise ValueError(
            f"{name} has {len(found)} members, of which there are {most} at most, or one's name is too long"
        )
    return found


def _text(body: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not pattern.fullmatch(found):
        raise ValueError(f"{name} is none that a recorder has")
    return found


def _vector(found: Any, key: str) -> tuple[int, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= LENGTH:
        raise ValueError(f"{key[:60]} is no vector of at most {LENGTH} counts")
    return tuple(_whole(one, key) for one in found)


def _sums(found: Any, key: str) -> tuple[float, ...]:
    if not isinstance(found, list) or len(found) != SUMS:
        raise ValueError(f"{key[:60]} has not {SUMS} sums")
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= LARGEST for one in found):
        raise ValueError(f"{key[:60]} has a sum that is none")
    return tuple(float(one) for one in found)


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise ValueError(f"{what[:60]} is {str(value)[:40]!r}, which is no count")
    return value


def _chance(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or not 0 < value <= 1:
        raise ValueError("the chance is none")
    return float(value)
