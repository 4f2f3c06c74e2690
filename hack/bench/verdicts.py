"""How often a rollout is judged wrongly, and how soon rightly, by simulation. No cluster is needed.

Healthy rollouts (both arms fail equally often) with all that a rollout meets: weights that change from step to step,
load that comes and goes, windows without a request, failure rates that rise for both arms at once, pods that start
anew, and an operator that is killed and goes on from the strings in the status. Then bad candidates.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import comb, exp, log, pi, sin

import numpy as np

from fairlead.verdict import failures, split
from fairlead.verdict.counters import advance_all
from fairlead.verdict.guards import Arm, GuardState, Window, decode_all, divide, encode_all, step
from hack.bench import peers, studies, values
from hack.bench.report import keep, quantile, table

WEIGHTS = (0.05, 0.25, 0.5)
WINDOWS = 90

Rng = np.random.Generator


@dataclass
class Pod:
    """A server's counters as the operator reads them."""

    values: tuple[float, float] = (0.0, 0.0)
    cursor: tuple[float, ...] = (0.0, 0.0)

    def answer(self, rng: Rng, requests: int, rate: float) -> None:
        """Serve some requests."""
        self.values = (self.values[0] + requests, self.values[1] + float(rng.binomial(requests, rate)))

    def restart(self) -> None:
        """The process begins anew, as another source: it is counted from zero, and what the old one counted since the
        last look is lost with it."""
        self.values = self.cursor = (0.0, 0.0)

    def look(self) -> Arm:
        """What was added since the last look."""
        seen = advance_all(self.cursor, self.values)
        self.cursor = seen.cursor
        return Arm(*seen.deltas)


@dataclass
class Rollout:
    """One simulated rollout."""

    rng: Rng
    base: float
    worse: float = 1.0
    """The candidate's failure rate over the live version's."""
    load: float = 100.0
    stable: list[Pod] = field(default_factory=lambda: [Pod(), Pod()])
    candidate: list[Pod] = field(default_factory=lambda: [Pod()])

    def window(self, index: int) -> Window:
        """A second of traffic, and a look at the counters."""
        weight = WEIGHTS[min(len(WEIGHTS) - 1, index * len(WEIGHTS) // WINDOWS)]
        day = self.load * (1 + 0.8 * sin(2 * pi * index / 40))
        requests = 0 if self.rng.random() < 0.1 else int(self.rng.poisson(day))
        rate = min(0.9, self.base * (5 if 30 <= index < 40 else 1))
        share = int(self.rng.binomial(requests, weight))
        self._serve(self.stable, requests - share, rate)
        self._serve(self.candidate, share, min(0.9, rate * self.worse))
        return Window(self._look(self.stable), self._look(self.candidate))

    def _serve(self, pods: list[Pod], requests: int, rate: float) -> None:
        for pod, part in zip(pods, self.rng.multinomial(requests, [1 / len(pods)] * len(pods)), strict=True):
            if self.rng.random() < 0.01:
                pod.restart()
            pod.answer(self.rng, int(part), rate)

    @staticmethod
    def _look(pods: list[Pod]) -> Arm:
        return sum((pod.look() for pod in pods), Arm())


def restarted(state: GuardState) -> GuardState:
    """The state as an operator that was killed reads it back from the status."""
    return GuardState(
        state.odds, decode_all(encode_all(state.log_lr)), state.stable, state.candidate, state.windows
    )  # fmt: skip


def rolled_back(rollout: Rollout, alpha: float, odds: float = 1.0) -> bool:
    """Whether any window of the rollout shows harm; each tenth window the operator is killed."""
    state = GuardState(odds=odds)
    for index in range(WINDOWS):
        state = step(state, rollout.window(index))
        if index % 10 == 9:
            state = restarted(state)
        if state.log_evidence >= failures.log_bound(alpha):
            return True
    return False


def healthy(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows (what, alpha, rollouts, rolled back, share), and whether each share is at most alpha."""
    rows: list[list[object]] = []
    good = True
    for alpha in (0.05, 0.01):
        for words, odds, worse, guards in (
            ("equal arms", 1.0, 1.0, 1), ("at the margin's edge, worseBy 1 %", None, 1.5, 1),
            ("equal arms, 3 independent guards", 1.0, 1.0, 3),
        ):  # fmt: skip
            base = 0.02
            tolerated = failures.odds_ratio(base, 0.01) if odds is None else odds
            found = sum(
                any(rolled_back(Rollout(rng, base, worse), divide(alpha, guards), tolerated) for _ in range(guards))
                for _ in range(rollouts)
            )
            rows.append([words, alpha, rollouts, found, found / rollouts])
            good &= found / rollouts <= alpha
    return rows, good


def until_harm(rng: Rng, rates: tuple[float, float], alpha: float, limit: int = 200) -> int:
    """Windows of 90 + 10 requests until harm is shown."""
    state = GuardState()
    for number in range(1, limit + 1):
        arms = (Arm(n, int(rng.binomial(n, p))) for n, p in zip((90, 10), rates, strict=True))
        state = step(state, Window(*arms))
        if state.log_evidence >= failures.log_bound(alpha):
            return number
    return limit


def until_known(rng: Rng, rates: tuple[float, float], alpha: float, limit: int = 200) -> int:
    """The same for a test that knows the true odds ratio beforehand: nothing can be much faster."""
    (p, q), gained = rates, 0.0
    psi = q / (1 - q) * (1 - p) / p
    for number in range(1, limit + 1):
        stable, candidate = int(rng.binomial(90, p)), int(rng.binomial(10, q))
        gained += _log_lr_of(candidate, stable + candidate, psi)
        if gained >= failures.log_bound(alpha):
            return number
    return limit


def _log_lr_of(x: int, k: int, psi: float) -> float:
    weights = [_log_weight(j, k) for j in range(min(k, 10) + 1)]
    top = max(weights)
    under = [sum(exp(w - top) * odds**j for j, w in enumerate(weights)) for odds in (psi, 1.0)]
    return x * log(psi) - log(under[0] / under[1])


def _log_weight(j: int, k: int) -> float:
    return log(comb(10, j) * comb(90, k - j))


def harmful(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows of windows until harm is shown, and whether each median is as low as stated.

    For the threefold rate, 12 windows are the median of a test that knows the odds ratio; the grid, which does not,
    costs about 3 more.
    """
    rows: list[list[object]] = []
    good = True
    for rates, alpha, most in (((0.02, 0.2), 0.05, 2), ((0.02, 0.2), 0.01, 3), ((0.02, 0.06), 0.05, 16)):
        found = [until_harm(rng, rates, alpha) for _ in range(rollouts)]
        known = [until_known(rng, rates, alpha) for _ in range(rollouts)]
        half = quantile(found, 0.5)
        rows.append([f"{rates[0]:.0%} → {rates[1]:.0%}", alpha, rollouts, half, most, quantile(found, 0.95),
                     max(found), quantile(known, 0.5)])  # fmt: skip
        good &= half <= most
    return rows, good


def divided(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Test B: how often a split as asked is doubted, and how soon a wrong one is found."""
    asked = (0.9, 0.1)

    def requests(share: float, bound: float, limit: int) -> int:
        counts = np.zeros(2, dtype=int)
        for total in range(100, limit + 1, 100):
            counts += rng.multinomial(100, [1 - share, share])
            if split.log_e((int(counts[0]), int(counts[1])), asked) >= bound:
                return total
        return 0

    rows: list[list[object]] = []
    good = True
    for alpha in (0.05, 0.01):
        bound = failures.log_bound(alpha)
        doubted = sum(requests(0.1, bound, 20_000) > 0 for _ in range(rollouts))
        rows.append(["10 % asked, 10 % got", alpha, rollouts, doubted / rollouts, "≤ alpha"])
        for share in (0.12, 0.15, 0.2):
            found = [requests(share, bound, 50_000) for _ in range(max(1, rollouts // 10))]
            rows.append([f"10 % asked, {share:.0%} got", alpha, len(found), float(quantile(found, 0.5)), "requests"])
        good &= doubted / rollouts <= alpha
    return rows, good


def main(arguments: list[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="verdicts", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began, rng = time.monotonic(), np.random.default_rng(options.seed)
    parts: list[tuple[str, Callable[[Rng, int], tuple[list[list[object]], bool]], list[str]]] = [
        ("Healthy rollouts that are rolled back", healthy, ["what", "alpha", "rollouts", "rolled back", "share"]),
        ("Windows (90 + 10 requests) until harm is shown", harmful,
         ["rates", "alpha", "rollouts", "median", "at most", "p95", "worst", "median if the odds were known"]),
        studies.PART, *values.PARTS,
        peers.PART,
        ("The split", divided, ["what", "alpha", "rollouts", "result", ""]),
    ]  # fmt: skip
    kept, met = {}, True
    for title, simulate, head in parts:
        rows, good = simulate(rng, options.rollouts // 10 if simulate is peers.compared else options.rollouts)
        table(title, rows, head)
        kept[title], met = rows, met and good
    keep("verdicts", kept)
    print(f"targets {'met' if met else 'MISSED'} in {time.monotonic() - began:.0f} s")
    return 0 if met else 1
