"""Many streams of one profile at once, in numpy: the same drift monitor as `monitor.series`, for a thousand years.

Plain Python folds a few hundred windows a second; 1,000 years of 20 features by the hour are 175 million. A test holds
this one and the product's own against each other, window by window, on streams with and without drift.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fairlead.monitor.drift import BETS, MEMORY
from fairlead.monitor.standing import CALM

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_NOTHING = -7.0


@dataclass
class Twins:
    """So many streams, each with the reference's shares by group."""

    count: int
    shares: Floats
    """By group, of all."""
    reference: int
    """Its rows."""
    delta: float
    bound: float
    halves: tuple[tuple[int, ...], ...] = ()
    log_r: Floats = field(init=False)
    excess: Floats = field(init=False)
    rows: Floats = field(init=False)
    alarmed: Flags = field(init=False)
    calm: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.log_r = np.full((self.count, len(BETS) * (1 + len(self.halves))), -np.inf)
        self.excess = np.zeros((self.count, len(self.shares)))
        self.rows = np.zeros(self.count)
        self.alarmed = np.zeros(self.count, bool)
        self.calm = np.zeros(self.count, np.int64)

    def step(self, counts: Ints) -> Flags:
        """One more window of each, all of as many rows as each other: where an alarm begins. counts: by group."""
        n = int(counts[0].sum())
        witnesses = [self.excess > 0, *(np.isin(np.arange(len(self.shares)), one)[None, :] for one in self.halves)]
        self._bet(counts, n, witnesses)
        evidence = np.logaddexp.reduce(self.log_r, axis=1) - np.log(self.log_r.shape[1])
        self._remember(counts, n)
        fired: Flags = ~self.alarmed & (evidence >= self.bound)
        if fired.any() or self.alarmed.any():
            self._last(counts, n, evidence, fired)
        self.log_r = np.where(self.log_r >= _NOTHING, np.floor(self.log_r * 1e4) / 1e4, -np.inf)
        return fired

    def _bet(self, counts: Ints, n: int, witnesses: list[Flags]) -> None:
        before = np.logaddexp(0.0, self.log_r)
        for at, witness in enumerate(witnesses):
            q = witness @ self.shares + self.delta
            hits = (counts * witness).sum(1)
            able = witness.any(1) & (q < 1)
            safe = np.where(able, q, 0.5)
            for which, bet in enumerate(BETS, at * len(BETS)):
                gained = hits * np.log1p(bet * (1 - safe)) + (n - hits) * np.log1p(-bet * safe)
                self.log_r[:, which] = np.where(able, gained, 0.0) + before[:, which]

    def _remember(self, counts: Ints, n: int) -> None:
        fade = min(0.9, max(0.5, 1 - n / MEMORY))
        self.excess = np.rint(fade * self.excess + counts - n * self.shares)
        self.rows = np.rint(fade * self.rows + n)

    def _last(self, counts: Ints, n: int, evidence: Floats, fired: Flags) -> None:
        """Alarms that began, and those that end."""
        on = self.alarmed | fired
        well = (self._tv(counts, n) <= self.delta) & (evidence < self.bound / 2)
        self.calm = np.where(on, np.where(well, self.calm + 1, 0), self.calm)
        done = on & (self.calm >= CALM)
        over = np.maximum(0.0, evidence - self.bound)
        self.log_r = np.where(on[:, None], self.log_r - over[:, None], self.log_r)
        self.log_r[done] = -np.inf
        self.calm[done] = 0
        self.alarmed = on & ~done

    def _tv(self, counts: Ints, n: int) -> Floats:
        size, m = len(self.shares), self.reference
        noise = 1 / n + 1 / m
        p = (self.shares * m + 0.5) / (m + 0.5 * size)
        q = (counts + 0.5) / (n + 0.5 * size)
        chance = np.sqrt(p * (1 - p)).sum() * np.sqrt(noise / (2 * np.pi))
        found: Floats = np.maximum(0.0, np.abs(q - p).sum(1) / 2 - chance)
        return found
