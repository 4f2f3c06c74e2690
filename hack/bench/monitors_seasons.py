"""Streams whose inputs don't change, and streams that have a season: the input monitors on public data.

SEA concepts: what the inputs are like never changes, only what follows from them; so the input monitors stay silent.
Weather (Bellevue, 50 years, days in order without dates): the first half is the reference. Each window of two months
is unlike a whole year, and no two winters are alike. Judged by the whole alone, something drifts nearly always; with
the variation of the reference's own windows in the profile (`watched.natural`), only what is unlike all of 25 years.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.profile import BINS, Number, Profile
from fairlead.monitor.report import Alarm
from fairlead.monitor.series import Settings, State, fold
from fairlead.monitor.watched import natural
from hack.bench import published
from hack.bench.report import keep, table
from hack.bench.twin import Floats

TWO_MONTHS = 61
"""Days."""
NAMES = ("temperature", "dew point", "pressure", "visibility", "wind", "largest wind", "maximum", "minimum")


def number(name: str, values: Floats) -> Number:
    """A feature with bins at its quantiles."""
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)
    return Number(
        kind="number", name=name, edges=edges.tolist(), counts=counts.tolist(), low=float(values.min()),
        high=float(values.max()), mean=float(values.mean()), sd=float(values.std()),
    )  # fmt: skip


def profile(names: Sequence[str], rows: Floats) -> Profile:
    """Of numeric columns."""
    features = [number(name, rows[:, at]) for at, name in enumerate(names)]
    return Profile(task="regression", rows=len(rows), features=list(features))


def windows(of: Profile, rows: Floats, length: int) -> Iterator[Tally]:
    """The rows in order, as counts of whole windows."""
    for begin in range(0, len(rows) - length + 1, length):
        yield counted(of, rows[begin : begin + length])


def counted(of: Profile, rows: Floats) -> Tally:
    """Some rows, one request each."""
    vectors, outside = {}, np.zeros(len(rows), bool)
    for at, one in enumerate(of.features):
        assert isinstance(one, Number)
        values, bins = rows[:, at], len(one.counts)
        places = np.searchsorted(one.edges, values, "right")
        places = np.where(values < one.low, bins, np.where(values > one.high, bins + 1, places))
        outside |= places >= bins
        vectors[feature_key(one.name)] = tuple(np.bincount(places, minlength=one.length).tolist())
    return Tally(of.digest, len(rows), len(rows), len(rows), int(outside.sum()), vectors=vectors)


@dataclass(frozen=True)
class Run:
    """Of a stream."""

    alarms: list[tuple[int, Alarm]]
    """With their windows."""
    drifting: float
    """Share of windows in which some feature stands as drifting."""

    def since(self, window: int) -> list[str]:
        """What alarmed from a window on."""
        return [alarm.what for at, alarm in self.alarms if at >= window]


def run(of: Profile, settings: Settings, given: Iterator[Tally]) -> Run:
    """The product's own fold of a stream."""
    state, found, drifting, count = State(), [], 0, 0
    for at, window in enumerate(given):
        state, report = fold(of, settings, state, window)
        found += [(at, one) for one in report.alarms]
        drifting += any(one.state == "Drifting" for one in report.drift.values())
        count += 1
    return Run(found, drifting / max(1, count))


def sea(length: int = 500, reference: int = 10_000) -> Run:
    """Over all 40,000 rows, three changes of the concept among them; the reference is of the first concept."""
    rows, _ = published.sea()
    of = profile(("x", "y", "z"), rows[:reference])
    return run(of, Settings(every=3600.0), windows(of, rows, length))


def weather() -> Floats:
    """8 features of 18,159 days."""
    found: Floats = np.loadtxt(published.place() / "weather.csv", delimiter=",", skiprows=1)[:, :8]
    return found


def seasonal(rows: Floats, known: bool, change: Mapping[int, tuple[float, float]] | None = None) -> Run:
    """The second half of 50 years. known: whether the profile has the variation of its own windows; change: of the last
    five years, by feature, a factor and a shift: another unit, a broken instrument."""
    half = len(rows) // 2
    of = profile(NAMES, rows[:half])
    if known:
        of = natural(of, windows(of, rows[:half], TWO_MONTHS))
    later = rows[half:].copy()
    for at, (factor, shift) in (change or {}).items():
        later[-5 * 365 :, at] = later[-5 * 365 :, at] * factor + shift
    settings = Settings(every=TWO_MONTHS * 86400.0, data=0.1, outliers=0.1, false_alarms_per_year=0.1)
    return run(of, settings, windows(of, later, TWO_MONTHS))


def begun(rows: Floats) -> int:
    """The window from which on the injected changes are there."""
    return (len(rows) - len(rows) // 2 - 5 * 365) // TWO_MONTHS


CHANGES: dict[str, dict[int, tuple[float, float]]] = {
    "temperatures in °C": dict.fromkeys((0, 1, 6, 7), (5 / 9, -160 / 9)),
    "pressure in mm of mercury": {2: (0.750062, 0.0)},
    "wind in m/s": dict.fromkeys((4, 5), (0.514444, 0.0)),
    "a wind gauge that shows half": {4: (0.5, 0.0)},
}


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    rows = weather()
    found = {
        "no change, against the whole alone": seasonal(rows, known=False),
        "no change, with the reference's own variation": seasonal(rows, known=True),
    }
    found |= {name: seasonal(rows, True, change) for name, change in CHANGES.items()}
    first = begun(rows)
    shown = [
        (name, len(one.alarms), one.drifting, ", ".join(dict.fromkeys(one.since(first))) or "nothing")
        for name, one in found.items()
    ]
    head = ("stream", "alarms in 25 years", "share of windows drifting", "what alarmed in the last 5 years")
    table("Weather, windows of two months", shown, head)
    silent = sea()
    table("SEA: input monitors", [(len(silent.alarms), silent.drifting)], ("alarms", "share of windows drifting"))
    keep("monitors-seasons", {"weather": shown, "sea": len(silent.alarms)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
