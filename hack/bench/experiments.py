"""Experiments by simulation: how often the wrong version wins, and what a bandit saves. No cluster is needed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi, sin

import numpy as np

from fairlead.plan.deployment.experiment.shares import FLOOR, STEP
from fairlead.verdict import arms, bandit
from fairlead.verdict.arms import Trials
from hack.bench.report import keep, quantile, table

Rng = np.random.Generator
CONFIDENCE, USERS, SHARE = 0.95, 900, 60
"""Users of a window; percent of them for all candidates."""
WRONG = ["what", "experiments", "wrong", "share"]
REGRET = ["rates, the live version's first", "allocation", "experiments", "best one won", "users, median",
          "lost successes, mean", "lost of 1,000 users"]  # fmt: skip


@dataclass
class Run:
    """What came of one experiment."""

    winner: str = ""
    users: int = 0
    lost: float = 0.0
    """Successes that the best version would have had besides."""


def simulate(
    rng: Rng, rates: Sequence[float], windows: int, *, allocation: str = "Equal", swing: float = 0.0, least: int = 1000,
    users: int = USERS,
) -> Run:  # fmt: skip
    """Windows until somebody wins, or all of them. rates: of successes, the live version's first; swing: by how much
    all of them go up and down together; least: trials before which nobody is judged."""
    names = [f"v{i}" for i in range(len(rates))]
    shares = bandit.whole([100.0 - SHARE, *[SHARE / (len(rates) - 1)] * (len(rates) - 1)])
    sums, evidence, run = [Trials()] * len(rates), {}, Run()
    at = arms.bound(CONFIDENCE, len(rates))
    worse: dict[str, str] = {}
    for window in range(windows):
        now = np.array(rates) * (1 + swing * sin(2 * pi * window / 24))
        alive = [i for i, name in enumerate(names) if allocation == "Equal" or name not in worse or i == 0]
        counts = rng.multinomial(rng.poisson(users), [shares[i] / 100 for i in range(len(rates))])
        seen = {names[i]: Trials(int(counts[i]), int(rng.binomial(counts[i], now[i]))) for i in alive}
        evidence = arms.step(evidence, seen)
        sums = [have + seen.get(name, Trials()) for have, name in zip(sums, names, strict=True)]
        run.users += int(counts.sum())
        run.lost += float(counts @ (now.max() - now))
        known = [name for name, one in zip(names, sums, strict=True) if one.total >= least]
        worse |= arms.worse(evidence, known, at)
        if len(worse) == len(names) - 1:
            run.winner = next(name for name in names if name not in worse)
            return run
        if allocation == "Bandit" and window % 6 == 5:
            shares = _moved(names, sums, shares, worse)
    return run


def _moved(names: Sequence[str], sums: Sequence[Trials], shares: Sequence[int], worse: dict[str, str]) -> list[int]:
    """A bandit's next shares, as the operator finds them."""
    part = [i for i, name in enumerate(names) if i == 0 or name not in worse]
    had = bandit.whole([100.0 * shares[i] / sum(shares[j] for j in part) for i in part])
    chances = [one.best for one in bandit.standings([sums[i] for i in part])]
    found = dict(zip(part, bandit.moved(chances, had, SHARE, FLOOR, STEP), strict=True))
    return [found.get(i, 0) for i in range(len(names))]


def wrong(rng: Rng, experiments: int) -> tuple[list[list[object]], bool]:
    """How often a version wins that is in truth no better (all alike), or worse."""
    studies: list[tuple[str, Callable[[], Run], set[str]]] = [
        ("3 versions alike, 5 %", lambda: simulate(rng, [0.05] * 3, 20), {"v0", "v1", "v2"}),
        ("3 alike, rates swing by 50 %", lambda: simulate(rng, [0.05] * 3, 20, swing=0.5), {"v0", "v1", "v2"}),
        ("2 alike", lambda: simulate(rng, [0.05] * 2, 20), {"v0", "v1"}),
        ("the second one better by a tenth", lambda: simulate(rng, [0.05, 0.055, 0.05], 20), {"v0", "v2"}),
        ("3 alike, bandit, rates swing", lambda: simulate(rng, [0.05] * 3, 20, swing=0.5, allocation="Bandit"),
         {"v0", "v1", "v2"}),
    ]  # fmt: skip
    rows: list[list[object]] = []
    for name, run, bad in studies:
        false = sum(run().winner in bad for _ in range(experiments))
        rows.append([name, experiments, false, f"{100 * false / experiments:.2f} %"])
    return rows, all(int(str(row[2])) <= (1 - CONFIDENCE) * experiments for row in rows)


def regret(rng: Rng, experiments: int) -> tuple[list[list[object]], bool]:
    """What is lost until the best one has won: equal shares against a bandit's, which must cost each user less."""
    rows: list[list[object]] = []
    cost: dict[tuple[int, str], float] = {}
    for number, rates in enumerate(([0.05, 0.05, 0.06], [0.05, 0.07, 0.03], [0.05, 0.055, 0.06, 0.04, 0.045])):
        for allocation in ("Equal", "Bandit"):
            runs = [simulate(rng, rates, 120, allocation=allocation) for _ in range(experiments)]
            best = f"v{int(np.argmax(rates))}"
            cost[number, allocation] = 1000 * sum(run.lost for run in runs) / sum(run.users for run in runs)
            rows.append([
                ", ".join(f"{100 * rate:g} %" for rate in rates), allocation, experiments,
                f"{100 * sum(run.winner == best for run in runs) / experiments:.0f} %",
                quantile([run.users for run in runs], 0.5), round(float(np.mean([run.lost for run in runs]))),
                round(cost[number, allocation], 1),
            ])  # fmt: skip
    return rows, all(cost[number, "Bandit"] <= cost[number, "Equal"] for number in range(3))


def main(arguments: list[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    parser.add_argument("--experiments", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began, rng = time.monotonic(), np.random.default_rng(options.seed)
    kept, met = {}, True
    for title, study, count, head in (
        (f"Wrong winners, confidence {CONFIDENCE:.0%}", wrong, options.experiments, WRONG),
        ("Until the best one has won", regret, max(1, options.experiments // 50), REGRET),
    ):
        rows, good = study(rng, count)
        table(title, rows, head)
        kept[title], met = rows, met and good
    keep("experiments", kept)
    print(f"targets {'met' if met else 'MISSED'} in {time.monotonic() - began:.0f} s")
    return 0 if met else 1
