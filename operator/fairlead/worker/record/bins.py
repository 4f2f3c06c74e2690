"""What the requests were like: counted in the profile's bins, by a thread beside the one that takes the answers.

The taking thread only puts bodies into a queue, which is bounded; the counting one reads them, some at a time. What was
not counted is counted too, by reason (`rows.REASONS`). The profile comes from the store meanwhile; without one all else
goes on, and `/counts` says why there are none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
import zlib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fairlead.monitor.counts import Foreign, Tally
from fairlead.worker.record import rows
from fairlead.worker.record.counts import BINNED, UNREAD
from fairlead.worker.record.rows import Raw, Unread, Wanted

if TYPE_CHECKING:  # numpy and pydantic are loaded only where there is a profile
    from fairlead.monitor.profile import Profile
    from fairlead.worker.binning import Binner

WAITING, BYTES = 1000, 4 << 20
"""Requests, and bytes of their bodies, that wait to be counted."""
TOGETHER = 0.5
"""Seconds of requests that are counted at once."""
PAGE = 2 << 20
"""Bytes of a page, more than the widest profile comes to; one of 20 features has some KiB."""
MARKS, MARK = 16, 16
"""Earlier states that are remembered, and digits of the name of each."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
log = logging.getLogger(__name__)


class NotHad(Exception):  # noqa: N818 - the house's names of errors
    """There is no profile. `final`: asking again does not help."""

    def __init__(self, reason: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.reason, self.message, self.final = reason, message, final


Get = Callable[[], "Profile"]
"""Has the profile; raises NotHad."""


class Bins:
    """One version's counts since the process began. `offer` never waits for anything."""

    def __init__(self, boot: str, digest: str, get: Get | None) -> None:
        self._boot, self._digest, self._get = boot, digest, get
        self._reason, self._message = (
            ("NoProfile", "this version has no profile: its requests are not counted") if get is None
            else ("Underway", "the profile is on its way")
        )  # fmt: skip
        self._waiting: deque[Raw] = deque()
        self._bytes = 0
        self._requests, self._sampled = 0.0, 0
        self._unread: Counter[str] = Counter()
        self._binner: Binner | None = None
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        """Earlier states by their marks."""
        self._lock, self._counting, self._reading = threading.Lock(), threading.Lock(), threading.Lock()
        self._there, self._stop = threading.Event(), threading.Event()

    @property
    def wanted(self) -> bool:
        """Whether requests are counted at all."""
        return self._get is not None

    def start(self) -> None:
        """Have the profile, and count, from a thread of its own."""
        if self._get is not None:
            threading.Thread(target=self._run, name="bins", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self._there.set()

    def answered(self, chance: float) -> None:
        """A request was answered, which the proxy handed over with this chance."""
        with self._lock:
            self._requests += 1 / chance

    def offer(self, raw: Raw) -> None:
        """Count a request that was chosen, as soon as there is time."""
        with self._lock:
            self._sampled += 1
            if self._binner is None:
                self._miss("early")
            elif len(self._waiting) >= WAITING or self._bytes + raw.size > BYTES:
                self._miss("busy")
            else:
                self._waiting.append(raw)
                self._bytes += raw.size
                self._there.set()

    def page(self, chance: float, since: str = "") -> bytes:
        """What `/counts` says. chance: with which a request is chosen now; since: the mark of an earlier page, of which
        the difference is wanted too."""
        with self._reading:
            return self._page(chance, since)

    def _page(self, chance: float, since: str) -> bytes:
        tally = self._tally()
        body = _dumped(_shown(tally))
        mark = hashlib.sha256(self._boot.encode() + body).hexdigest()[:MARK]
        earlier = self._kept.get(since)
        new = None if earlier is None else self._new(tally, earlier)
        for one in (since, mark):  # what is asked for again is dropped last
            if one in self._kept:
                self._kept.move_to_end(one)
        self._kept[mark] = zlib.compress(body, 1)
        while len(self._kept) > MARKS:
            self._kept.popitem(last=False)
        with self._lock:
            reason, message = self._reason, self._message
        head = {
            "boot": self._boot, "profile": self._digest, "problem": reason, "message": message, "at": time.time(),
            "chance": chance, "mark": mark,
        }  # fmt: skip
        return _dumped(head)[:-1] + b',"since":' + _dumped(new) + b',"tally":' + body + b"}"

    def _new(self, tally: Tally, earlier: bytes) -> dict[str, Any] | None:
        """None after a bug, which took the counts with it."""
        try:
            return _shown(tally.since(_parsed(earlier, self._digest)))
        except Foreign:
            return None

    def _tally(self) -> Tally:
        with self._counting:
            counted = self._counted(self._binner) if self._binner else Tally(self._digest)
        with self._lock:
            requests, sampled, unread = round(self._requests), self._sampled, dict(self._unread)
        return replace(counted, profile=self._digest, requests=requests, sampled=sampled, unread=unread)

    def _counted(self, binner: Binner) -> Tally:
        """Rows that were held until now are counted at last: what is wrong with them must not end the page."""
        try:
            return binner.tally()
        except Exception:
            log.exception("some requests could not be counted")
            with self._lock:
                self._miss("failed")
            return binner.tally()

    def _miss(self, reason: str) -> None:
        self._unread[reason] += 1
        UNREAD.labels(reason).inc()

    def _run(self) -> None:
        try:
            profile = self._profile()
            if profile is not None:
                self._go_on(profile)
        except Exception as bug:
            log.exception("requests are not counted any more")
            words = f"{type(bug).__name__} while requests were counted: please report it with the recorder's log"
            with self._lock:
                self._reason, self._message, self._binner = "Bug", words, None

    def _go_on(self, profile: Profile) -> None:
        from fairlead.worker.binning import Binner

        binner, wanted = Binner(profile), Wanted.of(profile)
        with self._counting, self._lock:
            self._binner, self._reason, self._message = binner, "", ""
        while not self._stop.is_set():
            self._there.wait()
            self._stop.wait(TOGETHER)
            with self._lock:
                taken, self._bytes = list(self._waiting), 0
                self._waiting.clear()
                self._there.clear()
            for raw in taken:
                self._count(binner, raw, wanted)

    def _count(self, binner: Binner, raw: Raw, wanted: Wanted) -> None:
        try:
            found = rows.read(raw, wanted)
            with self._counting:
                binner.add(found.columns, found.answers, found.scores, requests=1)
            BINNED.inc(found.count)
            missed = found.unread
        except Unread as unread:
            missed = (unread.reason,)
        except Exception:
            # one request that nobody has thought of must not end the counting
            log.exception("a request could not be counted")
            missed = ("failed",)
        with self._lock:
            for reason in missed:
                self._miss(reason)

    def _profile(self) -> Profile | None:
        """Once it is had; None: it is never had, or not any more."""
        assert self._get is not None
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                return self._get()
            except NotHad as missing:
                log.warning("no profile", extra={"error": missing.message})
                with self._lock:
                    self._reason, self._message = missing.reason, missing.message
                if missing.final:
                    return None
            self._stop.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        return None


def _shown(tally: Tally) -> dict[str, Any]:
    return {
        "rows": tally.rows, "requests": tally.requests, "sampled": tally.sampled, "outliers": tally.outliers,
        "unread": tally.unread, "vectors": tally.vectors, "sums": tally.sums,
    }  # fmt: skip


def _parsed(kept: bytes, profile: str) -> Tally:
    found: dict[str, Any] = json.loads(zlib.decompress(kept))
    found |= {name: {key: tuple(one) for key, one in found[name].items()} for name in ("vectors", "sums")}
    return Tally(profile, **found)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
