"""How long it will take: to find harm, and to prove that there is none.

Evidence grows by a Kullback-Leibler divergence per failure. Of the failures of both versions, those at the candidate
are a share w' = w·psi / (1 - w + w·psi) if its odds are psi times the live version's, w being its share of the
requests; under no harm w. So test A gains KL(w' || w) = w' ln(w'/w) + (1-w') ln((1-w')/(1-w)) per failure, and needs
ln(1/alpha) and the price of not knowing psi, at most the log of the grid's size. These are means: a test may be lucky.
"""

from __future__ import annotations

from math import inf, log

from fairlead.verdict.difference import alternatives, nearest
from fairlead.verdict.failures import GRID


def until_harm(bound: float, share: float, failures: float, psi: float = 2.0) -> float:
    """Seconds until harm is shown, where the candidate's odds of failing are psi times the live version's.

    bound: log evidence that is needed; share: the candidate's of the requests, in (0, 1); failures: of both versions
    per second, if they fail alike. Infinite where nothing fails or an arm gets nothing. Raises ValueError for a psi of
    at most 1.
    """
    if psi <= 1:
        raise ValueError(f"harm is an odds ratio above 1, not {psi}")
    if not 0 < share < 1 or failures <= 0:
        return inf
    mine = share * psi / (1.0 - share + share * psi)
    gained = mine * log(mine / share) + (1.0 - mine) * log((1.0 - mine) / (1.0 - share))
    return (bound + log(len(GRID))) / (gained * failures * (1.0 - share + share * psi))


def until_proof(missing: float, stable: float, candidate: float, rate: float, worse_by: float) -> float:
    """Seconds until a guardrail is proven, where both versions fail at `rate`.

    missing: log evidence that is still needed; stable, candidate: requests per second; worse_by: the margin. Infinite
    where an arm gets nothing; 0 where nothing is missing.
    """
    if missing <= 0:
        return 0.0
    if stable <= 0 or candidate <= 0:
        return inf
    best = max(
        _growth(q_s, q_c, stable, candidate, rate, worse_by) for q_s, q_c in alternatives("safe", rate, worse_by)
    )
    return missing / best if best > 0 else inf


def _growth(q_s: float, q_c: float, stable: float, candidate: float, rate: float, worse_by: float) -> float:
    """Log evidence per second of the bet on (q_s, q_c), where both versions fail at `rate`."""
    # the nearest rates of the null depend on the proportion of the requests only
    r = nearest(q_s, q_c, round(1e6 * stable), round(1e6 * candidate), worse_by)
    return stable * _gain(rate, q_s, r) + candidate * _gain(rate, q_c, r + worse_by)


def _gain(p: float, q: float, r: float) -> float:
    """Mean log likelihood ratio of q to r for one request that fails with probability p."""
    return p * log(q / r) + (1.0 - p) * log((1.0 - q) / (1.0 - r))
