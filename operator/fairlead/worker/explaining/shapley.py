"""How much each feature contributes to one answer: Shapley values, by sampling orders of the features.

The value of a set of features S is what the model answers in the mean when these have the explained row's values and
all others those of a background row z (the *interventional* game; Lundberg & Lee 2017, arXiv 1705.07874; Janzing et al.
2020, arXiv 1910.13413). A feature's Shapley value is its mean marginal contribution over all orders in which features
can join. Two orders are walked a background row, one and the same backwards (antithetic pairs; Mitchell et al. 2022,
arXiv 2104.12199): along each the marginal contributions add up to f(x) - f(z) exactly. So

- contributions add up to f(x) minus the mean answer to the background, up to rounding (efficiency);
- a feature that the model does not heed gets 0 exactly (dummy), and so does one that has the background's value
  everywhere: where it has, nothing changes, and nothing is asked;
- of an additive model, and of one whose features interact in pairs only, each pair of orders is exact for its
  background row, as a feature joins before another one in one of both and after it in the other.

The pairs are independent of each other, and each has its own background row; so the standard error of their mean is
that of the Shapley value against the distribution that the background is a sample of. It is an upper bound (in the
mean) for the error against just these background rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[Any]
"""Of features, as JSON has them: (rows, features) or (features,), of objects."""
Ask: TypeAlias = Callable[[Values], Floats]
"""Answers to rows."""


@dataclass(frozen=True)
class Contributions:
    """To one answer, by feature."""

    values: Floats
    errors: Floats
    """Standard errors."""
    asked: int
    """Rows that the model was asked about."""


def contributions(
    ask: Ask, row: Values, background: Values, base: Floats, answer: float, random: np.random.Generator
) -> Contributions:  # fmt: skip
    """Why `row` (d,) was answered `answer`, and not as `background` (m, d) was: with `base` (m,)."""
    differs = np.not_equal(background, row).astype(np.bool_)
    walks = [Walk(found, random) for found in differs]
    told = _told(ask, row, background, walks)
    found = np.zeros(background.shape, dtype=np.float64)
    at = 0
    for number, walk in enumerate(walks):
        end = at + walk.asks
        walk.fill(found[number], float(base[number]), answer, told[at:end])
        at = end
    pairs = len(background)
    errors = found.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs > 1 else np.full(len(row), np.inf)
    return Contributions(found.mean(axis=0), errors, at)


def most_asked(features: int, pairs: int) -> int:
    """Rows that the model is asked about for one explained row, at most."""
    return 2 * pairs * max(0, features - 1)


class Walk:
    """From a background row to the explained one, feature by feature, in a random order and back in the same."""

    def __init__(self, differs: Truths, random: np.random.Generator) -> None:
        self._order = random.permutation(np.flatnonzero(differs))
        self._rank = np.full(len(differs), -1)
        self._rank[self._order] = np.arange(len(self._order))

    @property
    def asks(self) -> int:
        """Rows on the way; both ends are known."""
        return 2 * max(0, len(self._order) - 1)

    def masks(self) -> Truths:
        """Which features have the explained row's value, (asks, d): those that have joined in the order, then those in
        the reverse one."""
        steps = np.arange(1, len(self._order))[:, None]
        forth = (self._rank >= 0) & (self._rank < steps)
        back = self._rank >= len(self._order) - steps
        return np.concatenate([forth, back])

    def fill(self, found: Floats, start: float, end: float, told: Floats) -> None:
        """The mean marginal contributions over both orders, of the features that differ."""
        half = len(told) // 2
        forth = np.diff(np.concatenate([[start], told[:half], [end]]))
        back = np.diff(np.concatenate([[start], told[half:], [end]]))
        if len(self._order):
            found[self._order] = (forth + back[::-1]) / 2


def _told(ask: Ask, row: Values, background: Values, walks: list[Walk]) -> Floats:
    """The model's answers on all ways, one after the other."""
    asking = [(number, walk.masks()) for number, walk in enumerate(walks) if walk.asks]
    if not asking:
        return np.zeros(0)
    masks = np.concatenate([mask for _, mask in asking])
    which = np.repeat([number for number, _ in asking], [len(mask) for _, mask in asking])
    parts, size = list[Floats](), max(1, CELLS // len(row))
    for at in range(0, len(masks), size):
        mask = masks[at : at + size]
        parts.append(ask(np.where(mask, row, background[which[at : at + size]])))
    return np.concatenate(parts)


CELLS = 1 << 20
"""Values of mixed rows that are in memory at once."""
