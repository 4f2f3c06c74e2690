"""Who is likely to be the best one, what choosing him would risk, and how much each should get.

Each version's rate has the posterior Beta(1 + successes, 1 + failures). Thompson sampling gives a request to a version
with the probability that this version is the best one: it draws a rate for each and takes the largest (Thompson, 1933).
Here that probability is integrated, and a gateway draws by the weights (Scott, "A modern Bayesian look at the
multi-armed bandit", 2010): P(i is best) = ∫ f_i(x) ∏ F_j(x) dx over all others j. So the weights follow from the counts
alone; whoever looks, and after whatever restart, gets the same ones.

The expected loss of choosing i is E[max_j rate_j] - E[rate_i], and E[max] = ∫ (1 - ∏ F_j(x)) dx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import exp, fsum, inf, log, log1p, prod, sqrt

from fairlead.verdict.arms import Trials
from fairlead.verdict.proportion import log_beta

_FINE = [step / 40 for step in range(-400, 401)]
"""Standard deviations from the mean at which a posterior is looked at,"""
_COARSE = [sign * step / 2 for sign in (-1, 1) for step in range(21, 81)]
"""and where it is small: posteriors of rates near 0 have long tails."""


@dataclass(frozen=True)
class Standing:
    """What is believed of a version."""

    rate: float
    """The posterior's mean."""
    best: float
    """The chance that it is the best one; those of all versions add up to 1."""
    loss: float
    """By how much it is expected to lie below the best one."""


def standings(trials: Sequence[Trials]) -> list[Standing]:
    """What is believed of each version. Raises ValueError for more successes than trials."""
    for one in trials:
        if not 0 <= one.successes <= one.total:
            raise ValueError(f"impossible counts: {one.successes} of {one.total}")
    betas = [(1.0 + one.successes, 1.0 + one.total - one.successes) for one in trials]
    at = _nodes(betas)
    densities = [_density(a, b, at) for a, b in betas]
    cumulated = [_cumulated(at, density) for density in densities]
    means = [a / (a + b) for a, b in betas]
    largest = _integral(at, [1.0 - prod(values) for values in zip(*cumulated, strict=True)])
    chances = [
        _integral(at, [
            density[n] * prod(other[n] for j, other in enumerate(cumulated) if j != i) for n in range(len(at))
        ])
        for i, density in enumerate(densities)
    ]  # fmt: skip
    whole = fsum(chances)
    return [Standing(m, c / whole, max(0.0, largest - m)) for m, c in zip(means, chances, strict=True)]


def _nodes(betas: Sequence[tuple[float, float]]) -> list[float]:
    """Where all posteriors are looked at: close together where any of them changes quickly."""
    found = {0.0, 1.0}
    for a, b in betas:
        mean, sd = a / (a + b), sqrt(a * b / (a + b + 1.0)) / (a + b)
        found.update(mean + z * sd for z in (*_FINE, *_COARSE) if 0.0 < mean + z * sd < 1.0)
    return sorted(found)


def _density(a: float, b: float, at: Sequence[float]) -> list[float]:
    whole = log_beta(a, b)

    def log_part(power: float, value: float) -> float:
        return 0.0 if power == 1.0 else -inf if value == 0.0 else (power - 1.0) * log(value)

    found = []
    for x in at:
        rest = 0.0 if b == 1.0 else -inf if x == 1.0 else (b - 1.0) * log1p(-x)
        found.append(exp(log_part(a, x) + rest - whole))
    return found


def _cumulated(at: Sequence[float], density: Sequence[float]) -> list[float]:
    """The distribution function; 1 at the end whatever the rounding."""
    parts = [(y - x) * (f + g) / 2 for (x, y), (f, g) in zip(pairwise(at), pairwise(density), strict=True)]
    sums = list(accumulate(parts, initial=0.0))
    return [value / sums[-1] for value in sums]


def _integral(at: Sequence[float], values: Sequence[float]) -> float:
    return fsum((y - x) * (f + g) / 2 for (x, y), (f, g) in zip(pairwise(at), pairwise(values), strict=True))


# --- shares --------------------------------------------------------------------------------------------------------


def moved(chances: Sequence[float], last: Sequence[int], most: int, floor: int, by: int) -> list[int]:
    """The percents of the next window, the live version's first; they add up to 100.

    chances: of being the best one; last: the percents now; most: what all others than the live one may have together;
    floor: what each has at least; by: no percent moves by more (but for rounding: by one more)."""
    free = 100.0 - floor * len(chances)
    wanted = [floor + free * chance for chance in chances]
    others = fsum(wanted[1:])
    if others > most:
        shrunk = (most - floor * (len(chances) - 1)) / max(others - floor * (len(chances) - 1), 1e-9)
        wanted[1:] = [floor + (percent - floor) * shrunk for percent in wanted[1:]]
        wanted[0] = 100.0 - fsum(wanted[1:])
    farthest = max(abs(new - old) for new, old in zip(wanted, last, strict=True))
    part = min(1.0, by / farthest) if farthest else 1.0
    return whole([old + part * (new - old) for new, old in zip(wanted, last, strict=True)])


def whole(percents: Sequence[float]) -> list[int]:
    """Whole percents that add up to 100: the first one gets what rounding leaves, the others differ by less than 1."""
    total = int(fsum(percents[1:]) + 1e-6)
    found = [int(percent + 1e-9) for percent in percents[1:]]
    order = sorted(range(len(found)), key=lambda i: (found[i] - percents[i + 1], i))
    for i in order[: total - sum(found)]:
        found[i] += 1
    return [100 - sum(found), *found]
