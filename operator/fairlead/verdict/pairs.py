"""Test F: shadow pairs. The same request went to both versions, so only the pairs in which they differ say anything.

A pair is discordant when exactly one version was wrong. If neither is worse, each is equally likely to be the wrong
one, whatever the requests are like: given that pairs are discordant, the candidate is the wrong one in a share of 1/2.
All evidence here is a supermartingale under its null hypothesis, so one may look after every pair.

- `log_e_differs`: test B (`verdict.proportion.log_e`) of that share against 1/2.
- `log_e_worse`: the same with the share q under the alternative above 1/2 only. With a prior Beta(a, a), a half of the
  weight, cut off at 1/2 and doubled,

      E = 2 ∫ from 1/2 to 1 of (2q)^x (2(1-q))^y dBeta(a, a)(q) = 2 · E_B · I_{1/2}(a + y, a + x),

  x pairs in which the candidate was wrong, y in which the live version was. Proof that E is valid for shares p <= 1/2,
  also changing ones: one more pair multiplies the integrand by p·2q + (1-p)·2(1-q) = 1 + (2p-1)(2q-1) <= 1 on average.
- `log_e_beyond`, `log_e_within`: with a margin on the difference of the two error rates over *all* pairs. D is +1, 0
  or -1 where the candidate alone, both or neither, the live version alone was wrong. Null: given the past, the mean of
  D is at most (at least) the margin. A bet pays 1 + bet·(D - margin) (or its mirror image), which is never negative,
  and on average at most 1 under the null; evidence is the mean of several bets' products.

The prior's weight is small (2 pairs: uniform), since discordant pairs are few: with 100, as for traffic splits, shares
near 1/2 take nearly all of it, and 13 against 2 give e^0.46 instead of e^2.97.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log1p

from fairlead.verdict import checks
from fairlead.verdict.failures import log_mean
from fairlead.verdict.proportion import Interval, confidence_sequence, log_e, log_incomplete_beta

WEIGHT = 2.0
"""The prior's weight, in pairs."""

STAKES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Bets, as shares of the largest that never ruins."""


@dataclass(frozen=True)
class Pairs:
    """Requests that both versions answered."""

    alike: int = 0
    """Both right or both wrong."""
    candidate_wrong: int = 0
    """Only the candidate was wrong."""
    stable_wrong: int = 0
    """Only the live version was wrong."""

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            self.alike + other.alike,
            self.candidate_wrong + other.candidate_wrong,
            self.stable_wrong + other.stable_wrong,
        )

    def since(self, before: Pairs) -> Pairs:
        """Those that came after `before`."""
        return Pairs(
            self.alike - before.alike,
            self.candidate_wrong - before.candidate_wrong,
            self.stable_wrong - before.stable_wrong,
        )


def log_e_differs(pairs: Pairs, weight: float = WEIGHT) -> float:
    """Log evidence that one version is wrong more often than the other, from all pairs so far.

    weight: of the prior, in pairs. Raises ValueError for counts or a weight that can't be.
    """
    _check(pairs)
    if not 0 < weight < float("inf"):
        raise ValueError(f"a prior's weight is a positive number, not {weight}")
    return log_e(pairs.candidate_wrong, pairs.stable_wrong, 0.5, weight)


def log_e_worse(pairs: Pairs, weight: float = WEIGHT) -> float:
    """Log evidence that the candidate is the one that is wrong more often, from all pairs so far."""
    both = log_e_differs(pairs, weight)
    a = weight / 2
    return log(2) + both + log_incomplete_beta(a + pairs.stable_wrong, a + pairs.candidate_wrong, 0.5)


def log_e_beyond(pairs: Pairs, worse_by: float) -> tuple[float, ...]:
    """Log capital per stake against "the candidate's error rate is at most the live version's plus `worse_by`".

    worse_by: in [0, 1). Add up over windows, `failures.log_mean` last: harm. Raises ValueError if it can't be.
    """
    _check(pairs)
    if not 0 <= worse_by < 1:
        raise ValueError(f"a margin lies between 0 and 1, not {worse_by}")
    return tuple(_capital(pairs, stake / (1 + worse_by), worse_by) for stake in STAKES)


def log_e_within(pairs: Pairs, worse_by: float) -> tuple[float, ...]:
    """Log capital per stake against "the candidate's error rate exceeds the live version's by `worse_by` or more".

    worse_by: in (0, 1). Add up over windows, `failures.log_mean` last: safe. Raises ValueError if it can't be.
    """
    _check(pairs)
    checks.shares(worse_by=worse_by)
    return tuple(_capital(pairs, -stake / (1 - worse_by), worse_by) for stake in STAKES)


def log_e_harm(pairs: Pairs, worse_by: float) -> float:
    """Log evidence that the candidate is wrong more often than the live version by more than `worse_by`, in [0, 1)."""
    return log_mean(log_e_beyond(pairs, worse_by)) if worse_by else log_e_worse(pairs)


def log_e_safe(pairs: Pairs, worse_by: float) -> float:
    """Log evidence that the candidate is wrong more often by less than `worse_by`, in (0, 1)."""
    return log_mean(log_e_within(pairs, worse_by))


def log_e_better(pairs: Pairs) -> float:
    """Log evidence that the live version is the one that is wrong more often."""
    return log_e_worse(Pairs(pairs.alike, pairs.stable_wrong, pairs.candidate_wrong))


def log_factor(pairs: Pairs, worse_by: float = 0.0, design_effect: float = 1.0) -> float:
    """Log of the factor by which pairs change the evidence that the candidate is worse; exactly 0 without any.

    worse_by: the margin on the difference of error rates, in [0, 1); design_effect: at least 1, pairs that stand for
    one independent one (the evidence to the power 1/d stays valid, by Jensen's inequality).
    """
    if pairs == Pairs():
        return 0.0
    found = log_e_harm(pairs, worse_by) / design_effect
    return (found + log1p(exp(-found)) if found > 0 else log1p(exp(found))) - log(2)


def disagreement(disagreeing: int, compared: int, alpha: float, compared_best: float = 1000.0) -> Interval:
    """Where the share of requests lies to which the versions answer differently, at all times at once; needs no labels.

    compared: pairs that could be compared (see `verdict.agreement`); compared_best: how many make it tightest.
    """
    return confidence_sequence(disagreeing, compared, alpha, compared_best)


def _capital(pairs: Pairs, bet: float, margin: float) -> float:
    return (
        pairs.candidate_wrong * log1p(bet * (1 - margin))
        + pairs.stable_wrong * log1p(-bet * (1 + margin))
        + pairs.alike * log1p(-bet * margin)
    )


def _check(pairs: Pairs) -> None:
    checks.counts(alike=pairs.alike, candidate_wrong=pairs.candidate_wrong, stable_wrong=pairs.stable_wrong)
