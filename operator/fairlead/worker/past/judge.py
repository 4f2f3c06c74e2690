"""A stream's windows, judged one after the other by the monitors that run in a cluster."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.profile import Profile
from fairlead.monitor.series import Report, Settings, State, fold
from fairlead.monitor.watched import natural
from fairlead.worker.binning import Binner
from fairlead.worker.past import harm, truth
from fairlead.worker.past.harm import Loss
from fairlead.worker.past.labels import Labelled, Labels
from fairlead.worker.past.stream import Piece, Stream
from fairlead.worker.past.truth import Counts
from fairlead.worker.past.windows import SECOND

LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Judged:
    """One window."""

    index: int
    tally: Tally
    at: int
    to: int
    """Of its first and last row, as `Piece` has them; of a window of time when it begins and ends."""
    report: Report
    labels: Counts
    """Those that became known in it, whichever window their rows are of."""


@dataclass
class _Open:
    """The window that rows still come to."""

    index: int
    binner: Binner
    at: int = 0
    to: int = 0


@dataclass
class Judgement:
    """Iterate over `windows` once; then the rest is there."""

    stream: Stream
    settings: Settings
    labels: Labels | None = None
    losses: dict[int, Counts] = field(default_factory=dict)
    """By window, of its own rows, whenever their labels became known."""
    later: int = 0
    """Rows whose label became known after the last window only."""

    def windows(self) -> Iterator[Judged]:
        """All windows, also those to which no row came."""
        profile = self.stream.profile
        waiting = _Waiting(self.labels)
        state, now = State(profile.digest), None
        self._starts: list[int] = []
        for piece in self.stream.pieces():
            now = now or self._open(0, piece)
            while now.index < piece.window:
                judged, state = self._close(now, state, waiting, piece.at)
                yield judged
                now = self._open(now.index + 1, piece)
            now.binner.add(piece.columns, piece.answers, piece.scores)
            now.to = piece.to
        if now is not None:
            judged, state = self._close(now, state, waiting, now.to + 1)
            yield judged
        for rest in waiting.until(LAST):
            self._remember(rest)
            self.later += len(rest.known)

    def _open(self, index: int, piece: Piece) -> _Open:
        at = piece.at if self.stream.grid is None else self.stream.grid.start(index)
        self._starts.append(at)
        return _Open(index, Binner(self.stream.profile), at, at)

    def _close(self, now: _Open, state: State, waiting: _Waiting, next_at: int) -> tuple[Judged, State]:
        """next_at: when the next window's first row comes, by which labels of this one are known."""
        end = next_at if self.stream.grid is None else self.stream.grid.start(now.index + 1)
        counts = Counts()
        for rows in waiting.until(end):
            self._remember(rows)
            counts += truth.count(self.stream.profile, rows)
        tally = known(now.binner.tally(), self.stream)
        to = now.to if self.stream.grid is None else end
        labels = counts.window() if self.labels is not None else None
        state, report = fold(self.stream.profile, self.settings, state, tally, labels, self._until(end))
        return Judged(now.index, tally, now.at, to, report, counts), state

    def _until(self, end: int) -> float | None:
        """In seconds; windows of rows end one length after the other."""
        return end / SECOND if self.stream.grid is not None else None

    def _remember(self, rows: Labelled) -> None:
        """Count labels to the windows that their rows are of."""
        assert self.labels is not None
        at = rows.known - self.labels.delay
        if self.stream.grid is not None:
            of = self.stream.grid.numbers(at)
        else:
            of = np.searchsorted(np.array(self._starts), at, side="right") - 1
        for window in np.unique(of).tolist():
            inside = np.flatnonzero(of == window)
            part = rows.part(int(inside[0]), int(inside[-1]) + 1)
            self.losses[window] = self.losses.get(window, Counts()) + truth.count(self.stream.profile, part)

    def lost(self, window: int) -> tuple[Loss | None, bool | None]:
        """The loss of a window's own rows, and whether it is a real one, as far as anybody knows."""
        found = harm.found(self.stream.profile, self.losses.get(window, Counts()))
        return found, harm.real(harm.reference(self.stream.profile), found)


def seasons(stream: Stream) -> tuple[Profile, int]:
    """The stream's profile with what the reference's own windows showed (`watched.natural`), and how many there were.

    stream: the rows that the profile is of, in windows as long as those that will be judged. One with less than half of
    the usual rows (the last one, the first of a calendar) says more of chance than of a season, and is left out.
    """
    profile, fewest = stream.profile, (stream.times.rows - stream.times.unread) / max(1, stream.count()) / 2
    counted = 0

    def whole() -> Iterator[Tally]:
        nonlocal counted
        for tally in _tallies(stream):
            if tally.rows >= fewest:
                counted += 1
                yield tally

    return natural(profile, whole()), counted


def _tallies(stream: Stream) -> Iterator[Tally]:
    """Of windows that have rows."""
    for _, pieces in groupby(stream.pieces(), key=lambda piece: piece.window):
        binner = Binner(stream.profile)
        for piece in pieces:
            binner.add(piece.columns, piece.answers, piece.scores)
        yield known(binner.tally(), stream)


def known(tally: Tally, stream: Stream) -> Tally:
    """Without features that the rows lack: nothing is known of them, and they are not missing in all rows."""
    gone = {feature_key(name) for name in stream.absent}
    return replace(tally, vectors={key: one for key, one in tally.vectors.items() if key not in gone})


class _Waiting:
    """Labels that aren't known yet, in the order in which they will be."""

    def __init__(self, labels: Labels | None) -> None:
        self._batches = labels.batches() if labels else iter(())
        self._rest: Labelled | None = None

    def until(self, end: int) -> Iterator[Labelled]:
        """Those that are known before `end`."""
        while (rows := self._rest or next(self._batches, None)) is not None:
            count = bisect_right(rows.known, end - 1)
            self._rest = rows.part(count, len(rows.known)) if count < len(rows.known) else None
            if count:
                yield rows.part(0, count)
            if self._rest is not None:
                return
