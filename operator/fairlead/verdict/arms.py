"""Several versions compared by a rate of successes, at any time: who is worse than somebody else, and who is left.

For each ordered pair (i, j) test A (`verdict.failures`) collects evidence that i's odds of success are higher than j's:
per window, given the successes of both, the likelihood ratio of psi against 1, and the mean over a grid of psi of the
products over all windows. While i is no better than j it ever reaches 1/alpha with probability at most alpha. The grid
is finer than that for failures, for a version that sells 5 % more is worth having.

With k versions a version is *worse* as soon as the evidence that any other one is better reaches k/(1 - confidence),
and that stands. The winner is the only one that is not worse. It is in truth worse than some other version with
probability at most 1 - confidence: for then a version b that is truly best was found to be worse than one of the k - 1
others, and each of these k - 1 tests errs with at most (1 - confidence)/k. If all k are alike, *any* winner is named
with at most 1 - confidence: k - 1 of them must have been found to be worse, on average at most
k (k - 1) (1 - confidence)/k of them are, and so (Markov) the chance of k - 1 or more is at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

from fairlead.verdict import checks, split
from fairlead.verdict.failures import informative, log_bound, log_mean, log_normaliser

GRID = (1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0)
"""Odds ratios whose likelihood is averaged."""


@dataclass(frozen=True)
class Trials:
    """What a version was tried on, and how often it was a success."""

    total: int = 0
    successes: int = 0

    def __add__(self, other: Trials) -> Trials:
        return Trials(self.total + other.total, self.successes + other.successes)


Pair = tuple[str, str]
"""(the better version, the worse one)"""
Evidence = Mapping[Pair, tuple[float, ...]]
"""Log likelihood ratio per odds ratio of the grid."""


def log_lr(better: Trials, worse: Trials) -> tuple[float, ...]:
    """One window's log likelihood ratios of the grid that `better` has the higher odds of success.

    A window that can't tell them apart gives zeros. Raises ValueError for more successes than trials."""
    n_c, n_s, k = better.total, worse.total, better.successes + worse.successes
    if not informative(better.successes, n_c, n_s, k):
        return (0.0,) * len(GRID)
    base = log_normaliser(n_c, n_s, k, 1.0)
    return tuple(better.successes * log(psi) - (log_normaliser(n_c, n_s, k, psi) - base) for psi in GRID)


def step(evidence: Evidence, window: Mapping[str, Trials], design_effect: float = 1.0) -> dict[Pair, tuple[float, ...]]:
    """The evidence after one more window of these versions. Pairs that are not in it keep what they have.

    design_effect: how many trials stand for one independent one, at least 1 (see `verdict.guards`)."""
    found = dict(evidence)
    for one in window:
        for other in window:
            if one != other:
                have = found.get((one, other), (0.0,) * len(GRID))
                gained = log_lr(window[one], window[other])
                found[one, other] = tuple(a + b / design_effect for a, b in zip(have, gained, strict=True))
    return found


def bound(confidence: float, versions: int) -> float:
    """The log evidence at which one of so many versions is worse. confidence: in (0, 1)."""
    checks.shares(confidence=confidence)
    if versions < 2:
        raise ValueError(f"a comparison needs at least two versions, not {versions}")
    return log_bound((1.0 - confidence) / versions)


def worse(evidence: Evidence, versions: Iterable[str], at: float) -> dict[str, str]:
    """The versions for which the evidence that another one is better has reached `at`, with who that is. Only
    comparisons between these versions count."""
    known = list(versions)
    found: dict[str, str] = {}
    for (better, other), lrs in sorted(evidence.items()):
        if better in known and other in known and log_mean(lrs) >= at:
            found.setdefault(other, better)
    return found


# --- were they divided as asked? -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Division:
    """Test B for several versions, since their shares were last changed, or since it was found to be wrong."""

    counts: tuple[int, ...] = ()
    log_evidence: float = 0.0
    wrong: bool = False


def divided(state: Division, counts: Sequence[int], shares: Sequence[float]) -> Division:
    """The state after so many more users (or requests) of each version. shares: what was asked for, with sum 1.

    A wrong division heals when, counted anew, it speaks for the shares. Raises ValueError for shares that can't be."""
    if len(shares) < 2 or not sum(counts):
        return state
    sums = tuple(a + b for a, b in zip(state.counts or (0,) * len(counts), counts, strict=True))
    evidence = split.log_e(sums, shares)
    if evidence >= split.BOUND:
        return Division((0,) * len(sums), evidence, wrong=True)
    healed = state.wrong and sum(sums) >= split.AGAIN and evidence < 0
    return replace(state, counts=sums, log_evidence=evidence, wrong=state.wrong and not healed)
