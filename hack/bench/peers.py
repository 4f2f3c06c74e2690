"""The same traffic, judged by fixed thresholds that are checked again and again, and by Fairlead's test.

The thresholds are those of Flagger's and Argo Rollouts' documentation (a share of successful requests of the candidate,
over the last interval; so many failed checks end the rollout), as they are written there and in the fastest form that
the tools take: what they would do on these counts, not what they did. What they did on a cluster is in
docs/explanation/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, step
from hack.bench.report import quantile

Rng = np.random.Generator
SECONDS = 1800
WEIGHT = 0.1


@dataclass(frozen=True)
class Threshold:
    """A success rate that is checked at intervals."""

    interval: int
    """Seconds between checks; each looks at the requests since the last one."""
    least: float
    """Share of requests that must succeed."""
    allowed: int
    """Failed checks that end nothing yet."""

    def ends(self, _stable: np.ndarray, candidate: np.ndarray) -> int | None:
        """The second at which the rollout is taken back, or None. Arrays: (seconds, 2), requests and failures. An
        interval without requests is no failed check."""
        failed = 0
        for end in range(self.interval, SECONDS + 1, self.interval):
            requests, failures = candidate[end - self.interval : end].sum(axis=0)
            failed += bool(requests) and 1 - failures / requests < self.least
            if failed > self.allowed:
                return end
        return None


@dataclass(frozen=True)
class Evidence:
    """Test A, a window a second."""

    alpha: float

    def ends(self, stable: np.ndarray, candidate: np.ndarray) -> int | None:
        """As above."""
        state = GuardState()
        for second in range(SECONDS):
            arms = (Arm(int(n), int(k)) for n, k in (stable[second], candidate[second]))
            state = step(state, Window(*arms))
            if state.log_evidence >= log_bound(self.alpha):
                return second + 1
        return None


JUDGES: dict[str, Threshold | Evidence] = {
    "Flagger, tutorial: 99 %, 1 min, threshold 5": Threshold(60, 0.99, 4),
    "Flagger, fastest: 99 %, 10 s, threshold 1": Threshold(10, 0.99, 0),
    "Argo Rollouts, documentation: 95 %, 5 min, failureLimit 3": Threshold(300, 0.95, 3),
    "Argo Rollouts, fast: 95 %, 10 s, failureLimit 0": Threshold(10, 0.95, 0),
    "Fairlead, falseAlarms 1 %": Evidence(0.01),
}
TRAFFIC: list[tuple[str, float, float, float]] = [
    ("healthy, 2 %, 100/s", 100, 0.02, 0.02),
    ("healthy, 2 %, 10/s", 10, 0.02, 0.02),
    ("healthy, 0.5 %, 10/s", 10, 0.005, 0.005),
    ("2 → 20 %, 100/s", 100, 0.02, 0.2),
    ("2 → 6 %, 100/s", 100, 0.02, 0.06),
    ("0.1 → 1 %, 100/s", 100, 0.001, 0.01),
]


def served(rng: Rng, rate: float, failing: float, share: float) -> np.ndarray:
    """(seconds, 2): requests and failures of an arm; the load swings by half in five minutes."""
    load = rate * share * (1 + 0.5 * np.sin(np.arange(SECONDS) * 2 * np.pi / 300))
    requests = rng.poisson(load)
    return np.stack([requests, rng.binomial(requests, failing)], axis=1)


def compared(rng: Rng, rollouts: int) -> tuple[list[list[object]], bool]:
    """Rows (judge, then per traffic the share taken back and the median second), and whether healthy ones that Fairlead
    took back are at most 1 % of all, as far as so few can tell."""
    rows: list[list[object]] = []
    good = True
    worlds = [
        [(served(rng, rate, p, 1 - WEIGHT), served(rng, rate, q, WEIGHT)) for _ in range(rollouts)]
        for _, rate, p, q in TRAFFIC
    ]
    for name, judge in JUDGES.items():
        cells: list[object] = []
        for (_, _, p, q), world in zip(TRAFFIC, worlds, strict=True):
            ends = [end for end in (judge.ends(*arms) for arms in world) if end is not None]
            cells.append(cell(ends, rollouts))
            good &= not (isinstance(judge, Evidence) and p == q) or len(ends) <= most(rollouts)
        rows.append([name, *cells])
    return rows, good


def cell(ends: list[int], rollouts: int) -> str:
    """`37 %` taken back, and the median second."""
    share = f"{100 * len(ends) / rollouts:.3g} %"
    return f"{share}, {quantile(ends, 0.5):.0f} s" if ends else share


def most(rollouts: int) -> float:
    """How many of so many healthy rollouts may be taken back at 1 %, with three standard deviations of chance."""
    mean = 0.01 * rollouts
    return mean + 3 * mean**0.5


PART: tuple[str, Callable[[Rng, int], tuple[list[list[object]], bool]], list[str]] = (
    f"Taken back within {SECONDS // 60} min at {WEIGHT:.0%} weight, and the median second",
    compared, ["judged by", *(words for words, *_ in TRAFFIC)],
)  # fmt: skip
