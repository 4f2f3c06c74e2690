"""Profiles and windows of numbers, for tests of the monitors."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence

from fairlead.monitor.counts import Tally, feature_key, pair_key
from fairlead.monitor.outliers import outside
from fairlead.monitor.profile import Category, Number, Pair, Profile

Row = dict[str, object]
Source = Callable[[random.Random], Row]


def gauss(*names: str, mean: float = 0.0) -> Source:
    """Rows of independent normal numbers."""
    return lambda rng: {name: rng.gauss(mean, 1) for name in names}


def number(name: str, values: Sequence[float]) -> Number:
    """With 32 bins at the quantiles."""
    order = sorted(values)
    edges = sorted({order[len(order) * at // 32] for at in range(1, 32)})
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_right(edges, value)] += 1
    mean = sum(values) / len(values)
    sd = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return Number(kind="number", name=name, edges=edges, counts=counts, low=order[0], high=order[-1], mean=mean, sd=sd)


def category(name: str, counts: dict[str, int], **more: int) -> Category:
    """Complete."""
    return Category(kind="category", name=name, values=list(counts), counts=list(counts.values()), **more)


def profile(source: Source, rows: int = 10_000, pairs: Sequence[tuple[str, str]] = (), seed: int = 1) -> Profile:
    """Of numeric columns; pairs are taken as uncorrelated."""
    rng = random.Random(seed)
    table = [source(rng) for _ in range(rows)]
    features = [number(name, [float(str(row[name])) for row in table]) for name in table[0]]
    return Profile(
        task="regression",
        rows=rows,
        features=list(features),
        pairs=[Pair(a=a, b=b, n=rows, r=0.0) for a, b in pairs],
    )


def window(of: Profile, rows: Sequence[Row], requests: int | None = None) -> Tally:
    """The counts of some rows, one request each."""
    vectors = {one.name: [0] * one.length for one in of.features}
    outliers = 0
    for row in rows:
        places = {one.name: one.place(row.get(one.name)) for one in of.features}
        outliers += outside(of, places)
        for name, place in places.items():
            vectors[name][place] += 1
    sums = {pair_key(one.a, one.b): _sums(of, one, rows) for one in of.pairs}
    sent = len(rows) if requests is None else requests
    return Tally(
        of.digest, len(rows), sent, len(rows), outliers,
        vectors={feature_key(name): tuple(vector) for name, vector in vectors.items()}, sums=sums,
    )  # fmt: skip


def _sums(of: Profile, pair: Pair, rows: Sequence[Row]) -> tuple[float, ...]:
    xs, ys = ([_standard(of, name, row) for row in rows] for name in (pair.a, pair.b))
    return (
        float(len(rows)), sum(xs), sum(ys), sum(x * x for x in xs), sum(y * y for y in ys),
        sum(x * y for x, y in zip(xs, ys, strict=True)),
    )  # fmt: skip


def _standard(of: Profile, name: str, row: Row) -> float:
    one = of.feature(name)
    assert isinstance(one, Number)
    return max(-4.0, min(4.0, (float(str(row[name])) - one.mean) / one.sd))
