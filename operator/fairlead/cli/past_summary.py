"""What came of a stream in all: how many alarms, when, how many were true, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairlead.monitor.report import Alarm, FeatureReport, PairReport, Report, ShareReport
from fairlead.monitor.unknown import Unknown

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged


@dataclass(frozen=True)
class Raised:
    """An alarm."""

    window: int
    alarm: Alarm
    true: bool | None
    """Whether there was a real loss of quality in its window; None: nobody knows."""


@dataclass
class Summary:
    """Of windows, as they come."""

    past: Past
    windows: int = 0
    rows: int = 0
    labels: int = 0
    """Rows whose label was counted in some window."""
    unread: int = 0
    """Labels, or answers to these rows, that say nothing."""
    alarms: list[tuple[int, Alarm]] = field(default_factory=list)
    unknown: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Windows by what isn't known, the reason, and the remedy."""

    def add(self, judged: Judged) -> None:
        """One more window."""
        self.windows += 1
        self.rows += judged.tally.rows
        self.labels += judged.labels.n
        self.unread += judged.labels.unread
        self.alarms += [(judged.index, alarm) for alarm in judged.report.alarms]
        for what, why in unknown(judged.report):
            if what not in self.past.stream.absent:
                key = (what, why.reason, why.remedy)
                self.unknown[key] = self.unknown.get(key, 0) + 1

    # --- in the end --------------------------------------------------------------------------------------------------

    def raised(self) -> list[Raised]:
        """All alarms, and whether they were true."""
        return [Raised(window, alarm, self.past.judgement.lost(window)[1]) for window, alarm in self.alarms]

    def harmed(self) -> list[int]:
        """Windows with a real loss."""
        return [window for window in range(self.windows) if self.past.judgement.lost(window)[1]]

    def precision(self) -> float | None:
        """The share of the alarms that were true, among those of which somebody knows."""
        known = [one.true for one in self.raised() if one.true is not None]
        return sum(known) / len(known) if known else None

    def said(self) -> Iterator[str]:
        """Sentences."""
        yield self._alarms()
        yield from self._harm()
        if self.past.labels is not None:
            yield from self._labels()
        unread = self.past.stream.times.unread
        if unread:
            yield f"{unread:,} rows have no time that can be read: they are in no window."
        if not self.past.stream.times.sorted:
            yield "The rows did not lie in the order of their times, and were put into it."
        for name in self.past.stream.absent:
            yield f"{name}: Unknown: the rows have no such column. Rename theirs, or make the profile without it."
        for note in self.past.notes:
            yield f"{note[:1].upper()}{note[1:]}."
        for (what, reason, remedy), windows in self.unknown.items():
            yield f"{what}: Unknown in {windows} of {self.windows} windows: {reason}. Remedy: {remedy}."

    def _alarms(self) -> str:
        if not self.windows:
            return "There are no rows, so there is nothing to judge."
        raised = self.raised()
        words = f"{_number(len(raised), 'alarm')} in {_number(self.windows, 'window')}"
        true, false = (sum(one.true is value for one in raised) for value in (True, False))
        if not raised:
            return f"{words}."
        if not true + false:
            return f"{words}. How many of them were true, nobody knows without labels of their windows."
        rest = len(raised) - true - false
        return (f"{words}: {true} in a window with a real loss of quality, {false} without, {rest} where nobody knows. "
                f"Harm precision: {true / (true + false):.0%}.")  # fmt: skip

    def _harm(self) -> Iterator[str]:
        known = [window for window in range(self.windows) if self.past.judgement.lost(window)[1] is not None]
        if not known:
            return
        harmed = self.harmed()
        alarmed = {window for window, _ in self.alarms}
        found = sum(window in alarmed for window in harmed)
        yield (f"A real loss of quality in {len(harmed)} of {_number(len(known), 'window')} with labels enough; "
               f"{found} of these had an alarm of their own.")  # fmt: skip

    def _labels(self) -> Iterator[str]:
        assert self.past.labels is not None
        told, later = self.past.labels.told, self.past.judgement.later
        yield f"{self.labels:,} labels were counted, of {told.labels:,}."
        for number, words in (
            (later, "became known after the last window only"),
            (told.unmatched, "have a key that no row has"),
            (told.contradictory, "keys have different labels: none of them counts"),
            (told.repeated, "say again what another one says: they count once"),
            (told.empty, "are empty, or have no key"),
            (told.shared, "rows share their key with another row: each of them has its label"),
            (self.unread, "could not be compared with the answer"),
        ):
            if number:
                yield f"{number:,} {words}."


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def parts(report: Report) -> dict[str, FeatureReport | PairReport | ShareReport]:
    """All that is watched of the input, by name."""
    outliers = {"outliers": report.outliers} if report.outliers else {}
    return {**report.drift, **report.outputs, **report.pairs, **report.data, **outliers}


def unknown(report: Report) -> Iterator[tuple[str, Unknown]]:
    """What a window says nothing of, and why."""
    if report.unknown is not None:
        yield "all", report.unknown
        return
    for name, one in parts(report).items():
        if one.state == "Unknown":
            yield name, Unknown(one.reason, one.remedy)


def state(report: Report) -> str:
    """Of a window in one word. What isn't known is never ok."""
    if report.unknown is not None:
        return "Unknown"
    states = [one.state for one in parts(report).values()]
    return next((one for one in ("Drifting", "Watch", "Unknown") if one in states), "Ok")
