"""A watch after a promotion in the weather of `hack.bench.weather`: as it was, and with each alarm asked first.

An alarm of the detector, which compares with the past, used to be the end of the version. Now it is a question: the
version before gets a share of the same traffic, and only a test of both on it decides.

These are the operator's own tests over whole arrays at once, since a year has half a million windows;
`tests/unit/bench/test_world.py` compares each with the operator's, number by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from fairlead.plan.rollout import watch
from fairlead.verdict import bounded, detector
from fairlead.verdict.difference import alternatives
from fairlead.verdict.failures import GRID, base_rate, log_bound
from hack.bench.weather import BLOCK, MINUTE, Floats, Rng, Weather

REFERENCE = 10 * MINUTE
"""What the version before did in the rollout: so many stretches before the promotion."""
_CHUNK = 512


@dataclass(frozen=True)
class Rules:
    """`afterPromotion` and one guard."""

    seconds: int
    """How long the watch is."""
    worse_by: float = 0.0
    tolerance: float = 0.01
    false_alarms: float = 0.01
    share: float = 0.2
    """Of the requests, for the version before, while a question is open."""
    confirm: int = 600
    """Seconds for which a question is open."""
    start: int = 30
    """Seconds until the version before serves again."""
    window: int = 10
    """Seconds of a window while a question is open."""

    @property
    def part(self) -> float:
        """The chance that is left for a reference that was too good by luck, and for all windows."""
        return self.false_alarms / 2


@dataclass
class Seen:
    """What came of a watch. Times in seconds after the promotion."""

    alarm: float | None = None
    """The first alarm: where alarms decide, the version goes back here."""
    questions: int = 0
    asked: float = 0.0
    """Seconds in which a question was open."""
    back: float | None = None
    """When the version went back because a question was answered so."""
    took: list[float] = field(default_factory=list)
    """Seconds that the tests of both took, by question; those without an answer have none."""


def watched(rng: Rng, weather: Weather, begin: int, rules: Rules) -> Seen:
    """A watch over a version that goes live at this stretch of the weather. It ends with the first rollback."""
    seen, bound = Seen(), log_bound(rules.part / watch.most_windows(2 * rules.seconds))
    end = min(begin + rules.seconds // BLOCK, len(weather.requests))
    reference = slice(begin - REFERENCE, begin)
    counts = int(weather.requests[reference].sum()), int(weather.bad[reference].sum())
    known = tolerated(*counts, rules)
    at = begin
    while known is not None:
        found = first_alarm(weather, begin, at, end, known, bound)
        if found is None:
            break
        seen.alarm = seen.alarm if seen.alarm is not None else (found - begin) * BLOCK
        seen.questions += 1
        asked = found + rules.start // BLOCK
        taken, before = question(rng, weather, asked, rules, seen.questions, base_rate(counts[1], counts[0]))
        seen.asked += rules.start + (rules.confirm if taken is None else taken)
        if taken is not None:
            seen.took.append(taken)
            seen.back = (asked - begin) * BLOCK + taken
            break
        counts = before if tolerated(*before, rules) else counts
        known = tolerated(*counts, rules)
        at = asked + rules.confirm // BLOCK
    return seen


def tolerated(requests: int, bad: int, rules: Rules) -> float | None:
    """As `plan.rollout.detect` has it, for a guard on errors or outcomes; None where too little is known."""
    try:
        rate = detector.tolerated(bad, requests, 0.0, rules.part) + rules.worse_by + rules.tolerance
    except ValueError:
        return None
    return rate if rate < 1 else None


# --- the detector --------------------------------------------------------------------------------------------------


@lru_cache
def looks(seconds: int) -> Floats:
    """When windows end, in stretches since the promotion; the first one is 0."""
    ends = [0]
    while ends[-1] * BLOCK < seconds:
        ends.append(ends[-1] + max(1, round(watch.pace(ends[-1] * BLOCK) / BLOCK)))
    return np.array(ends)


def first_alarm(weather: Weather, begin: int, at: int, end: int, known: float, bound: float) -> int | None:
    """The stretch at whose end a detector that starts at `at` has its first alarm; None if it has none until `end`."""
    ends = looks((end - begin) * BLOCK) + begin
    ends = ends[(ends >= at) & (ends <= end)]
    log_r = np.full(len(GRID), -np.inf)
    for first in range(0, len(ends) - 1, _CHUNK):
        cuts = ends[first : first + _CHUNK + 1]
        requests, bad = (_sums(counts, cuts) for counts in (weather.requests, weather.bad))
        heard = requests > 0
        paths = grown(log_r, requests[heard], bad[heard], known)
        if len(paths):
            over = np.flatnonzero(np.logaddexp.reduce(paths, axis=1) - np.log(len(GRID)) >= bound)
            if len(over):
                return int(cuts[1:][heard][over[0]])
            log_r = paths[-1]
    return None


def _sums(counts: Floats, cuts: Floats) -> Floats:
    return np.add.reduceat(counts[cuts[0] : cuts[-1]], cuts[:-1] - cuts[0])


def grown(log_r: Floats, requests: Floats, bad: Floats, known: float) -> Floats:
    """Log R of the detector after each window, per alternative; `detector.one_arm` for many windows. known: what is
    tolerated. With S the sum of the logs of e-values, R_t = exp(S_t)·(R_0 + the sum of exp(-S_s), s < t)."""
    bets = np.array(bounded.bets(known))
    gained = (requests - bad)[:, None] * np.log1p(-bets * known) + bad[:, None] * np.log1p(bets * (1 - known))
    total = np.cumsum(gained, axis=0)
    past = np.vstack([log_r[None], -np.vstack([np.zeros((1, len(bets))), total[:-1]])]) if len(total) else total
    return total + np.logaddexp.accumulate(past, axis=0)[1:] if len(total) else total


# --- a question ----------------------------------------------------------------------------------------------------


def question(
    rng: Rng, weather: Weather, at: int, rules: Rules, number: int, rate: float
) -> tuple[float | None, tuple[int, int]]:  # fmt: skip
    """Both versions on the same traffic from this stretch on: seconds until the live one is shown to be worse, or
    None; and (requests, bad ones) of the version before. rate: what is expected of it."""
    last = min(at + rules.confirm // BLOCK, len(weather.requests))
    if last <= at:
        return None, (0, 0)
    here = slice(at, last)
    before = rng.binomial(weather.requests[here], rules.share)
    live = weather.requests[here] - before
    bad_before, bad_live = rng.binomial(before, weather.before[here]), rng.binomial(live, weather.live[here])
    cuts = np.append(np.arange(0, last - at, rules.window // BLOCK), last - at)
    counts = [_sums(each, cuts) for each in (bad_live, live, bad_before, before)]
    bound = log_bound(rules.false_alarms / (number * (number + 1)))
    over = np.flatnonzero(evidence(*counts, rules.worse_by, rate) >= bound)
    mine = int(before.sum()), int(bad_before.sum())
    return (float(cuts[over[0] + 1] * BLOCK), mine) if len(over) else (None, mine)


def evidence(x: Floats, n_c: Floats, y: Floats, n_s: Floats, worse_by: float, rate: float) -> Floats:
    """Log evidence after each window that the live version (x of n_c bad) is worse than the one before (y of n_s):
    test A, or with a margin the test for a difference of rates."""
    gained = differences(x, n_c, y, n_s, worse_by, rate) if worse_by else odds(x, n_c, y, n_s)
    return np.logaddexp.reduce(np.cumsum(gained, axis=0), axis=1) - np.log(len(GRID))


def odds(x: Floats, n_c: Floats, y: Floats, n_s: Floats) -> Floats:
    """`failures.log_lr` with an odds ratio of 1, for many windows: (windows, alternatives)."""
    k = (x + y)[:, None]
    other = np.arange(int(n_s.max(initial=0)) + 1)[None, :]  # bad ones of the version before
    can = (other <= np.minimum(k, n_s[:, None])) & (k - other <= n_c[:, None])
    weight = np.where(can, _choose(n_s[:, None], other) + _choose(n_c[:, None], k - other), -np.inf)
    logs = np.log(np.array((1.0, *GRID)))
    sums = np.stack([np.logaddexp.reduce(weight + (k - other) * psi, axis=1) for psi in logs], axis=1)
    return x[:, None] * logs[1:] - (sums[:, 1:] - sums[:, :1])


def _choose(n: Floats, k: Floats) -> Floats:
    k = np.clip(k, 0, n)
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def differences(x: Floats, n_c: Floats, y: Floats, n_s: Floats, worse_by: float, rate: float) -> Floats:
    """The harm of `difference.step` for many windows: (windows, alternatives)."""
    guesses = np.array([alternatives("harm", each, worse_by) for each in _expected(y, n_s, rate)])
    q_s, q_c = guesses[:, :, 0], guesses[:, :, 1]
    low, high = np.zeros_like(q_s), np.full_like(q_s, 1 - worse_by)
    for _ in range(60):
        r = (low + high) / 2
        other = r + worse_by
        falls = n_s[:, None] * (r - q_s) / (r * (1 - r)) + n_c[:, None] * (other - q_c) / (other * (1 - other)) < 0
        low, high = np.where(falls, r, low), np.where(falls, high, r)
    r = (low + high) / 2
    return sum(
        bad[:, None] * np.log(q / near) + (n - bad)[:, None] * np.log((1 - q) / (1 - near))
        for bad, n, q, near in ((y, n_s, q_s, r), (x, n_c, q_c, r + worse_by))
    )


def _expected(y: Floats, n_s: Floats, rate: float) -> list[float]:
    """The rate of the version before as it is expected in each window, from the ones before it."""
    weight, found = 100.0, []
    for bad, n in zip(y.tolist(), n_s.tolist(), strict=True):
        found.append(rate)
        if n:
            new = weight * 0.995 + n
            rate, weight = (rate * weight * 0.995 + bad) / new, new
    return found
