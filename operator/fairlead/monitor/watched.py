"""What of a profile is watched, with which tolerance and at which evidence: all that is fixed before the first window.

**The budget.** `false_alarms_per_year` is divided first over what is watched (SHARES): nearly half goes to the quality,
as it alone acts, and so is found soonest; a quarter to drift, which explains; what is not watched leaves its share
unused. Within a part each monitor gets the same. A detector with an alarm at evidence 1/alpha has at most alpha false
alarms a window in the mean (`monitor.standing`), so a part of F monitors, a share s, W windows a year and A alarms in
all has alpha = A·s/(W·F). Halving a share costs ln 2 of evidence: at 2,000 rows a window, a fraction of a window.

**The luck of the reference** (its own sampling error, `drift.reference_error`, `data.tolerated`) is a chance of LUCK,
over all monitors together, that doesn't grow with time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fairlead.monitor import confusion, data, drift, labelled, pairs, standing
from fairlead.monitor.counts import (
    ANSWERS,
    SCORES,
    Foreign,
    Tally,
    feature_key,
    old_pair_key,
    old_slice_key,
    pair_key,
    slice_key,
)
from fairlead.monitor.data import Check
from fairlead.monitor.profile import Category, Number, Pair, Profile, Scores
from fairlead.monitor.quality import Calibrated
from fairlead.monitor.unknown import Unknown

SHARES = {"quality": 0.45, "fairness": 0.1, "drift": 0.25, "data": 0.15, "outliers": 0.05}
"""Of the budget of false alarms."""
LUCK = 0.01
YEAR = 365.25 * 86400.0
_WIDEST = 0.5
"""A reference so small that a total variation above this would have to be tolerated says nothing."""
_WILDEST = 0.95
"""A column whose own windows differ by more says nothing."""
_MOST_OUTLIERS = 0.9


@dataclass(frozen=True)
class Rule:
    """Of fairness: the gap between the slices of a column."""

    by: str
    metric: str = "selection_rate"
    """Of `confusion.SHARES`."""
    most: float = 0.1
    """The largest gap that is tolerated, in [0, 1]."""

    def __post_init__(self) -> None:
        if self.metric not in confusion.SHARES or not 0 <= self.most <= 1:
            raise ValueError(f"a gap of at most 1 between shares: {', '.join(confusion.SHARES)}")

    @property
    def name(self) -> str:
        return f"{self.metric} by {self.by}"


@dataclass(frozen=True)
class Settings:
    """What a person can set; all of it fixed while a state lives."""

    every: float
    """Seconds of a window."""
    false_alarms_per_year: float = 1.0
    """Of all monitors together, on average, while nothing is beyond its tolerance."""
    tolerance: float = 0.03
    """Of drift: total variation, in [0, 1). A shift of .1 standard deviations is .04."""
    data: float = 0.02
    """Of each check of the data: on a share of rows."""
    outliers: float = 0.05
    """On the share of rows outside."""
    correlation: float = 0.15
    """On a correlation."""
    psi: float = 0.1
    """From here on a feature is worth a look; fewer rows than can tell that are too few."""
    lost: float = 0.1
    """Share of the chosen requests that may be unread; above, the others may be others."""
    design_effect: float = 1.0
    """At least 1: so many rows stand for one independent one."""
    worse_by: float = 0.02
    """Of quality: on the mean loss in [0, 1]."""
    fairness: tuple[Rule, ...] = ()
    off: frozenset[str] = frozenset()
    """Parts (of SHARES) that aren't watched."""

    def __post_init__(self) -> None:
        shares = (self.tolerance, self.data, self.outliers, self.correlation, self.lost, self.worse_by)
        if not (self.every > 0 and self.false_alarms_per_year > 0 and self.psi > 0 and self.design_effect >= 1):
            raise ValueError("a window's length, the false alarms a year and psi are above 0, a design effect from 1")
        if not all(0 <= share < 1 for share in shares) or not self.data or not self.outliers:
            raise ValueError("tolerances lie between 0 and 1")
        if self.off - set(SHARES):
            raise ValueError(f"what can be off is one of {', '.join(SHARES)}")

    @property
    def windows(self) -> float:
        """A year."""
        return YEAR / self.every

    def bound(self, part: str, monitors: int) -> float:
        """The log evidence of an alarm of each of so many monitors of a part."""
        return standing.bound(self.windows, monitors, self.false_alarms_per_year * SHARES[part])


@dataclass(frozen=True)
class Stream:
    """A vector of counts whose distribution is watched."""

    name: str
    output: bool
    """Of the model (answers, scores), not a feature."""
    key: str
    bins: tuple[int, ...]
    """The bin of each place of the vector, or `drift.APART`."""
    groups: tuple[int, ...]
    """The group of each bin."""
    reference: tuple[int, ...]
    """By bin."""
    shares: tuple[float, ...]
    """By group."""
    delta: float
    """The total variation that is tolerated."""
    least: int
    """Rows that are needed."""
    ordered: bool
    halves: tuple[tuple[int, ...], ...] = ()
    """Witnesses that are there from the start (`drift.halves`)."""
    note: str = ""
    """Why more is tolerated than was asked for."""
    unknown: str = ""
    """Why it can't be watched at all."""

    @property
    def rows(self) -> int:
        return sum(self.reference)


@dataclass(frozen=True)
class Together:
    """A pair."""

    name: str
    key: str
    r: float
    tolerance: float


@dataclass(frozen=True)
class Watched:
    """Of one profile, with one person's settings."""

    streams: tuple[Stream, ...]
    checks: tuple[Check, ...]
    pairs: tuple[Together, ...]
    outliers: float | None
    """The share of rows outside that is tolerated; None: the reference has too few rows to tell one."""
    quality: Calibrated
    estimated: float | Unknown
    """The mean expected loss that is tolerated,"""
    realised: float | Unknown
    """and that of rows with labels."""
    drift_bound: float
    data_bound: float
    outliers_bound: float
    quality_bound: float
    fairness_bound: float
    old_keys: Mapping[str, str]
    """Of counts, by those of recorders of releases before."""


@dataclass(frozen=True)
class _Known:
    """A profile by its digest, for the memory of `watched`."""

    digest: str
    settings: Settings


def watched(profile: Profile, settings: Settings) -> Watched:
    """What is watched. The same object for the same profile and settings, while they are in use."""
    return _remembered(_Key(profile.digest, settings, profile))


class _Key:
    """Equal for equal digests and settings."""

    def __init__(self, digest: str, settings: Settings, profile: Profile) -> None:
        self.known, self.profile = _Known(digest, settings), profile

    def __hash__(self) -> int:
        return hash(self.known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.known == other.known


@lru_cache(maxsize=512)
def _remembered(key: _Key) -> Watched:
    profile, settings = key.profile, key.known.settings
    count = len(profile.features) + (profile.prediction is not None) + (profile.scores is not None)
    beta = LUCK / (count + 3 * len(profile.features) + 2)
    quality = Calibrated(profile)
    streams = tuple(_streams(profile, settings, beta))
    checks = data.checks(profile, settings.data, beta)
    together = tuple(_pair(one, settings) for one in profile.pairs)
    return Watched(
        streams, checks, together,
        None if any(one.m is None for one in checks) else _outliers(profile, settings),
        quality,
        quality.tolerated(settings.worse_by, beta),
        labelled.tolerated(profile, settings.worse_by, beta),
        settings.bound("drift", len(streams) + 2 * len(together)),
        settings.bound("data", len(checks)),
        settings.bound("outliers", 1),
        settings.bound("quality", 2),
        settings.bound("fairness", len(settings.fairness)),
        _old_keys(profile),
    )  # fmt: skip


def _pair(one: Pair, settings: Settings) -> Together:
    key = pair_key(one.a, one.b)
    return Together(key.partition("/")[2], key, one.r, pairs.tolerated(one.r, one.n, settings.correlation))


def _old_keys(profile: Profile) -> dict[str, str]:
    """Today's keys by those of releases before, where they are others and each stands for one thing only."""
    every = [(old_pair_key(one.a, one.b), pair_key(one.a, one.b)) for one in profile.pairs]
    every += [
        (old_slice_key(one.by, value, of), slice_key(one.by, value, of))
        for one in profile.slices for value in one.values for of in (ANSWERS, SCORES)
    ]  # fmt: skip
    olds, news = Counter(old for old, _ in every), {new for _, new in every}
    return {old: new for old, new in every if old != new and olds[old] == 1 and old not in news}


def natural(profile: Profile, windows: Iterable[Tally]) -> Profile:
    """The profile, with how far the reference's own windows lie from it.

    windows: the reference's rows in the order in which they came, in pieces as long as the windows that will be judged,
    as counts of this very profile; together they should hold each season at least once. The profile that comes back has
    another digest. Raises Foreign for counts of another profile.
    """
    streams = watched(profile, Settings(every=YEAR)).streams
    largest = dict.fromkeys((one.name for one in streams), 0.0)
    for window in windows:
        if window.profile != profile.digest:
            raise Foreign("the windows are counted by another profile")
        for one in streams:
            if len(vector := window.vectors.get(one.key, ())) == len(one.bins):
                counts = drift.grouped(drift.grouped(vector, one.bins), one.groups)
                largest[one.name] = max(largest[one.name], drift.variation(one.shares, counts))
    return Profile.model_validate(profile.model_dump() | {"natural": largest})


def _outliers(profile: Profile, settings: Settings) -> float:
    return min(_MOST_OUTLIERS, data.natural(profile) + settings.outliers)


def _streams(profile: Profile, settings: Settings, beta: float) -> list[Stream]:
    found = [_feature(one, feature_key(one.name), False, profile, settings, beta) for one in profile.features]
    if profile.prediction is not None:
        found.append(_feature(profile.prediction, ANSWERS, True, profile, settings, beta))
    if profile.scores is not None:
        found.append(_scores(profile.scores, profile, settings, beta))
    return found


def _feature(
    of: Number | Category, key: str, output: bool, profile: Profile, settings: Settings, beta: float
) -> Stream:
    name = ANSWERS if output else of.name
    count = len(of.counts)
    if isinstance(of, Number):
        places = (*range(count), 0, count - 1, drift.APART, drift.APART, drift.APART)
        return _stream(name, output, key, places, of.counts, drift.groups(of.counts), True, profile, settings, beta)
    counts = (*of.counts, of.other)
    nested = drift.groups(counts, drift.GROUPS - 1)
    places = (*range(count + 2), drift.APART, drift.APART)
    unseen = max(nested, default=-1) + 1
    return _stream(name, output, key, places, (*counts, 0), (*nested, unseen), False, profile, settings, beta)


def _scores(of: Scores, profile: Profile, settings: Settings, beta: float) -> Stream:
    places = (*(bin_ for bin_ in range(len(of.counts)) for _ in range(2)), drift.APART)
    return _stream(SCORES, True, SCORES, places, of.counts, drift.groups(of.counts), True, profile, settings, beta)


def _tolerance(
    name: str, rows: int, size: int, profile: Profile, settings: Settings, beta: float
) -> tuple[float, str, str]:
    """What is tolerated, why it is more than was asked for, and why nothing can be said."""
    error = drift.reference_error(size, rows / settings.design_effect, beta)
    own = profile.natural.get(name, 0.0)
    if error > _WIDEST:
        return 1.0, "", f"the reference has only {rows} values: make the profile of more rows"
    if own > _WILDEST:
        return 1.0, "", "the reference's own windows differ as much as can be: choose longer windows"
    if max(error, own) <= settings.tolerance:
        return settings.tolerance, "", ""
    why = f"the reference has only {rows} values" if error >= own else "so far the reference's own windows lie from it"
    return max(error, own), f"{max(error, own):.2f} is tolerated instead of {settings.tolerance:g}: {why}", ""


def _stream(
    name: str, output: bool, key: str, places: tuple[int, ...], reference: Sequence[int], groups: tuple[int, ...],
    ordered: bool, profile: Profile, settings: Settings, beta: float,
) -> Stream:  # fmt: skip
    rows, size = sum(reference), max(groups) + 1
    counts = drift.grouped(reference, groups)
    shares = tuple(count / rows if rows else 0.0 for count in counts)
    delta, note, unknown = _tolerance(name, rows, size, profile, settings, beta)
    return Stream(
        name, output, key, places, groups, tuple(reference), shares, delta,
        drift.least_rows(size, settings.psi), ordered, drift.halves(shares) if ordered else (), note, unknown,
    )  # fmt: skip
