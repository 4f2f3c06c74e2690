"""What came of a stream in all: how many alarms, when, how many were true, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairlead.cli.text import amount
from fairlead.monitor.estimate import Estimate, Figure
from fairlead.monitor.realised import Value, Values
from fairlead.monitor.report import Alarm, FeatureReport, PairReport, Report, ShareReport
from fairlead.monitor.unknown import Unknown

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged


HARMED = "Harmed"
_ESTIMATED, _REALISED, _NOT_COUNTED = "estimated loss", "realised loss", "was not counted"


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
    harmful: set[int] = field(default_factory=set)
    """Windows of which was said that the model is harmed, estimated or with labels."""
    unknown: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """By what isn't known and the remedy: the first window's reason, and the number of windows."""

    def add(self, judged: Judged) -> None:
        """One more window."""
        self.windows += 1
        self.rows += judged.tally.rows
        self.labels += judged.labels.n
        self.unread += judged.labels.unread
        self.alarms += [(judged.index, alarm) for alarm in judged.report.alarms]
        if state(judged.report) == HARMED:
            self.harmful.add(judged.index)
        for what, why in unknown(judged.report):
            if not self._told_apart(what, why):
                remedy = self._remedy(what, why)
                reason, windows = self.unknown.get((what, remedy), (why.reason, 0))
                self.unknown[what, remedy] = reason, windows + 1

    def _told_apart(self, what: str, why: Unknown) -> bool:
        """Whether it follows from a column that isn't there, which is said by its own name."""
        missing = any(name in self.past.stream.absent for name in (what.partition("/")[2], *what.split("*"), what))
        return missing or (why.reason.endswith(_NOT_COUNTED) and what != _ESTIMATED)

    def _remedy(self, what: str, why: Unknown) -> str:
        """What a person can do about it who has files, and no cluster."""
        if what == _ESTIMATED and why.reason.endswith(_NOT_COUNTED):
            return "name the answers' column with --prediction, and that of their probabilities with --score"
        if what == _REALISED and self.past.labels is None:
            return "give --labels and their --key, or a --target that the rows have"
        return why.remedy

    # --- in the end --------------------------------------------------------------------------------------------------

    def raised(self) -> list[Raised]:
        """All alarms, and whether they were true."""
        return [Raised(window, alarm, self.past.judgement.lost(window)[1]) for window, alarm in self.alarms]

    def harmed(self) -> list[int]:
        """Windows with a real loss."""
        return [window for window in range(self.windows) if self.past.judgement.lost(window)[1]]

    def precision(self, monitor: str = "") -> float | None:
        """The share of the alarms (of one monitor) that were true, among those of which somebody knows."""
        known = [one.true for one in self.raised() if one.true is not None and monitor in ("", one.alarm.monitor)]
        return sum(known) / len(known) if known else None

    def monitors(self) -> list[str]:
        """Those that raised an alarm."""
        return list(dict.fromkeys(alarm.monitor for _, alarm in self.alarms))

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
        for (what, remedy), (reason, windows) in self.unknown.items():
            first = "of the first: " if windows > 1 else ""
            yield (f"{what}: Unknown in {windows} of {amount(self.windows, 'window')}; {first}{reason}. "
                   f"Remedy: {remedy}.")  # fmt: skip

    def _alarms(self) -> str:
        if not self.windows:
            return "There are no rows, so there is nothing to judge."
        raised = self.raised()
        words = f"{amount(len(raised), 'alarm')} in {amount(self.windows, 'window')}"
        true, false = (sum(one.true is value for one in raised) for value in (True, False))
        if not raised:
            return f"{words}."
        if not true + false:
            return f"{words}. How many of them were true, nobody knows without labels of their windows."
        rest = len(raised) - true - false
        return (f"{words}: {true} in a window with a real loss of quality, {false} without, {rest} where nobody knows. "
                f"Harm precision: {true / (true + false):.0%} ({self._by_monitor()}).")  # fmt: skip

    def _by_monitor(self) -> str:
        shares = ((monitor, self.precision(monitor)) for monitor in self.monitors())
        return ", ".join(f"{monitor} {share:.0%}" for monitor, share in shares if share is not None)

    def _harm(self) -> Iterator[str]:
        known = [window for window in range(self.windows) if self.past.judgement.lost(window)[1] is not None]
        if not known:
            return
        harmed = set(self.harmed())
        others = amount(len(self.harmful - harmed), "other")
        yield (f"A real loss of quality in {len(harmed)} of {amount(len(known), 'window')} with labels enough. That "
               f"there is harm was said in {len(self.harmful & harmed)} of these, and in {others}.")  # fmt: skip

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


def parts(report: Report) -> dict[str, FeatureReport | PairReport | ShareReport]:
    """All that is watched of requests and answers, by name."""
    outliers = {"outliers": report.outliers} if report.outliers else {}
    return {**report.drift, **report.outputs, **report.pairs, **report.data, **outliers}


def figures(of: Estimate | Values | Unknown | None) -> dict[str, tuple[float, float, float]]:
    """(value, low, high) by metric, of those that are known: bands of 95 %."""
    if of is None or isinstance(of, Unknown):
        return {}
    if isinstance(of, Estimate):
        known = {name: (one.value, one.interval()) for name, one in of.figures.items() if isinstance(one, Figure)}
    else:
        known = {name: (one.value, one.interval) for name, one in of.items() if isinstance(one, Value)}
    return {name: (value, among.low, among.high) for name, (value, among) in known.items()}


def unknown(report: Report) -> Iterator[tuple[str, Unknown]]:
    """What a window says nothing of, and why."""
    if report.unknown is not None:
        yield "the window's rows", report.unknown
    watched = {} if report.unknown else parts(report)
    losses = {f"{name} loss": one for name, one in report.losses.items()}
    for name, one in (*watched.items(), *losses.items(), *report.fairness.items()):
        if one.state == "Unknown" and not (report.unknown and one.reason == report.unknown.reason):
            yield name, Unknown(one.reason, one.remedy)


def state(report: Report) -> str:
    """Of a window in one word. What isn't known is never ok; only labels may be missing, for they come when they do."""
    if any(one.state == "Drifting" for one in report.losses.values()):
        return HARMED
    if any(one.state == "Drifting" for one in report.fairness.values()):
        return "Unfair"
    if report.unknown is not None:
        return "Unknown"
    states = [one.state for one in (*parts(report).values(), *report.fairness.values())]
    states += [one.state for name, one in report.losses.items() if name == "estimated"]
    return next((one for one in ("Drifting", "Watch", "Unknown") if one in states), "Ok")
