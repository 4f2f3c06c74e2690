"""How often a healthy rollout is taken back, one disturbance at a time: the whole engine on simulated traffic.

In every study both versions fail alike (or the candidate lies exactly on the edge of its margin). Each gives windows,
as the operator would have counted them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import pi, sin

import numpy as np

from fairlead.verdict import cohorts, engine, latency
from fairlead.verdict.counters import advance_all
from fairlead.verdict.engine import Metric, Rules, Seen
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.margin import margin
from fairlead.verdict.pairs import Pairs
from fairlead.verdict.proportion import upper_bound

Rng = np.random.Generator
Study = Callable[[Rng], Iterator[Window | Pairs]]
WINDOWS, LOAD, RATE, SHARE = 90, 100, 0.02, 0.1
ALPHA = 0.01
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
DAY, HOUR = 86400.0, 3600.0


def arms(rng: Rng, requests: float, share: float, stable: float, candidate: float) -> Window:
    """A window of Poisson traffic with these failure rates."""
    both = (rng.poisson(requests * (1 - share)), rng.poisson(requests * share))
    return Window(*(Arm(int(n), int(rng.binomial(n, p))) for n, p in zip(both, (stable, candidate), strict=True)))


def diurnal(rng: Rng) -> Iterator[Window]:
    """The load swings by 90 %, and the failure rate with it."""
    for i in range(WINDOWS):
        swing = 1 + 0.9 * sin(2 * pi * i / 40)
        yield arms(rng, LOAD * swing, SHARE, RATE * swing, RATE * swing)


def weights(rng: Rng) -> Iterator[Window]:
    """5, 25, 50 %."""
    for i in range(WINDOWS):
        yield arms(rng, LOAD, (0.05, 0.25, 0.5)[3 * i // WINDOWS], RATE, RATE)


def empty(rng: Rng) -> Iterator[Window]:
    """Hardly any traffic: most windows have nothing in them."""
    for _ in range(10 * WINDOWS):
        yield arms(rng, 1.0, SHARE, RATE, RATE)


def outage(rng: Rng) -> Iterator[Window]:
    """Half of all requests fail for a while, in both versions."""
    for i in range(WINDOWS):
        rate = 0.5 if 30 <= i < 45 else RATE
        yield arms(rng, LOAD, SHARE, rate, rate)


def bursts(rng: Rng) -> Iterator[Window]:
    """Each failing request is tried once more and fails again."""
    for _ in range(WINDOWS):
        one = arms(rng, LOAD, SHARE, RATE, RATE)
        yield Window(*(Arm(a.requests + a.failures, 2 * a.failures) for a in (one.stable, one.candidate)))


def restarts(rng: Rng) -> Iterator[Window]:
    """Processes die and count anew from zero; what they had counted since the last look is lost."""
    values, cursors = [(0.0, 0.0)] * 2, [(0.0, 0.0)] * 2
    for _ in range(WINDOWS):
        one, found = arms(rng, LOAD, SHARE, RATE, RATE), []
        for i, seen in enumerate((one.stable, one.candidate)):
            if rng.random() < 0.1:
                values[i] = (0.0, 0.0)
            values[i] = (values[i][0] + seen.requests, values[i][1] + seen.failures)
            read = advance_all(cursors[i], values[i])
            cursors[i] = (read.cursor[0], read.cursor[1])
            found.append(Arm(*read.deltas))
        yield Window(*found)


def edge(rng: Rng) -> Iterator[Window]:
    """The candidate fails exactly `worseBy` more, on top of a rate that swings by 90 %."""
    for i in range(WINDOWS):
        rate = RATE * (1 + 0.9 * sin(2 * pi * i / 40))
        yield arms(rng, LOAD, SHARE, rate, rate + 0.01)


def heavy_tails(rng: Rng) -> Iterator[Window]:
    """Latencies of a log-normal distribution (sigma 1.5); slow is what is above the live version's p95 before."""

    def draw(count: int) -> np.ndarray:
        return rng.lognormal(np.log(0.03), 1.5, count)

    before = draw(2000)
    buckets = tuple((bound, float((before <= bound).sum())) for bound in BOUNDS)
    found = latency.threshold(buckets, "p95", 0.0)
    if isinstance(found, latency.Unusable):
        raise SystemExit(f"heavy tails: {found.message}")
    for _ in range(WINDOWS):
        counts = (int(rng.poisson(LOAD * (1 - SHARE))), int(rng.poisson(LOAD * SHARE)))
        yield Window(*(Arm(n, int((draw(n) > found.seconds).sum())) for n in counts))


def late_labels(rng: Rng) -> Iterator[Window]:
    """Labels come up to two days later, bad news first; those within a day are compared, by the prediction's hour."""
    book = cohorts.ledger(HOUR, DAY)
    for hour in range(72):
        at = hour * HOUR
        for side, mean in (("stable", 90), ("candidate", 10)):
            made = int(rng.poisson(mean))
            book = cohorts.predicted(book, side, at, made)  # type: ignore[arg-type]
            wrong = int(rng.binomial(made, 0.1))
            for labels, bad, slowness in ((wrong, wrong, 6 * HOUR), (made - wrong, 0, 14 * HOUR)):
                delays = np.minimum(rng.exponential(slowness, labels), 2 * DAY)
                for delay in delays:
                    book = cohorts.labelled(book, side, at, at + delay, 1, int(bad > 0))  # type: ignore[arg-type]
        book, due = cohorts.compare(book, at)
        for cohort in due:
            yield cohort.window


def joined_labels(rng: Rng) -> Iterator[Window | Pairs]:
    """As the operator judges labels: 12 hours of copies that both versions answer, then weights of 10 and 50 %; the
    rate of wrong answers swings, wrong ones are labelled earlier (after 6 hours on average, right ones 14), and a
    version of the Dataset comes every 12 hours. Each join gives pairs, and a window for each hour with new labels."""
    hours = list(range(60))
    rates = [0.1 * (1 + 0.8 * sin(2 * pi * hour / 24)) for hour in hours]
    both = [(_truths(rng, 60, rate), _truths(rng, 60, rate)) for rate in rates[:12]]
    shares = [0.1 if hour < 36 else 0.5 for hour in hours]
    apart = [
        tuple(_truths(rng, rng.poisson(100 * part), rate) for part in (1 - share, share))
        for rate, share in zip(rates[12:], shares[12:], strict=True)
    ]
    due = [_come(rng, hour, one | other) for hour, (one, other) in enumerate(both)]
    times = [[_come(rng, hour, truth) for truth in arms_] for hour, arms_ in enumerate(apart, 12)]
    for join in range(12, 132, 12):
        found = Pairs()
        for (one, other), at in zip(both, due, strict=True):
            new = (at > join - 12) & (at <= join)
            differ = [int((first & ~second & new).sum()) for first, second in ((other, one), (one, other))]
            found += Pairs(int(new.sum()) - sum(differ), *differ)
        yield found
        for truths, ats in zip(apart, times, strict=True):
            news = [(at > join - 12) & (at <= join) for at in ats]
            if sum(int(new.sum()) for new in news):
                yield Window(*(Arm(int(n.sum()), int((t & n).sum())) for t, n in zip(truths, news, strict=True)))


def _truths(rng: Rng, count: int, rate: float) -> np.ndarray:
    """Which of the answers are wrong."""
    return rng.random(count) < rate


def _come(rng: Rng, hour: int, wrong: np.ndarray) -> np.ndarray:
    """When their labels come, in hours."""
    return hour + rng.random(len(wrong)) + rng.exponential(np.where(wrong, 6.0, 14.0))


PLAIN = Rules((Metric("errors"),), ALPHA)
EDGE = Rules((Metric("errors", margin=margin(RATE, 0.01), rate=RATE, worse_by=0.01, beyond=0.01),), ALPHA)
STUDIES: list[tuple[str, Study, Rules]] = [
    ("diurnal load and failures", diurnal, PLAIN),
    ("weights 5, 25, 50 %", weights, PLAIN),
    ("mostly empty windows", empty, PLAIN),
    ("an outage of both versions", outage, PLAIN),
    ("restarts: counters begin anew", restarts, PLAIN),
    ("failures in pairs, designEffect 2", bursts, Rules((Metric("errors"),), ALPHA, design_effect=2.0)),
    ("latency p95, heavy tails", heavy_tails, PLAIN),
    ("labels late by a day, bad news first", late_labels, PLAIN),
    ("labels joined every 12 hours, with pairs", joined_labels, PLAIN),
    ("on the edge of worseBy 1 %, rates swing", edge, EDGE),
]


def taken_back(rules: Rules, windows: Iterator[Window | Pairs]) -> bool:
    """Whether any window shows harm."""
    state = engine.begin(rules)
    for t, window in enumerate(windows):
        if isinstance(window, Pairs):
            state = engine.with_pairs(rules, state, float(t), {"errors": window})
        else:
            state = engine.step(rules, state, Seen(float(t), {"errors": window}))
        if engine.conclude(rules, state).verdict == "harm":
            return True
    return False


def healthy(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows (study, rollouts, taken back, share, upper end of its 95 % interval), and whether each share is at most
    alpha."""
    rows: list[list[object]] = []
    for name, study, rules in STUDIES:
        found = sum(taken_back(rules, study(rng)) for _ in range(rollouts))
        rows.append([name, rollouts, found, found / rollouts, upper_bound(found, rollouts, 0.05)])
    return rows, all(float(str(row[3])) <= ALPHA for row in rows)


PART: tuple[str, Callable[[Rng, int], tuple[list[list[object]], bool]], list[str]] = (
    f"Healthy rollouts that are taken back, falseAlarms {ALPHA:.0%}",
    healthy, ["disturbed by", "rollouts", "taken back", "share", "95 % upper bound"],
)  # fmt: skip
