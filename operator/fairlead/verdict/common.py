"""A common cause: does the live version fail more than it used to, at the same time? Then a step must not be left.

Test A compares the versions with each other, so an upstream fault that hits both is no harm. But it is no good time to
judge either: what is proven during an outage is proven for an outage. The live version alone is watched by the detector
of `verdict.detector` against what it had counted before the rollout: twice its failure rate then (an upper bound of
it), and at least a percentage point more, is tolerated. The mean time to a false freeze is at least 10,000 windows, and
a freeze ends by itself: counted anew since the alarm, the evidence must speak for the usual rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.verdict import detector
from fairlead.verdict.detector import Detector
from fairlead.verdict.guards import Arm

ALPHA = 1e-4
ENOUGH = 300
"""Requests that the live version must have answered before the rollout: with fewer, nothing is known of its rate."""
AGAIN = 100
"""Requests after which a common cause may be found to be over."""
LEAST = 0.01
"""Share of requests by which the rate may always rise."""
_MOST = 0.99


@dataclass(frozen=True)
class CommonState:
    """What is known of the live version alone."""

    tolerated: float = 0.0
    """Its share of failures up to which nothing is wrong; 0: not known, and nothing is tested."""
    detector: Detector = field(default_factory=Detector)
    requests: int = 0
    """Since the detector began (anew)."""
    worse: bool = False

    @property
    def log_evidence(self) -> float:
        """Log evidence that the live version fails more than it used to."""
        return self.detector.log_evidence


def begin(before: Arm) -> CommonState:
    """From what the live version had counted before the rollout. Nothing is tested after too little, or where hardly
    anything did not fail: it can't become worse, and what shall replace it must not wait for that."""
    if before.requests < ENOUGH or before.failures >= before.requests:
        return CommonState()
    rate = detector.tolerated(before.failures, before.requests, 0.0, ALPHA)
    if rate >= _MOST:
        return CommonState()
    return CommonState(min(rate + max(before.failures / before.requests, LEAST), _MOST))


def step(state: CommonState, live: Arm) -> CommonState:
    """The state after one more window of the live version. Raises ValueError for counts that can't be."""
    if not state.tolerated or not live.requests:
        return state
    seen = detector.one_arm(state.detector, live.failures, live.requests, state.tolerated)
    requests = state.requests + live.requests
    if detector.alarm(seen, ALPHA):
        return CommonState(state.tolerated, Detector(), 0, worse=True)
    over = state.worse and requests >= AGAIN and seen.log_evidence < 0
    return CommonState(state.tolerated, seen, requests, worse=state.worse and not over)
