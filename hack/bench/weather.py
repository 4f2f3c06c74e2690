"""A year of traffic in which the world changes and the versions don't: the truth for studies of what comes after a
promotion.

Each truth gives, for stretches of 5 s, the load (1 is the mean) and the share of bad answers of *every* version at that
moment: whoever is taken back in such a year was taken back for the weather.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

Rng = np.random.Generator
Floats = np.ndarray
"""One number a stretch."""
BLOCK = 5
"""Seconds of a stretch."""
MINUTE, HOUR, DAY = 60 // BLOCK, 3600 // BLOCK, 86400 // BLOCK
"""In stretches."""
YEAR = 365 * DAY


@dataclass(frozen=True)
class Weather:
    """What is true, stretch by stretch, and what the live version was asked and did."""

    requests: Floats
    live: Floats
    """The live version's share of bad answers."""
    before: Floats
    """The same of the version before."""
    bad: Floats
    """The live version's bad answers if it gets all requests."""


Truth = Callable[[Rng, int], tuple[Floats, Floats]]
"""(load, share of bad answers) for so many stretches."""


def made(rng: Rng, load: Floats, live: Floats, before: Floats, per_second: float) -> Weather:
    """Requests by Poisson's law, each answered badly by itself."""
    requests = rng.poisson(per_second * BLOCK * load)
    return Weather(requests, live, before, rng.binomial(requests, live))


def year(rng: Rng, truth: Truth, per_second: float, blocks: int = YEAR) -> Weather:
    """Both versions are equally good at each moment."""
    load, rate = truth(rng, blocks)
    return made(rng, load, rate, rate, per_second)


# --- truths --------------------------------------------------------------------------------------------------------


def still(_rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Nothing ever changes."""
    return np.ones(blocks), np.full(blocks, 0.02)


def alike(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Errors wander about 2 %: minutes are like the minutes before (10 min), and so are hours (6 h)."""
    return np.ones(blocks), _share(0.02, _wander(rng, blocks, 10 * MINUTE, 0.4) + _wander(rng, blocks, 6 * HOUR, 0.6))


def seasons(_rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Load and errors have a day and a week."""
    at = np.arange(blocks)
    day, week = np.sin(2 * np.pi * at / DAY), np.sin(2 * np.pi * at / (7 * DAY))
    return 1 + 0.6 * day + 0.2 * week, _share(0.02, 0.8 * day + 0.5 * week)


def bursts(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """What came of the demo's answers: 10 to 37 % are wrong by the minute, and every 20 minutes or so comes a bad run
    of half a minute to two minutes, 30 to 55 % in stretches of 15 s."""
    rate = _share(0.16, _wander(rng, blocks, 2 * MINUTE, 0.35))
    for begin in _moments(rng, blocks, 20 * MINUTE):
        for at in range(begin, begin + int(rng.integers(2, 9)) * 3, 3):
            rate[at : at + 3] = rng.uniform(0.3, 0.55)
    return np.ones(blocks), rate


def steps(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Every three days or so something else is normal, between 0.1 and 10 %."""
    rate = np.full(blocks, 0.02)
    for begin in _moments(rng, blocks, 3 * DAY):
        rate[begin:] = 10 ** rng.uniform(-3, -1)
    return np.ones(blocks), rate


def outages(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Twice a week something that every version needs is away for a quarter of an hour: 20 to 80 % fail."""
    rate = np.full(blocks, 0.02)
    for begin in _moments(rng, blocks, 3.5 * DAY):
        rate[begin : begin + 1 + int(rng.exponential(15 * MINUTE))] = rng.uniform(0.2, 0.8)
    return np.ones(blocks), rate


def busy(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    """Slow answers: 5 % on average, more with the day's load, and a machine that is slow for an hour every two days."""
    load, slow = _crowds(rng, blocks)
    return load, _share(0.05, 1.5 * np.log(load) + slow)


def uneven(rng: Rng, per_second: float, blocks: int = YEAR) -> Weather:
    """The same where the pods of the version before have less to do than the live one's, by three tenths: it is no
    better, and yet its answers are faster."""
    load, slow = _crowds(rng, blocks)
    live, before = (_share(0.05, 1.5 * np.log(load * part) + slow) for part in (1.0, 0.7))
    return made(rng, load, live, before, per_second)


def _crowds(rng: Rng, blocks: int) -> tuple[Floats, Floats]:
    day = np.sin(2 * np.pi * np.arange(blocks) / DAY)
    slow = np.zeros(blocks)
    for begin in _moments(rng, blocks, 2 * DAY):
        slow[begin : begin + HOUR] = rng.uniform(0.5, 2.0)
    return np.exp(0.5 * day + _wander(rng, blocks, 5 * MINUTE, 0.3)), slow


def becomes(rng: Rng, per_second: float, rates: tuple[float, float], after: int, blocks: int) -> Weather:
    """Steady weather; the live version becomes worse after so many stretches. rates: before and then."""
    live = np.full(blocks, rates[0])
    live[after:] = rates[1]
    return made(rng, np.ones(blocks), live, np.full(blocks, rates[0]), per_second)


TRUTHS: list[tuple[str, Truth, dict[str, float]]] = [
    ("still: 2 %, always", still, {}), ("autocorrelated", alike, {}), ("day and week", seasons, {}),
    ("bursty, `worseBy: 3%`", bursts, {"worse_by": 0.03}), ("another normal every 3 days", steps, {}),
    ("outages that every version has", outages, {}), ("latency that rises with load", busy, {"share": 0.5}),
]  # fmt: skip
"""(words, truth, what the rules say of it); about latency is asked with half of the requests."""


def _share(middle: float, by: Floats) -> Floats:
    """A share whose log odds lie so far from those of the middle."""
    return 1 / (1 + (1 - middle) / middle * np.exp(-by))


def _wander(rng: Rng, blocks: int, memory: int, spread: float) -> Floats:
    """A normal process around 0 that forgets: correlation exp(-distance/memory), from minute to minute."""
    kept = np.exp(-MINUTE / memory)
    noise = rng.standard_normal(-(-blocks // MINUTE)) * spread
    noise[1:] *= np.sqrt(1 - kept**2)
    return np.repeat(lfilter([1.0], [1.0, -kept], noise), MINUTE)[:blocks]


def _moments(rng: Rng, blocks: int, every: float) -> list[int]:
    """When something begins that comes at random, so often on average."""
    return sorted(rng.integers(0, blocks, rng.poisson(blocks / every)).tolist())
