"""Real harm asks: would the version before have lost less, on the same requests?

Each request whose label is new was answered by the live version, and its body was kept; the version before is sent
that body now. What is judged is the difference of the two losses of one request, u = loss of the live version - loss of
the version before, in [-1, 1]. So season, hard days and odd customers fall out: they are the same for both.

Two questions are asked at once, each by betting (`verdict.bounded`), so one may look after each batch of labels:

- *The version before is better.* Null: given the past, the mean of u is at most 0. A stake s in (0, 1) pays 1 + s·u.
- *It is not, by the margin w.* Null: the mean of u is at least w. A stake pays 1 + s·(w - u)/(1 - w).

No payment is negative, and under its null each is at most 1 on average, so the product is a supermartingale, and so is
the mean over stakes: it ever reaches 1/alpha with a probability of at most alpha (Ville). Losses may have any
distribution, and change with time. If the truth lies between 0 and w, either answer is right.

**Fresh pairs only.** An alarm rises because of the labels that were counted before it: in these the live version was
unlucky, if nothing else. Held against them, any version that is as bad on average looks better. With pairs whose labels
were first counted after the alarm, the test begins at a stopping time, after which the products are supermartingales
as before, whatever made it ring.

**A request that the version before refuses** would have been an error for whoever sent it: against "better" it counts
as the largest loss (u = -1), for "not better" it says nothing.

**Batches that depend on one another.** Labels of one customer or one day can go the same way together. With a design
effect d, evidence counts as that of 1/d as many pairs: e^(1/d) has a mean of at most 1 where e has (Jensen).

**Many questions.** The k-th one of a live version has the part 1/(k(k+1)) of alpha, as in `verdict.confirm`: over all
of them a version before which is no better is gone back to with a probability of at most alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum, isfinite, log1p
from typing import Literal

from fairlead.monitor import bounds
from fairlead.verdict import checks
from fairlead.verdict.failures import log_bound, log_mean
from fairlead.verdict.pairs import STAKES

Answer = Literal["better", "not better", "go on"]

NOTHING = (0.0,) * len(STAKES)
SURE = 0.05
"""The chance that a version before which is better by the margin is called not better."""
ENOUGH = 20
"""Pairs before anything is said: fewer are an anecdote, whatever the odds."""


@dataclass(frozen=True)
class Gained:
    """What one batch of pairs adds: log capital per stake, for both questions."""

    n: int = 0
    total: float = 0.0
    """Sum of u."""
    refused: int = 0
    """Requests that the version before did not answer; they are none of the n."""
    better: tuple[float, ...] = NOTHING
    not_better: tuple[float, ...] = NOTHING


@dataclass(frozen=True)
class Asked:
    """All that is known of a question."""

    n: int = 0
    total: float = 0.0
    refused: int = 0
    better: tuple[float, ...] = NOTHING
    not_better: tuple[float, ...] = NOTHING

    @property
    def log_better(self) -> float:
        """Log evidence that the version before is better."""
        return log_mean(self.better)

    @property
    def log_not_better(self) -> float:
        """Log evidence that it is not, by the margin."""
        return log_mean(self.not_better)

    @property
    def difference(self) -> float:
        """Mean loss of the live version less that of the version before; 0 without pairs."""
        return self.total / self.n if self.n else 0.0


def gained(differences: Sequence[float], margin: float, refused: int = 0) -> Gained:
    """Of the pairs of one batch. differences: u of each; margin: w, in (0, 1); refused: requests without an answer.
    Raises ValueError for what can't be."""
    checks.shares(margin=margin)
    checks.counts(refused=refused)
    if not all(-1 <= u <= 1 for u in differences):
        raise ValueError("losses lie in [0, 1], so their difference in [-1, 1]")
    better = (fsum(log1p(stake * u) for u in differences) for stake in STAKES)
    other = (fsum(log1p(stake * (margin - u) / (1 - margin)) for u in differences) for stake in STAKES)
    return Gained(len(differences), fsum(differences), refused, tuple(better), tuple(other))


def step(asked: Asked, batch: Gained, design_effect: float = 1.0) -> Asked:
    """The question after one more batch. Raises ValueError for sums that pairs can't have."""
    _check(batch, design_effect)
    against = [value + batch.refused * log1p(-stake) for value, stake in zip(batch.better, STAKES, strict=True)]
    return replace(
        asked,
        n=asked.n + batch.n, total=asked.total + batch.total, refused=asked.refused + batch.refused,
        better=_plus(asked.better, against, design_effect),
        not_better=_plus(asked.not_better, batch.not_better, design_effect),
    )  # fmt: skip


def _plus(before: Sequence[float], new: Sequence[float], design_effect: float) -> tuple[float, ...]:
    return tuple(have + more / design_effect for have, more in zip(before, new, strict=True))


def _check(batch: Gained, design_effect: float) -> None:
    bounds.counts(n=batch.n, refused=batch.refused)
    if design_effect < 1 or not isfinite(design_effect):
        raise ValueError(f"a design effect is at least 1, not {design_effect}")
    values = (batch.total, *batch.better, *batch.not_better)
    if len(batch.better) != len(STAKES) or len(batch.not_better) != len(STAKES) or not all(map(isfinite, values)):
        raise ValueError("a batch has one finite number a stake")
    if abs(batch.total) > batch.n * (1 + 1e-9) or any(
        value > batch.n * log1p(stake) * (1 + 1e-9) for value, stake in zip(batch.better, STAKES, strict=True)
    ):
        raise ValueError(f"{batch.n} pairs can't have gained so much")


def decide(asked: Asked, alpha: float, sure: float = SURE) -> Answer:
    """What has been shown. alpha: the question's part (`verdict.confirm.part`) of the chance of a false rollback; sure:
    that of a false "not better"."""
    return decided(asked, log_bound(alpha), log_bound(sure))


def decided(asked: Asked, better: float, not_better: float) -> Answer:
    """The same, by the log evidence that either answer needs."""
    if asked.n < ENOUGH:
        return "go on"
    if asked.log_better >= better:
        return "better"
    return "not better" if asked.log_not_better >= not_better else "go on"
