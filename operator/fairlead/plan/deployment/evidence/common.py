"""The live version alone, between its form in status and the one that the statistics use."""

from __future__ import annotations

from fairlead.api.evidence import ArmCounts, Common
from fairlead.verdict import common
from fairlead.verdict.common import CommonState
from fairlead.verdict.detector import Detector
from fairlead.verdict.guards import Arm, decode, encode, encode_all


def begun(requests: int, failures: int) -> Common:
    """Nothing seen yet; what the live version has counted in its life says what is usual."""
    counts = ArmCounts(requests=requests, failures=min(failures, requests))
    return _written(common.begin(Arm(counts.requests, counts.failures)), counts)


def window(kept: Common, requests: int, failures: int) -> Common:
    """After one more window of the live version."""
    detector = Detector(tuple(map(decode, kept.log_r)), 0) if kept.log_r else Detector()
    state = CommonState(decode(kept.tolerated), detector, kept.requests, kept.worse)
    return _written(common.step(state, Arm(requests, failures)), kept.before)


def _written(state: CommonState, before: ArmCounts) -> Common:
    seen = state.detector.log_evidence > float("-inf")
    return Common(
        before=before, tolerated=encode(state.tolerated), log_r=encode_all(state.detector.log_r) if seen else [],
        requests=state.requests, worse=state.worse,
    )  # fmt: skip
