"""Is what comes in still distributed as the reference? Effect sizes, and a sequential test, of one vector of counts.

**What is compared.** The bins, nested into at most 10 groups of about equal shares of the reference (`groups`). Values
below and above the reference's range belong to the outermost groups, and categories that it did not have are a group
of their own: they are values. What is missing, NaN or of another type is no value: `monitor.data` judges how often it
comes, and here the distribution of the others is compared, so that one broken column is said once, by its own name.

**The test**: an e-detector by betting, with a tolerance. H0: given the past, each row of a window falls into each set A
of groups with a probability of at most p0(A) + delta; so it is if its distribution lies within total variation delta of
the reference's shares p0. Witnesses A are chosen before a window: the groups with more rows than p0 says, in windows
*before* this one, older ones fading; and, where the bins have an order, its upper and its lower half (`halves`), so
that no window is lost on learning where a shift goes. With q = p0(A) + delta, and k of n rows in A,

    e = (1 + bet·(1 - q))^k · (1 - bet·q)^(n - k),    one for each witness and each bet in {.1, .3, .6}

Proof that E[e | past] <= 1 under H0. Row i brings the factor f_i = 1 + bet·(x_i - q), x_i = 1 in A and 0 elsewhere;
as bet·q < 1 it is positive. A and q are fixed by earlier windows, so, given the past and the rows before it,
E[f_i] = 1 + bet·(P(x_i = 1) - q) <= 1, and by induction the product of all n has an expectation of at most 1. n may
depend on anything but the rows' values. The product depends on k and n only, so pods are added first. ∎
What is made of it, and how many false alarms there are: `monitor.standing`.

**The reference is a sample**, and p0 are its shares. Without any drift H0 holds if delta is at least the largest
difference, over all 2^B sets of B groups, of p0(A) and its true share: by Hoeffding's inequality for each set,

    P(any of them > eps) <= 2^B·exp(-2·m·eps^2),   so   eps = sqrt((B·ln 2 + ln(1/beta)) / (2·m))

has a chance of at most beta to be exceeded (`reference_error`; for 10 groups and beta = 1/1000 that is sqrt(7/m),
a little less than the rule of thumb sqrt(B/m)). Where the tolerance is smaller, it is widened to that, which is said.

**Season.** Where the profile says how far the reference's own windows lay from the whole of it (`Profile.natural`), so
much is tolerated. A window whose own shares are within delta is never evidence, however its rows hang together: with
k/n <= q, as the logarithm is concave, ln e <= n·ln(1 + bet·(k/n - q)) <= 0.

**Rows that come in clusters** (retries, one user's session) say less than their number: with a design effect d > 1, d
rows stand for one independent one, and e is raised to the power 1/d. By Jensen's inequality that keeps E <= 1.

**Effect sizes**, with what chance alone gives taken away (B groups; n and m rows; half a row added to each count):
PSI = sum (q - p)·ln(q/p) has a mean of (B-1)(1/n + 1/m); TV = sum |q - p|/2 has one of
sum sqrt(p(1-p)(1/n + 1/m)/(2 pi)); KS, the largest difference of the sums from the left over all bins, has one of at
most sqrt(pi/2)·ln 2·sqrt(1/n + 1/m), that of a Brownian bridge's largest value. What is left is cut at 0. Below
n = 4(B-1)/threshold rows the mean by chance is over a quarter of PSI's threshold: then nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log, log1p, pi, sqrt

GROUPS = 10
BETS = (0.1, 0.3, 0.6)
MEMORY = 4000.0
"""Rows that are enough to choose a witness: the more a window has, the faster older ones fade."""
_FADE = (0.5, 0.9)
_BRIDGE = sqrt(pi / 2) * log(2)
_HALF = 0.5 - 1e-9
APART = -1
"""Of a place: not compared."""


@dataclass(frozen=True)
class Memory:
    """Of the windows so far, older ones faded."""

    excess: tuple[int, ...] = ()
    """By group: rows more than the reference's share of them. Empty: none yet."""
    rows: int = 0


@dataclass(frozen=True)
class Effects:
    """Between reference and window; what chance alone gives is taken away."""

    psi: float
    tv: float


def groups(counts: Sequence[int], most: int = GROUPS) -> tuple[int, ...]:
    """The group of each bin: neighbours together, of about equal shares of the reference, numbered from 0.

    A bin goes where its middle lies in the running sum, so a large one has a group for itself or nearly so.
    """
    rows, before, found = sum(counts), 0, []
    for count in counts:
        found.append(min(most - 1, (2 * before + count) * most // (2 * rows)) if rows else 0)
        before += count
    numbers = {group: at for at, group in enumerate(dict.fromkeys(found))}
    return tuple(numbers[group] for group in found)


def grouped(vector: Sequence[int], places: Sequence[int]) -> list[int]:
    """Rows by group. places: the group of each place of the vector, or APART."""
    found = [0] * (max(places, default=APART) + 2)
    for count, group in zip(vector, places, strict=True):
        found[group] += count  # APART is the last place, as -1 always is
    return found[:-1]


def reference_error(size: int, rows: float, beta: float) -> float:
    """How far the reference's shares may be from the truth, for any set of `size` groups at once, but for a chance of
    beta. At most 1."""
    return min(1.0, sqrt((size * log(2) - log(beta)) / (2 * rows))) if rows > 0 else 1.0


def least_rows(size: int, threshold: float) -> int:
    """Rows below which nothing is said of a PSI of `threshold`."""
    return int(4 * max(1, size - 1) / threshold) + 1


def halves(shares: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """The upper and the lower groups, each with about half of the reference; none of a single group."""
    middles = [before + share / 2 for before, share in zip((0.0, *accumulate(shares)), shares, strict=False)]
    upper = tuple(group for group, middle in enumerate(middles) if middle >= _HALF)
    lower = tuple(group for group, middle in enumerate(middles) if middle < _HALF)
    return (upper, lower) if upper and lower else ()


def log_es(
    memory: Memory,
    counts: Sequence[int],
    shares: Sequence[float],
    delta: float,
    design_effect: float = 1.0,
    fixed: Sequence[Sequence[int]] = (),
) -> tuple[float, ...] | None:
    """The log e-value of a window, for each witness each of BETS; None: no rows.

    memory: of earlier windows only; counts: rows by group; shares: the reference's; delta: tolerated total variation;
    fixed: witnesses besides the learnt one. A witness that nothing can be bet on brings zeros.
    """
    n = sum(counts)
    if not n:
        return None
    learnt = [group for group, more in enumerate(memory.excess) if more > 0]
    found: list[float] = []
    for witness in (learnt, *fixed):
        q = sum(shares[group] for group in witness) + delta
        if not witness or q >= 1:
            found += (0.0,) * len(BETS)
            continue
        hits = sum(counts[group] for group in witness)
        found += ((hits * log1p(bet * (1 - q)) + (n - hits) * log1p(-bet * q)) / design_effect for bet in BETS)
    return tuple(found)


def remembered(memory: Memory, counts: Sequence[int], shares: Sequence[float]) -> Memory:
    """With one more window in it. Earlier ones fade by .9, or faster, down to .5, where this one has many rows."""
    n = sum(counts)
    if not n:
        return memory
    fade = min(_FADE[1], max(_FADE[0], 1 - n / MEMORY))
    before = memory.excess or (0,) * len(counts)
    excess = [round(fade * was + count - n * share) for was, count, share in zip(before, counts, shares, strict=True)]
    return Memory(tuple(excess), round(fade * memory.rows + n))


def effects(reference: Sequence[float], current: Sequence[float], design_effect: float = 1.0) -> Effects:
    """PSI and TV of two vectors of counts by group, of at least one row each. (KS: `ks`.)"""
    size = len(reference)
    m, n = sum(reference), sum(current)
    noise = design_effect / n + 1 / m
    of_p, of_q = m + 0.5 * size, n + 0.5 * size
    psi = tv = chance = 0.0
    for before, now in zip(reference, current, strict=True):
        p, q = (before + 0.5) / of_p, (now + 0.5) / of_q
        psi += (q - p) * log(q / p)
        tv += abs(q - p)
        chance += sqrt(p * (1 - p))
    return Effects(max(0.0, psi - (size - 1) * noise), max(0.0, tv / 2 - chance * sqrt(noise / (2 * pi))))


def variation(shares: Sequence[float], counts: Sequence[int]) -> float:
    """The total variation between the reference's shares and a window's own, as they are: chance is in it. 0 without
    rows."""
    n = sum(counts)
    return sum(abs(count / n - share) for count, share in zip(counts, shares, strict=True)) / 2 if n else 0.0


def ks(reference: Sequence[int], current: Sequence[int], design_effect: float = 1.0) -> float:
    """The largest difference of the distribution functions, at the edges of bins in order, less what chance gives."""
    m, n = sum(reference), sum(current)
    apart = accumulate(n * a - m * b for a, b in zip(reference, current, strict=True))
    largest = max(map(abs, apart)) / (m * n)
    return max(0.0, largest - _BRIDGE * sqrt(design_effect / n + 1 / m))
