"""Is a model as right, or as generous, for one group of people as for another?

A metric is a share of `confusion.SHARES` (`selection_rate`, `tpr`, `fpr`, `fnr`, `ppv`, `error`, …), and a slice is a
group's confusion counts. The gap is the largest share less the smallest. It is at least as large as the difference of
any pair and equals that of one; so with an interval for each pair that all hold at once with probability 1 - alpha
(`intervals.range_z`), the gap lies between the largest lower limit and the largest upper limit. The ratio (disparate
impact: the smallest share over the largest) follows in the same way. Against a reference slice there are fewer pairs,
and narrower intervals (`intervals.sidak_z`).

A slice of few rows is neither fair nor unfair: below `fewest` rows, of those that the metric is a share of, it is
Unknown. Then the other slices can still be shown to be unfair, but not that all is fair.

An interval is for one look. Whoever looks each day gives each look its part of alpha (`risk.alpha`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from math import ceil, inf
from typing import Literal

from fairlead.monitor import intervals, realised
from fairlead.monitor.confusion import AMONG, SHARES, Confusion
from fairlead.monitor.realised import Value
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import checks
from fairlead.verdict.proportion import Interval

Judgement = Literal["ok", "unfair", "unknown"]
MOST_SLICES = 100
"""Slices that are compared, pair by pair; of more nothing is said."""
PRECISION = 0.05
"""How closely, on either side, a slice's share must be known to be compared at all."""
_NAME = 64
"""Characters of a slice's name that a message tells."""
_WORST = 0.25
"""Variance of a row whose share is 1/2."""


def fewest(precision: float = PRECISION, alpha: float = 0.05) -> int:
    """Rows from which a share is known to ± precision with confidence 1 - alpha, whatever it is: 385 by default.

    z^2/(4 precision^2): the normal interval's half-width at a share of 1/2, where it is widest. For ± .03: 1,068.
    """
    checks.shares(precision=precision)
    return ceil(_WORST * (intervals.z_of(alpha) / precision) ** 2)


@dataclass(frozen=True)
class Pair:
    """Two slices."""

    high: str
    low: str
    difference: float
    """The share of `high` less that of `low`; may be negative against a reference."""
    interval: Interval
    """Of the difference; those of all pairs hold at once."""
    ratio: float
    """The share of `low` over that of `high`; infinite where only that of `high` is 0, and 1 where both are."""
    ratio_interval: Interval


@dataclass(frozen=True)
class Gap:
    """Between the slices of one metric."""

    metric: str
    value: float
    """At least 0."""
    interval: Interval
    ratio: float
    """At most 1."""
    ratio_interval: Interval
    widest: Pair
    """The slices that differ most."""
    slices: Mapping[str, Value]
    """The share of each slice that has rows enough, with an interval for it alone."""
    unknown: Mapping[str, Unknown]
    """The other slices."""


Shares = dict[str, Value | Unknown]
"""By slice."""


def shares(slices: Mapping[str, Confusion], metric: str, alpha: float = 0.05, least: int | None = None) -> Shares:
    """Each slice's share with its interval, or Unknown where it has fewer rows than `least` (by default `fewest()`)."""
    need = fewest(alpha=alpha) if least is None else least
    return {name: _share(name, one, metric, alpha, need) for name, one in sorted(slices.items())}


def _share(name: str, one: Confusion, metric: str, alpha: float, need: int) -> Value | Unknown:
    trials = one.share(metric)[1]
    found = realised.share(one, metric, alpha)
    if trials >= need and isinstance(found, Value):
        return found
    return Unknown(
        f"slice {name[:_NAME]} has {trials} {AMONG[SHARES[metric][1]]}, and {metric} needs {max(1, need)}",
        "wait for more, choose longer windows, or join slices",
    )


def gap(
    slices: Mapping[str, Confusion],
    metric: str,
    alpha: float = 0.05,
    least: int | None = None,
    reference: str | None = None,
) -> Gap | Unknown:
    """The gap between all slices, or with a reference the largest distance from its share.

    alpha: the chance that the interval of any pair is wrong; least: rows that a slice needs, by default `fewest()`.
    Raises ValueError for a metric that isn't there, or an alpha outside (0, 1).
    """
    if metric not in SHARES:
        raise ValueError(f"there is no share {metric!r}; there are {', '.join(SHARES)}")
    if len(slices) > MOST_SLICES:
        return Unknown(f"there are {len(slices)} slices, and at most {MOST_SLICES} are compared", "join slices")
    all_shares = shares(slices, metric, alpha, least)
    known = {name: found for name, found in all_shares.items() if isinstance(found, Value)}
    unknown = {name: found for name, found in all_shares.items() if isinstance(found, Unknown)}
    if reference is not None and reference not in known:
        missing = Unknown(f"there is no slice {reference[:_NAME]}, which is the reference", "name one that there is")
        return unknown.get(reference, missing)
    if len(known) < 2:
        few = "; ".join(found.reason for found in list(unknown.values())[:3])
        return Unknown(
            f"a gap needs two slices of rows enough, and there {'is' if known else 'are'} {len(known) or 'none'}"
            + (f": {few}" if few else ""),
            "wait for more labels, choose longer windows, or join slices",
        )
    return _gap(metric, _pairs(slices, metric, alpha, sorted(known), reference), known, unknown, reference)


def against(
    slices: Mapping[str, Confusion], metric: str, reference: str, alpha: float = 0.05, least: int | None = None
) -> dict[str, Pair] | Unknown:
    """By slice, its share less the reference's, with intervals that hold at once (`high` is the slice)."""
    found = gap(slices, metric, alpha, least, reference)
    if isinstance(found, Unknown):
        return found
    return {one.high: one for one in _pairs(slices, metric, alpha, sorted(found.slices), reference)}


def _pairs(
    slices: Mapping[str, Confusion], metric: str, alpha: float, known: list[str], reference: str | None
) -> list[Pair]:
    """All ordered pairs, or each slice before the reference."""
    z = intervals.range_z(alpha, len(known)) if reference is None else intervals.sidak_z(alpha, len(known) - 1)
    counted = {name: slices[name].share(metric) for name in known}
    found = {name: (k / n, intervals.wilson(k, n, z)) for name, (k, n) in counted.items()}
    return [_pair(a, b, found) for a, b in permutations(known, 2) if reference in (None, b)]


def _pair(high: str, low: str, found: Mapping[str, tuple[float, Interval]]) -> Pair:
    (a, of_a), (b, of_b) = found[high], found[low]
    return Pair(
        high, low, a - b, intervals.difference(a, b, of_a, of_b),
        b / a if a else (inf if b else 1.0), intervals.ratio(b, a, of_b, of_a),
    )  # fmt: skip


def _gap(
    metric: str, pairs: list[Pair], known: Mapping[str, Value], unknown: Mapping[str, Unknown], reference: str | None
) -> Gap:
    both = [*pairs, *(_turned(one) for one in pairs)] if reference is not None else pairs
    widest = max(both, key=lambda one: one.difference)
    least = min(both, key=lambda one: one.ratio)
    return Gap(
        metric,
        max(0.0, widest.difference),
        Interval(max(0.0, *(one.interval.low for one in both)), max(one.interval.high for one in both)),
        min(1.0, least.ratio),
        Interval(
            min(one.ratio_interval.low for one in both), min(1.0, *(one.ratio_interval.high for one in both))
        ),
        widest, known, unknown,
    )  # fmt: skip


def _turned(one: Pair) -> Pair:
    """The same pair, the other way round."""
    return Pair(
        one.low, one.high, -one.difference, Interval(-one.interval.high, -one.interval.low),
        _inverse(one.ratio), Interval(_inverse(one.ratio_interval.high), _inverse(one.ratio_interval.low)),
    )  # fmt: skip


def _inverse(ratio: float) -> float:
    return 1.0 / ratio if ratio else inf


def judge(interval: Interval, most: float) -> Judgement:
    """`unfair` where the whole interval lies above the largest gap that is tolerated, `ok` where it lies below.

    most: in [0, 1]. Raises ValueError for such as can't be.
    """
    if not 0 <= most <= 1:
        raise ValueError(f"a gap between shares lies in [0, 1], not at {most}")
    if not interval.low <= interval.high:
        raise ValueError(f"not an interval: {interval}")
    if interval.low > most:
        return "unfair"
    return "ok" if interval.high <= most else "unknown"


def verdict(found: Gap | Unknown, most: float) -> tuple[Judgement, Unknown | None]:
    """What a gap says of the largest one that is tolerated, and why where that is `unknown`.

    With a slice of too few rows it is `unfair` at most: all slices are ok only if all are known.
    """
    if isinstance(found, Unknown):
        return "unknown", found
    said = judge(found.interval, most)
    if said == "ok" and found.unknown:
        return "unknown", next(iter(found.unknown.values()))
    if said != "unknown":
        return said, None
    a, b = found.widest.high, found.widest.low
    return said, Unknown(
        f"the {found.metric} of {a[:_NAME]} is {found.value:.3g} above that of {b[:_NAME]}, and the gap may lie "
        f"between {found.interval.low:.3g} and {found.interval.high:.3g}",
        f"wait for more rows: the interval must lie wholly above or below {most:.3g}",
    )
