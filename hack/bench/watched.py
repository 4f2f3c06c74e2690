"""A watch after a promotion in the weather of `hack.bench.weather`: as it was, and with each alarm asked first.

An alarm of the detector, which compares with the past, used to be the end of the version. Now it is a question: the
version before gets a share of the same traffic, and only a test of both on it decides. Where it finds nothing, what the
live version did meanwhile is tolerated from then on, until it is shown to be back within what was tolerated at first.

These are the operator's own tests over whole arrays at once, since a year has half a million windows;
`tests/unit/bench/test_world.py` compares each with the operator's, number by number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, gammaln

from fairlead.plan.deployment.watch import period as watch
from fairlead.verdict import bounded
from fairlead.verdict.confirm import GUESSED, part
from fairlead.verdict.difference import SAFE_AT, Claim
from fairlead.verdict.failures import GRID, base_rate, log_bound
from hack.bench.weather import BLOCK, MINUTE, Floats, Rng, Weather

REFERENCE = 10 * MINUTE
"""What the version before did in the rollout: so many stretches before the promotion."""
MISSED, BACK = 0.05, 1e-3
"""The chances that a version that is worse is called not worse, and that the world is said to be as before though it
is not."""
ALMOST_ALL = 0.99
"""The largest share of bad answers that can be a reference."""
_SHORTEST, _LONGEST = 32, 2048
"""Windows that are looked at together."""
_HALVINGS = 32


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
    window: int = 5
    """Seconds of a window while a question is open."""

    @property
    def part(self) -> float:
        """The chance that is left for a reference that was too good by luck, and for all windows."""
        return self.false_alarms / 2


@dataclass
class Seen:
    """What came of a watch. Times in seconds after the promotion."""

    alarm: int | None = None
    """The first alarm: where alarms decide, the version goes back here."""
    back: int | None = None
    """When the version went back because a question was answered so."""
    questions: int = 0
    asked: int = 0
    """Seconds in which a question was open."""
    took: int | None = None
    """Seconds of that question, from the first request of the version before."""
    lasted: int = 0

    def since(self, moment: int) -> Seen:
        """The same, with times since a later moment."""
        alarm, back = (None if at is None else at - moment for at in (self.alarm, self.back))
        return replace(self, alarm=alarm, back=back)


@dataclass(frozen=True)
class Answer:
    """How a question ended."""

    worse: bool
    took: int
    """Seconds, from the first request of the version before."""
    live: tuple[int, int]
    """(requests, bad ones) of the live version,"""
    before: tuple[int, int]
    """and of the one before."""


def watched(rng: Rng, weather: Weather, begin: int, rules: Rules) -> Seen:
    """A watch over a version that goes live at this stretch of the weather. It ends with the first rollback."""
    seen, bound = Seen(), log_bound(rules.part / watch.most_windows(2 * rules.seconds))
    end = min(begin + rules.seconds // BLOCK, len(weather.requests))
    reference = slice(begin - REFERENCE, begin)
    counts = int(weather.requests[reference].sum()), int(weather.bad[reference].sum())
    first, at = tolerated(*counts, rules), begin
    known, rate = first, base_rate(counts[1], counts[0])
    while first is not None and known is not None:
        found = next_event(weather, (begin, at, end), known, first, bound)
        if found is None:
            break
        at = found[0]
        if not found[1]:  # what was tolerated at first will do again
            known = first
            continue
        seen.alarm = (at - begin) * BLOCK if seen.alarm is None else seen.alarm
        seen.questions += 1
        at += rules.start // BLOCK
        answer = question(rng, weather, at, rules, seen.questions, rate)
        seen.asked += rules.start + answer.took
        at += answer.took // BLOCK
        if answer.worse:
            seen.back, seen.took = (at - begin) * BLOCK, answer.took
            break
        known = max(known, tolerated(*answer.live, rules) or ALMOST_ALL)
    seen.lasted = max(at - begin, end - begin) * BLOCK if seen.back is None else seen.back
    return seen


def tolerated(requests: int, bad: int, rules: Rules) -> float | None:
    """As `plan.rollout.detect` has it, for a guard on errors or outcomes; None where too little is known."""
    if bad == requests:
        return None
    rate = float(betaincinv(bad + 1, requests - bad, 1 - rules.part)) + rules.worse_by + rules.tolerance
    return rate if rate < 1 else None


# --- the detector --------------------------------------------------------------------------------------------------


@lru_cache
def looks(seconds: int) -> Floats:
    """When windows end, in stretches since the promotion; the first one is 0."""
    ends = [0]
    while ends[-1] * BLOCK < seconds:
        ends.append(ends[-1] + max(1, round(watch.pace(ends[-1] * BLOCK) / BLOCK)))
    return np.array(ends)


def next_event(
    weather: Weather, span: tuple[int, int, int], known: float, first: float, bound: float
) -> tuple[int, bool] | None:  # fmt: skip
    """What the detectors say next, that start at `at`: the stretch at whose end it is an alarm (True), or shown that
    the rate is back within what was tolerated at first (False); None if neither is until the end.

    span: (promotion, at, end), in stretches; known, first: what is tolerated now, and was at first.
    """
    begin, at, end = span
    ends = looks((end - begin) * BLOCK) + begin
    ends = ends[(ends >= at) & (ends <= end)]
    worse, back = (np.full(len(GRID), -np.inf) for _ in range(2))
    bounds = (bound, log_bound(BACK))
    here, number = 0, _SHORTEST
    while here < len(ends) - 1:
        cuts = ends[here : here + number + 1]
        here, number = here + number, min(2 * number, _LONGEST)
        requests, bad = (_sums(counts, cuts) for counts in (weather.requests, weather.bad))
        heard = requests > 0
        if not heard.any():
            continue
        requests, bad, cuts = requests[heard], bad[heard], cuts[1:][heard]
        paths = [grown(worse, requests, bad, known)]
        if known > first:
            paths.append(grown(back, requests, requests - bad, 1 - first))
        over = [
            np.flatnonzero(np.logaddexp.reduce(one, axis=1) - np.log(len(GRID)) >= most)
            for one, most in zip(paths, bounds, strict=False)
        ]
        times = [int(one[0]) if len(one) else len(cuts) for one in over]
        if min(times) < len(cuts):
            return int(cuts[min(times)]), times[0] == min(times)
        worse, back = paths[0][-1], paths[-1][-1]
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
) -> Answer:  # fmt: skip
    """Both versions on the same traffic from this stretch on, until `verdict.confirm` has an answer or the time is
    over. number: counted from 1; rate: the last that is known of the version before."""
    last = min(at + rules.confirm // BLOCK, len(weather.requests))
    here = slice(at, last)
    before = rng.binomial(weather.requests[here], rules.share)
    live = weather.requests[here] - before
    cuts = np.append(np.arange(0, last - at, rules.window // BLOCK), last - at)
    if len(cuts) < 2:
        return Answer(False, 0, (0, 0), (0, 0))
    drawn = (rng.binomial(live, weather.live[here]), live, rng.binomial(before, weather.before[here]), before)
    x, n_c, y, n_s = (_sums(each, cuts) for each in drawn)
    worse, fine = evidence(x, n_c, y, n_s, rules.worse_by, rate)
    shown = worse >= log_bound(part(rules.false_alarms, 1, number))
    over = np.flatnonzero(shown | (fine >= log_bound(MISSED)))
    end = int(over[0]) if len(over) else len(shown) - 1
    counts = [(int(n[: end + 1].sum()), int(bad[: end + 1].sum())) for n, bad in ((n_c, x), (n_s, y))]
    return Answer(bool(shown[end]), int(cuts[end + 1]) * BLOCK, *counts)


def evidence(x: Floats, n_c: Floats, y: Floats, n_s: Floats, worse_by: float, rate: float) -> tuple[Floats, Floats]:
    """`confirm.Asked`'s log evidence after each window that the live version (x of n_c bad) is worse than the one
    before (y of n_s), and that it is not."""
    worse = _mean(odds(x, n_c, y, n_s))
    if not worse_by:
        return worse, np.zeros_like(worse)
    harm = differences("harm", x, n_c, y, n_s, worse_by, _expected(y, n_s, rate, 100.0))
    fine = differences("safe", x, n_c, y, n_s, worse_by, _expected(y, n_s, rate, GUESSED))
    return np.minimum(worse, _mean(harm)), _mean(fine)


def _mean(gained: Floats) -> Floats:
    return np.logaddexp.reduce(np.cumsum(gained, axis=0), axis=1) - np.log(gained.shape[1])


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


def differences(
    claim: Claim, x: Floats, n_c: Floats, y: Floats, n_s: Floats, worse_by: float, rates: list[float]
) -> Floats:  # fmt: skip
    """`difference.log_e` for many windows: (windows, alternatives). rates: what is expected in each."""
    rate = np.clip(np.array(rates), 1e-9, (1 - worse_by) * (1 - 1e-4))[:, None]
    if claim == "harm":
        odds_beyond = np.array(GRID) * (rate + worse_by) / (1 - rate - worse_by)
        q_c = odds_beyond / (1 + odds_beyond)
    else:
        q_c = np.maximum(rate + np.array(SAFE_AT) * worse_by, rate / 4)
    q_s = np.broadcast_to(rate, q_c.shape)
    low, high = np.maximum(np.minimum(q_s, q_c - worse_by), 0), np.maximum(q_s, q_c - worse_by)
    for _ in range(_HALVINGS):
        r = (low + high) / 2
        other = r + worse_by
        falls = n_s[:, None] * (r - q_s) / (r * (1 - r)) + n_c[:, None] * (other - q_c) / (other * (1 - other)) < 0
        low, high = np.where(falls, r, low), np.where(falls, high, r)
    r = (low + high) / 2
    mine = x[:, None] * np.log(q_c / (r + worse_by)) + (n_c - x)[:, None] * np.log((1 - q_c) / (1 - r - worse_by))
    return mine + y[:, None] * np.log(q_s / r) + (n_s - y)[:, None] * np.log((1 - q_s) / (1 - r))


def _expected(y: Floats, n_s: Floats, rate: float, weight: float) -> list[float]:
    """The rate of the version before as `difference.step` expects it in each window, from the ones before it. weight:
    the requests that the first one stands for."""
    found = []
    for bad, n in zip(y.tolist(), n_s.tolist(), strict=True):
        found.append(rate)
        if n:
            new = weight * 0.995 + n
            rate, weight = (rate * weight * 0.995 + bad) / new, new
    return found
