"""Are the values what they should be: there, of their type, in their range, of known categories?

Each check is a share of the rows, compared with a tolerated one by the e-detector of rollouts (`verdict.detector`,
`one_arm`): the reference's own share, as its upper confidence bound, plus the tolerance. So a false alarm within n
windows has a probability of at most beta + alpha·n, whatever the reference's luck was.

- `missing`: null, or absent; of a number also NaN and infinite, which no model can tell from it.
- `wrong`: of another type.
- `range`: a number below or above all of the reference. What is beyond the extremes of m rows has a probability of
  more than x if at most one of m rows would fall there: P(Bin(m, x) <= 1). So its bound is that of one row in m.
- `unseen`: a category that the reference did not have. Of those that it did not happen to show, the expected share is
  that of the categories that it showed once, over m (Good & Turing); the number of rare ones is at least that.
- `unread`: of the requests chosen to be counted, those that could not be: only the tolerance is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log1p

from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.verdict import bounded, detector

UNREAD = "unread"


@dataclass(frozen=True)
class Check:
    """Of one column."""

    what: str
    """`missing/age`: what is counted, and of which feature."""
    key: str
    """Of the vector; empty: of the requests themselves."""
    length: int
    """Places of the vector,"""
    places: tuple[int, ...]
    """and those that are counted."""
    reference: float
    """The reference's own share."""
    m: float | None
    """The tolerated share; None: the reference has too few rows to tell one."""


@dataclass(frozen=True)
class Share:
    """Of a window."""

    found: int
    rows: int

    @property
    def share(self) -> float:
        return self.found / self.rows if self.rows else 0.0


def checks(profile: Profile, tolerance: float, beta: float) -> tuple[Check, ...]:
    """Of all features. tolerance: on a share; beta: the probability that the reference was luckily good, of each.

    A column whose values are nearly all missing in the reference has no check for that: nothing is worse.
    """
    found = [check for feature in profile.features for check in _checks(feature, tolerance, beta)]
    return (*found, Check(UNREAD, "", 0, (), 0.0, tolerance))


def _checks(feature: Number | Category, tolerance: float, beta: float) -> Iterator[Check]:
    rows, bins = sum(feature.reference), len(feature.counts)
    if isinstance(feature, Number):
        missing = feature.missing + feature.unusable
        given = [
            ("missing", (bins + 2, bins + 3), missing, missing),
            ("wrong", (bins + 4,), feature.wrong, feature.wrong),
            ("range", (bins, bins + 1), 0, _beyond(feature)),
        ]
    else:
        given = [
            ("missing", (bins + 2,), feature.missing, feature.missing),
            ("wrong", (bins + 3,), feature.wrong, feature.wrong),
            ("unseen", (bins + 1,), 0, _rare(feature)),
        ]
    for what, places, count, allowed in given:
        if rows and (allowed / rows) + tolerance >= 1:
            continue
        m = tolerated(allowed, rows, tolerance, beta)
        share = count / rows if rows else 0.0
        yield Check(f"{what}/{feature.name}", feature_key(feature.name), feature.length, places, share, m)


def tolerated(allowed: int, rows: int, tolerance: float, beta: float) -> float | None:
    """The share that a reference allows (`verdict.detector.tolerated`); None: it has too few rows to tell."""
    try:
        return detector.tolerated(min(allowed, rows), rows, tolerance, beta)
    except ValueError:
        return None


def natural(profile: Profile) -> float:
    """At most so many rows of the reference's own world, in the mean, are outside of what it shows (`outliers`)."""
    return sum(_natural(feature) / max(1, sum(feature.reference)) for feature in profile.features)


def share(check: Check, window: Tally) -> Share:
    """What a window shows."""
    if not check.key:
        return Share(sum(window.unread.values()), window.sampled)
    vector = window.vectors[check.key]
    return Share(sum(vector[place] for place in check.places), sum(vector))


def log_es(given: Share, m: float, design_effect: float = 1.0) -> tuple[float, ...] | None:
    """The log e-value per bet, as `verdict.detector.one_arm` has it; None: no rows."""
    if not given.rows:
        return None
    rest = given.rows - given.found
    return tuple((rest * lose + given.found * win) / design_effect for lose, win in _stakes(m))


@lru_cache(maxsize=4096)
def _stakes(m: float) -> tuple[tuple[float, float], ...]:
    """What each bet brings by a row that is not, and by one that is: for losses of 0 and 1 the chord is exact."""
    return tuple((log1p(-bet * m), log1p(bet * (1 - m))) for bet in bounded.bets(m))


def _beyond(feature: Number) -> int:
    return min(1, sum(feature.counts))


def _rare(feature: Category) -> int:
    return min(len(feature.known), feature.other) if feature.complete else 0


def _natural(feature: Number | Category) -> int:
    return 2 + feature.wrong if isinstance(feature, Number) else _rare(feature) + feature.wrong
