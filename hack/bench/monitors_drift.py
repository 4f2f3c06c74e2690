"""How often the input monitors alarm without a reason, how soon with one, and what they cost. No cluster is needed.

A reference of 10,000 rows, 20 numeric features, windows of an hour with 2,000 rows. The bins lie at the reference's
quantiles, so its sampling error is that of the bins' true shares: Dirichlet, each bin as its rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
from scipy import stats

from fairlead.monitor import drift
from fairlead.monitor.counts import Tally, feature_key, pair_key
from fairlead.monitor.profile import Number, Pair, Profile
from fairlead.monitor.series import Settings, State, fold
from fairlead.monitor.watched import watched
from hack.bench.report import keep, quantile, table
from hack.bench.twin import Floats, Twins

REFERENCE, FEATURES, ROWS, BINS = 10_000, 20, 2_000, 32
HOURLY = Settings(every=3600.0)
YEAR = 8_766
SHIFTS = (0.1, 0.2, 0.3, 0.5)
Rng = np.random.Generator


def number(name: str) -> Number:
    """A normal feature, with bins at the reference's quantiles."""
    edges = [float(edge) for edge in stats.norm.ppf(np.arange(1, BINS) / BINS)]
    counts = [REFERENCE * (at + 1) // BINS - REFERENCE * at // BINS for at in range(BINS)]
    return Number(kind="number", name=name, edges=edges, counts=counts, low=-4.5, high=4.5, sd=1.0)


def profile(features: int = FEATURES) -> Profile:
    """What the model learnt from."""
    return Profile(task="regression", rows=REFERENCE, features=[number(f"x{at}") for at in range(features)])


def twins(settings: Settings, count: int) -> Twins:
    """So many streams of that profile."""
    watch = watched(profile(), settings)
    one = watch.streams[0]
    return Twins(count, np.array(one.shares), one.rows, one.delta, watch.drift_bound, one.halves)


def truths(rng: Rng, count: int) -> Floats:
    """True shares of the reference's bins: its quantiles are those of a sample."""
    return rng.dirichlet(np.array(number("x").counts, float), size=count)


def shifted(shares: Floats, by: float) -> Floats:
    """The bins' shares after a shift of a standard normal by so many standard deviations."""
    edges = stats.norm.ppf(np.clip(shares.cumsum(1)[:, :-1], 1e-12, 1 - 1e-12))
    bounds = np.concatenate([np.zeros((len(shares), 1)), stats.norm.cdf(edges - by), np.ones((len(shares), 1))], 1)
    found: Floats = np.diff(bounds, axis=1)
    return found


def edge(shares: Floats, delta: float) -> Floats:
    """As far from the reference's own shares as is tolerated: the most false alarms that there can be."""
    reference = np.array(number("x").counts) / REFERENCE
    half = len(reference) // 2
    found = np.tile(reference, (len(shares), 1))
    found[:, half:] *= 1 + delta / reference[half:].sum()
    found[:, :half] *= 1 - delta / reference[:half].sum()
    return found


def grouped(shares: Floats) -> Floats:
    """By the monitor's groups of bins."""
    groups = drift.groups(number("x").counts)
    found: Floats = np.stack([shares[:, [at for at, one in enumerate(groups) if one == group]].sum(1)
                              for group in range(max(groups) + 1)], 1)  # fmt: skip
    return found


def false_alarms(rng: Rng, settings: Settings, years: int, world: Callable[[Floats], Floats]) -> int:
    """Alarms in so many years of 20 features."""
    streams = twins(settings, years * FEATURES)
    shares = grouped(world(truths(rng, years * FEATURES)))
    return sum(int(streams.step(rng.multinomial(ROWS, shares)).sum()) for _ in range(YEAR))


def delays(rng: Rng, settings: Settings, by: float, times: int, clean: int = 48) -> tuple[list[int], int]:
    """Hours from a shift of one feature of 20 to its alarm (200: not found), and alarms before it."""
    streams = twins(settings, times)
    before = truths(rng, times)
    old, new = grouped(before), grouped(shifted(before, by))
    early = sum(int(streams.step(rng.multinomial(ROWS, old)).sum()) for _ in range(clean))
    found = np.full(times, 200)
    for hour in range(1, 101):
        fired = streams.step(rng.multinomial(ROWS, new))
        found = np.where(fired & (found == 200), hour, found)
    return [int(one) for one in found], early


def whole(rng: Rng, years: int) -> dict[str, int]:
    """Alarms by monitor, of the product's own fold with all input monitors: half a percent of each feature is missing,
    some values lie beyond the reference's range, and ten pairs have their correlation watched."""
    plain = profile()
    features = [one.model_copy(update={"missing": REFERENCE // 200}) for one in plain.features]
    names = [one.name for one in features]
    given = [Pair(a=a, b=b, n=REFERENCE, r=0.0) for a, b in zip(names[::2], names[1::2], strict=True)]
    of = Profile(task="regression", rows=REFERENCE + REFERENCE // 200, features=list(features), pairs=given)
    state, found = State(), dict.fromkeys(("drift", "data", "outliers"), 0)
    beyond, missing = 1 / (REFERENCE + 1), 0.005
    for _ in range(years):
        known = truths(rng, FEATURES) * (1 - 2 * beyond - missing)
        tails = np.tile([beyond, beyond, missing, 0.0, 0.0], (FEATURES, 1))
        for _ in range(YEAR):
            state, report = fold(of, HOURLY, state, _drawn(rng, of, np.concatenate([known, tails], 1)))
            for alarm in report.alarms:
                found[alarm.monitor] += 1
        state = replace(state, streams=(), pairs=(), checks=())  # another year, another reference
    return found


def _drawn(rng: Rng, of: Profile, shares: Floats) -> Tally:
    counts = rng.multinomial(ROWS, shares)
    outside = int(rng.binomial(ROWS, 1 - (1 - 2 / (REFERENCE + 1)) ** FEATURES))
    vectors = {feature_key(one.name): tuple(vector) for one, vector in zip(of.features, counts.tolist(), strict=True)}
    sums = {pair_key(one.a, one.b): _moments(rng, ROWS) for one in of.pairs}
    return Tally(of.digest, ROWS, ROWS, ROWS, outside, vectors=vectors, sums=sums)


def _moments(rng: Rng, n: int) -> tuple[float, ...]:
    """Sums of n rows of two independent standard normals (Bartlett's decomposition of Wishart's distribution)."""
    (x, y), z = rng.normal(0, n**0.5, 2), rng.normal()
    a, c = rng.chisquare(n - 1), rng.chisquare(n - 2)
    return (float(n), x, y, a + x * x / n, z * z + c + y * y / n, a**0.5 * z + x * y / n)


# What is common


def common(rng: Rng, weeks: int, by: float, times: int) -> dict[str, tuple[float, float, float]]:
    """By rule: share of clean windows with an alarm, alarms a year, median hours until a shift is found.

    Each window's 20 features against the reference's rows, by Kolmogorov and Smirnov's test at .05, with Bonferroni's
    correction, and by PSI of ten deciles above .1.
    """
    reference = rng.standard_normal((FEATURES, REFERENCE))
    reference.sort(axis=1)
    deciles = np.array([np.quantile(one, np.arange(1, 10) / 10) for one in reference])
    rules: dict[str, Callable[[tuple[float, float]], bool]] = {
        "any feature p < .05": lambda found: found[0] < 0.05,
        "Bonferroni": lambda found: found[0] < 0.05 / FEATURES,
        "any PSI > .1": lambda found: found[1] > 0.1,
    }
    windows = weeks * 168
    hits = dict.fromkeys(rules, 0)
    for _ in range(windows):
        found = [_tested(reference[at], deciles[at], rng.standard_normal(ROWS)) for at in range(FEATURES)]
        for name, rule in rules.items():
            hits[name] += any(map(rule, found))
    late: dict[str, list[int]] = {name: [] for name in rules}
    for _ in range(times):
        seen = [_tested(reference[0], deciles[0], by + rng.standard_normal(ROWS)) for _ in range(50)]
        for name, rule in rules.items():
            late[name].append(next((hour for hour, one in enumerate(seen, 1) if rule(one)), 200))
    return {name: (hits[name] / windows, hits[name] / windows * YEAR, median(late[name])) for name in rules}


def _tested(reference: Floats, deciles: Floats, rows: Floats) -> tuple[float, float]:
    """p of KS (asymptotic), and PSI."""
    rows = np.sort(rows)
    both = np.concatenate([reference, rows])
    gap = np.abs(np.searchsorted(reference, both, "right") / len(reference)
                 - np.searchsorted(rows, both, "right") / len(rows)).max()  # fmt: skip
    scale = np.sqrt(len(reference) * len(rows) / (len(reference) + len(rows)))
    p = float(stats.kstwobign.sf(gap * scale))
    counts = [np.bincount(np.searchsorted(deciles, one, "right"), minlength=10) for one in (reference, rows)]
    a, b = ((count + 0.5) / (count.sum() + 5) for count in counts)
    return p, float(((b - a) * np.log(b / a)).sum())


# What it costs


def tally(of: Profile, rng: Rng, rows: int = ROWS) -> Tally:
    """A window without drift."""
    shares = np.full(BINS, 1 / BINS)
    vectors = {feature_key(one.name): (*map(int, rng.multinomial(rows, shares)), 0, 0, 0, 0, 0) for one in of.features}
    return Tally(of.digest, rows, rows, rows, vectors=vectors)


def cost(rng: Rng, features: int = 50, windows: int = 200) -> float:
    """Milliseconds of a core for one window, state parsed and dumped included (median)."""
    of = profile(features)
    given = [tally(of, rng) for _ in range(10)]
    state, found = State(), []
    for at in range(windows):
        begun = time.process_time()
        state, _ = fold(of, HOURLY, State.parsed(state.dumped(), of) if at else state, given[at % 10])
        found.append(1000 * (time.process_time() - begun))
    return median(found)


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part", choices=("alarms", "whole", "delays", "common", "cost", "all"), nargs="?", default="all"
    )
    parser.add_argument("--years", type=int, default=1000)
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    result: dict[str, object] = vars(args)
    if args.part in ("alarms", "all"):
        budget = args.years * HOURLY.false_alarms_per_year
        worlds: dict[str, tuple[int, Callable[[Floats], Floats]]] = {
            "no drift": (args.years, lambda shares: shares),
            "at the edge of what is tolerated": (
                max(1, args.years // 10),
                lambda shares: edge(shares, HOURLY.tolerance),
            ),
        }
        rows = []
        for name, (years, world) in worlds.items():
            alarms = false_alarms(rng, HOURLY, years, world)
            rows.append((name, years, alarms, alarms / years))
        table(f"False alarms of drift, of {budget / args.years:g} a year for all monitors",
              rows, ("world", "years", "alarms", "a year"))  # fmt: skip
        result["alarms"] = rows
    if args.part in ("whole", "all"):
        years = max(1, args.years // 250)
        seen = whole(rng, years)
        table(f"False alarms of all input monitors, by the product's own fold, {years} years",
              list(seen.items()), ("monitor", "alarms"))  # fmt: skip
        result["whole"] = seen
    if args.part in ("delays", "all"):
        late = []
        for tolerance in (HOURLY.tolerance, 0.05):
            for by in SHIFTS:
                found, early = delays(rng, replace(HOURLY, tolerance=tolerance), by, args.times)
                shown = "never" if median(found) == 200 else median(found)
                lost = sum(one == 200 for one in found)
                late.append((tolerance, by, shown, quantile(found, 0.9), lost, early))
        head = ("tolerance", "shift, sd", "median", "90 %", f"not in 100 h, of {args.times}", "alarms before")
        table("Hours until a shift is found", late, head)
        result["delays"] = late
    if args.part in ("common", "all"):
        found_by = common(rng, 4, 0.2, 40)
        table("Common rules on the same data, 4 weeks without drift, and a shift of .2 sd",
              [(name, *values) for name, values in found_by.items()],
              ("rule", "share of windows with an alarm", "false alarms a year", "median hours"))  # fmt: skip
        result["common"] = found_by
    if args.part in ("cost", "all"):
        each = cost(rng)
        table("One window of 50 features", [(each, each * 200 / 60_000)],
              ("ms of a core", "share of a core, 200 Deployments each minute"))  # fmt: skip
        result["cost"] = each
    keep("monitors-drift", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
