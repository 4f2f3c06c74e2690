"""Real harm asks whether the version before is better on the same requests: which answers, after how many labels.

`u` is what one request lost more with the live version than with the one before. Batches of labels come one after the
other, and after each it is looked what has been shown.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import log

import numpy as np

from fairlead.monitor.question import ENOUGH, SURE
from fairlead.verdict.confirm import part
from fairlead.verdict.failures import log_bound
from fairlead.verdict.pairs import STAKES
from hack.bench.published import Floats
from hack.bench.report import keep, quantile, table

MARGIN = 0.02
ALPHA = part(0.01, 1, 1)
"""Of the first question, with 1 % of `falseAlarms`."""
BATCH, BATCHES = 100, 200
Row = list[object]
Rng = np.random.Generator


@dataclass(frozen=True)
class World:
    """live, before: shares of wrong answers; disagree: share of requests of which exactly one is wrong; cluster:
    requests in a row that go the same way; effect: the design effect that is set."""

    words: str
    live: float
    before: float
    disagree: float
    cluster: int = 1
    effect: float = 1.0
    spread: float = 0.0
    """Of a difference of losses of numbers that is drawn from a normal distribution instead."""


WORLDS = (
    World("both as good as ever", 0.10, 0.10, 0.05),
    World("concept drift: both equally bad, and alike", 0.30, 0.30, 0.05),
    World("both equally bad, each in its own way", 0.30, 0.30, 0.25),
    World("the one before is better by 1 point", 0.20, 0.19, 0.10),
    World("by 3 points", 0.20, 0.17, 0.10),
    World("by 10 points", 0.20, 0.10, 0.20),
    World("by 30 points: a bug in the data of the live one", 0.40, 0.10, 0.35),
    World("it is worse by 3 points", 0.17, 0.20, 0.10),
    World("numbers: alike, scatter of .1", 0, 0, 0, spread=0.1),
    World("numbers: better by 3 points", 0.03, 0, 0, spread=0.1),
    World("equally bad; 20 in a row go the same way, design effect 20", 0.30, 0.30, 0.25, 20, 20.0),
    World("the same, with no design effect set", 0.30, 0.30, 0.25, 20),
)


def drawn(rng: Rng, world: World, runs: int) -> Floats:
    """Differences, by run and request."""
    size = (runs, BATCHES * BATCH // world.cluster)
    if world.spread:
        return np.clip(rng.normal(world.live - world.before, world.spread, size), -1, 1)
    chance, more = rng.random(size), world.live - world.before
    u = np.where(chance < (world.disagree + more) / 2, 1.0, np.where(chance < world.disagree, -1.0, 0.0))
    return u.repeat(world.cluster, axis=1)


def first(u: Floats, paid: str, bound: float, effect: float) -> Floats:
    """The batch after which it is shown, from 1; infinite: never."""
    logs = []
    for stake in STAKES:
        one = np.log1p(stake * u) if paid == "better" else np.log1p(stake * (MARGIN - u) / (1 - MARGIN))
        logs.append(one.reshape(len(u), BATCHES, BATCH).sum(axis=2).cumsum(axis=1) / effect)
    top = np.max(logs, axis=0)
    shown = top + np.log(np.mean(np.exp(np.stack(logs) - top), axis=0)) >= bound
    return np.where(shown.any(axis=1), shown.argmax(axis=1) + 1.0, np.inf)


def outcomes(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """All worlds."""
    assert BATCH >= ENOUGH
    rows, good = [], True
    for world in WORLDS:
        better, other = np.zeros(0), np.zeros(0)
        for _ in range(0, runs, 100):  # some at a time: each takes memory
            u = drawn(rng, world, min(100, runs))
            better = np.append(better, first(u, "better", log_bound(ALPHA), world.effect))
            other = np.append(other, first(u, "not better", log(1 / SURE), world.effect))
        back, changed = (better <= other) & np.isfinite(better), other < better
        when = np.minimum(better, other) * BATCH
        half, most = (quantile(when.tolist(), q) for q in (0.5, 0.9))
        rows.append([world.words, len(better), float(back.mean()), float(changed.mean()), half, most])
        bounded = world.effect >= world.cluster
        good &= not bounded or world.live > world.before or float(back.mean()) <= 2 * ALPHA
    return rows, good


def main(arguments: list[str]) -> int:
    """Print the table; 1 if more is rolled back than is declared."""
    parser = argparse.ArgumentParser(prog="python -m hack.bench monitors question", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    args = parser.parse_args(arguments)
    rows, good = outcomes(np.random.default_rng(1), args.runs)
    head = ["world", "questions", "rolled back", "world changed", "labels, median", "90 %"]
    table("would the version before have done better?", rows, head)
    keep("monitors-question", {"rows": rows, "good": good})
    return 0 if good else 1
