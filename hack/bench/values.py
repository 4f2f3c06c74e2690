"""How often a healthy rollout is taken back for its values (gauges) or its answers (scores), and how soon a bad one is.

Gauges: 400 pairs of values, both versions alike. Answers: 90 windows of 100 answers, a tenth of them the candidate's,
held against what was usual among the first ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import inf, pi, sin

import numpy as np

from fairlead.verdict import engine, scores
from fairlead.verdict.engine import Metric, Rules, Seen
from fairlead.verdict.gauges import Gauge
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.proportion import upper_bound

Rng = np.random.Generator
Study = Callable[[Rng], Iterator[Seen]]
Drawn = Callable[[Rng, int, int], list[str] | list[float]]
"""Of a version's answers in a window: (generator, number of the window, how many)."""
PAIRS, WINDOWS, LIVE, OWN = 400, 90, 90, 10
ALPHA = 0.01

# --- values --------------------------------------------------------------------------------------------------------


def pairs(differences: np.ndarray, common: np.ndarray | None = None) -> Iterator[Seen]:
    """Values that differ by so much, on top of what both have in common."""
    both = np.zeros_like(differences) if common is None else common
    for t, (base, more) in enumerate(zip(both, differences, strict=True)):
        yield Seen(float(t), {}, values={"gauge": (float(base), float(base + more))})


def independent(rng: Rng, shift: float = 0.0) -> Iterator[Seen]:
    """Normal differences, and a common part that swings far more."""
    return pairs(rng.normal(shift, 1.0, PAIRS), 20 * np.sin(np.arange(PAIRS) / 9))


def alike(phi: float) -> Study:
    """Each difference is like the one before: autoregression with this coefficient."""

    def found(rng: Rng) -> Iterator[Seen]:
        noise = rng.normal(0.0, (1 - phi * phi) ** 0.5, PAIRS)
        series, last = np.empty(PAIRS), rng.normal()
        for i in range(PAIRS):
            last = phi * last + noise[i]
            series[i] = last
        return pairs(series)

    return found


def repeated(rng: Rng) -> Iterator[Seen]:
    """Each value is read ten times."""
    return pairs(np.repeat(rng.normal(size=PAIRS // 10), 10))


def heavy(sign: float, requests: int) -> Study:
    """Means of so many log-normal latencies (sigma 1.5) of the candidate, and of nine times as many of the live one."""

    def found(rng: Rng) -> Iterator[Seen]:
        own = rng.lognormal(0.0, 1.5, (PAIRS, requests)).mean(axis=1)
        live = rng.lognormal(0.0, 1.5, (PAIRS, 9 * requests)).mean(axis=1)
        return pairs(sign * (own - live), sign * live)

    return found


def no_variance(rng: Rng) -> Iterator[Seen]:
    """Student's t with two degrees of freedom."""
    return pairs(rng.standard_t(2, PAIRS))


# --- answers -------------------------------------------------------------------------------------------------------


def answers(live: Drawn, own: Drawn | None = None) -> Study:
    """What a guard on scores counts, by the same steps as the operator."""

    def found(rng: Rng) -> Iterator[Seen]:
        first = live(rng, 0, scores.KNOWN)
        usual = Usual(first)
        for window in range(WINDOWS):
            theirs, mine = live(rng, window, LIVE), (own or live)(rng, window, OWN)
            counted = usual.counted(theirs, mine)
            yield Seen(float(window), {"scores": counted})

    return found


class Usual:
    """What is usual, and the candidate's favourite when it is known."""

    def __init__(self, first: list[str] | list[float]) -> None:
        self._labels = scores.labels(str(one) for one in first)
        self._bounds = None if isinstance(first[0], str) else scores.bounds([float(one) for one in first])
        self._live, self._own, self._strange = Counter(map(self._place, first)), Counter[str](), {scores.OUT}

    def _place(self, told: str | float) -> str:
        if self._bounds is None:
            return str(told) if told in self._labels else scores.OUT
        return scores.tenth(self._bounds, float(told))

    def counted(self, live: list[str] | list[float], own: list[str] | list[float]) -> Window:
        """A window: all answers, and those that are not usual."""
        places = [[self._place(told) for told in arm] for arm in (live, own)]
        found = Window(*(Arm(len(arm), sum(place in self._strange for place in arm)) for arm in places))
        chosen = self._own.total() >= scores.OWN
        self._own.update(places[1])
        if not chosen and self._own.total() >= scores.OWN:
            self._strange = {scores.OUT, scores.favourite(self._live, self._own)}
        return found


def numbers(mean: float = 0.0, spread: float = 1.0) -> Drawn:
    """Normal answers; the requests drift, so both versions' answers swing by one standard deviation."""

    def drawn(rng: Rng, window: int, count: int) -> list[float]:
        swing = sin(2 * pi * window / 60)
        return [float(value) for value in rng.normal(mean + swing, spread, count)]

    return drawn


def tails(rng: Rng, _window: int, count: int) -> list[float]:
    """Log-normal with sigma 2."""
    return [float(value) for value in rng.lognormal(0.0, 2.0, count)]


def few_values(rng: Rng, _window: int, count: int) -> list[float]:
    """0 in nine cases of ten, else a whole number up to 3."""
    return [float(value) for value in rng.choice([0, 1, 2, 3], count, p=[0.9, 0.06, 0.03, 0.01])]


def many_labels(rng: Rng, _window: int, count: int) -> list[str]:
    """A thousand labels by Zipf's law: there is always one that was not seen before."""
    return [str(label) for label in np.minimum(rng.zipf(1.5, count), 1000)]


def always(value: float) -> Drawn:
    """The same answer to everything."""
    return lambda _rng, _window, count: [value] * count


# --- both ----------------------------------------------------------------------------------------------------------

LOWER = Rules((Metric("gauge", gauge=Gauge()),), ALPHA)
HIGHER = Rules((Metric("gauge", gauge=Gauge("Higher")),), ALPHA)
SCORES = Rules((Metric("scores"),), ALPHA, fresh=inf)
HEALTHY: list[tuple[str, Study, Rules]] = [
    ("gauge, independent differences", independent, LOWER),
    ("gauge, each value read ten times", repeated, LOWER),
    ("gauge, alike: autoregression 0.5", alike(0.5), LOWER),
    ("gauge, alike: autoregression 0.9", alike(0.9), LOWER),
    ("gauge, alike: autoregression 0.97", alike(0.97), LOWER),
    ("gauge, no variance: t with 2 degrees", no_variance, LOWER),
    ("gauge, mean latency of 100, lower is better", heavy(1.0, 100), LOWER),
    ("gauge, mean gain of 100, higher is better", heavy(1.0, 100), HIGHER),
    ("scores, normal, the requests drift", answers(numbers()), SCORES),
    ("scores, log-normal with sigma 2", answers(tails), SCORES),
    ("scores, mostly 0", answers(few_values), SCORES),
    ("scores, a thousand labels", answers(many_labels), SCORES),
]
LIMIT = ("gauge, mean gain of 10, higher is better", heavy(1.0, 10), HIGHER)
"""Beyond what is promised: few values, very skewed, on the side where rare ones are missed. Shown, not asked for."""


def shifted(by: float) -> Study:
    """The candidate's value is worse by so many standard deviations of the difference."""
    return lambda rng: independent(rng, by)


HARMFUL: list[tuple[str, Study, Rules]] = [
    ("gauge worse by 5 standard deviations", shifted(5.0), LOWER),
    ("gauge worse by 1 standard deviation", shifted(1.0), LOWER),
    ("gauge worse by half of one", shifted(0.5), LOWER),
    ("scores 1 standard deviation off", answers(numbers(), numbers(1.0)), SCORES),
    ("scores twice as wide", answers(numbers(), numbers(0.0, 2.0)), SCORES),
    ("scores always the same, in the middle", answers(numbers(), always(0.0)), SCORES),
]


def taken_back(rules: Rules, windows: Iterator[Seen]) -> int | None:
    """After how many windows, or pairs, harm is shown; None if never."""
    state = engine.begin(rules)
    for number, seen in enumerate(windows, 1):
        state = engine.step(rules, state, seen)
        if engine.conclude(rules, state).verdict == "harm":
            return number
    return None


def healthy(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows (study, rollouts, taken back, share, upper end of its 95 % interval), and whether each share that is
    promised is at most alpha."""
    rows: list[list[object]] = []
    for name, study, rules in [*HEALTHY, LIMIT]:
        found = sum(taken_back(rules, study(rng)) is not None for _ in range(rollouts))
        rows.append([name, rollouts, found, found / rollouts, upper_bound(found, rollouts, 0.05)])
    return rows, all(float(str(row[3])) <= ALPHA for row in rows[: len(HEALTHY)])


def harmful(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows (study, rollouts, found, median and 95th percentile of the windows or pairs it took)."""
    rows: list[list[object]] = []
    for name, study, rules in HARMFUL:
        took = [taken_back(rules, study(rng)) for _ in range(max(1, rollouts // 10))]
        found = [one if one is not None else inf for one in took]
        share = sum(one is not None for one in took) / len(took)
        rows.append([name, len(took), share, *(float(np.quantile(found, q, method="higher")) for q in (0.5, 0.95))])
    return rows, True


PARTS = (
    (f"Healthy values and answers, falseAlarms {ALPHA:.0%}", healthy,
     ["disturbed by", "rollouts", "taken back", "share", "95 % upper bound"]),
    ("Pairs (gauges) or windows of 90 + 10 answers (scores) until harm is shown", harmful,
     ["what", "rollouts", "found", "median", "p95"]),
)  # fmt: skip
