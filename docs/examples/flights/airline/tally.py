"""What users saw, by version: requests, codes, outcomes, and when."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """One version's share."""

    first: float
    last: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    right: int = 0
    wrong: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=2000))
    """Of the newest answers, in seconds."""

    def report(self) -> dict[str, Any]:
        """As JSON; times in epoch seconds, latencies in milliseconds."""
        ordered = sorted(self.latencies)
        quantile = {q: round(1000 * ordered[int(q * (len(ordered) - 1))], 1) for q in (0.5, 0.99)} if ordered else {}
        return {
            "first": self.first, "last": self.last, "codes": dict(self.codes), "right": self.right,
            "wrong": self.wrong, "p50": quantile.get(0.5), "p99": quantile.get(0.99),
        }  # fmt: skip


class Tally:
    """All versions' shares."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._versions: dict[str, Seen] = {}

    def begin(self) -> None:
        """The replay has begun."""
        self._since = time.time()

    def answer(self, version: str, code: str, took: float) -> None:
        """A request was answered, or was not."""
        now = time.time()
        seen = self._versions.setdefault(version, Seen(first=now))
        seen.last = now
        seen.codes[code] += 1
        seen.latencies.append(took)

    def outcome(self, version: str, right: bool) -> None:
        """What came of an answer."""
        seen = self._versions[version]
        if right:
            seen.right += 1
        else:
            seen.wrong += 1

    def report(self) -> dict[str, Any]:
        """As JSON: `since` (epoch seconds, null while nobody answers) and `versions`."""
        versions = {name: seen.report() for name, seen in sorted(self._versions.items())}
        return {"since": self._since, "versions": versions}
