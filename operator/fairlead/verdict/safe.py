"""The safe test: test A's mirror image. Is it shown that the candidate's odds of failing are below a margin?

The null hypothesis is harm: the odds ratio is psi1 or more in every window. For psi below psi1 the likelihood ratio
P(x; psi)/P(x; psi1) of Fisher's non-central hypergeometric distribution (see `verdict.failures`) falls with x, and a
larger true odds ratio makes larger x likelier; so its expectation is 1 at psi1 and at most 1 above. The product over
windows is a supermartingale under the whole null, and so is the mean over a grid of psi. By Ville's inequality a
candidate whose odds ratio is psi1 or more is ever called safe with probability at most alpha.

For a margin that is a difference of rates instead of an odds ratio, see `verdict.difference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from fairlead.verdict.failures import informative, log_normaliser

GRID = (0.5, 0.8, 1.0, 1.25)
"""Odds ratios of a candidate that is safe: better, as good as the live version, and a little worse."""


def grid_below(psi1: float) -> tuple[float, ...]:
    """The odds ratios of `GRID` below psi1; where none is, `GRID`'s first two times psi1."""
    if not 0 < psi1 < float("inf"):
        raise ValueError(f"an odds ratio is a positive number, not {psi1}")
    return tuple(psi for psi in GRID if psi < psi1) or tuple(psi * psi1 for psi in GRID[:2])


def log_lr_safe(
    x: int, n_c: int, n_s: int, k: int, psi1: float, grid: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Log likelihood ratio of psi against psi1, for each psi of the grid.

    x: failures of the candidate; n_c, n_s: requests of candidate and live version; k: failures of both; psi1: the
    smallest odds ratio that is harmful; grid: odds ratios in (0, psi1), `grid_below(psi1)` unless given. Add up over
    windows; safe when `failures.log_mean` of the sums reaches `failures.log_bound`. A window that can't tell the arms
    apart gives zeros. Raises ValueError for counts or odds ratios that can't be.
    """
    chosen = grid_below(psi1) if grid is None else tuple(grid)
    if not chosen or not 0 < psi1 < float("inf") or not all(0 < psi < psi1 for psi in chosen):
        raise ValueError(f"need odds ratios between 0 and the margin {psi1}, not {chosen}")
    if not informative(x, n_c, n_s, k):
        return (0.0,) * len(chosen)
    base = log_normaliser(n_c, n_s, k, psi1)
    return tuple(x * log(psi / psi1) - (log_normaliser(n_c, n_s, k, psi) - base) for psi in chosen)
