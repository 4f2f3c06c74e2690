"""What is known of a candidate, as its status has it, for the decision (`verdict.decision`)."""

from __future__ import annotations

from math import inf

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, cohorts, guards, proofs
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.verdict.decision import Known, Said
from fairlead.verdict.guards import decode

_FOR_WANT_OF_ANSWERS = (ahead.LIVE_FAILS, "TooFewSamples", cohorts.UNEQUAL)
"""Reasons of guards that come of it that the live version fails: there are no answers to know the usual ones by, or to
be labelled."""


def known(look: Look, candidate: Candidate) -> Known:
    """What its guards say, as they are listed now, and what is known besides."""
    worse = candidate.common.worse
    return Known(
        list(map(_said, look.spec.rollout.guards, guards.all_of(look, candidate))), proofs.bound(look), worse,
        worse and ahead.shown(look, candidate), candidate.split.wrong, ahead.alone(look, candidate) is not None,
    )  # fmt: skip


def _said(guard: Guard, state: GuardEvidence) -> Said:
    metric, silent = metric_of(guard), state.state == "NoEvidence"
    return Said(
        state.guard, state.state == "Harm", (state.reason or "NotBegun") if silent else "",
        silent and state.reason in _FOR_WANT_OF_ANSWERS, _proof(guard, state), metric.comparing, metric.unprovable,
    )  # fmt: skip


def _proof(guard: Guard, state: GuardEvidence) -> float | None:
    """Of what must be proven: nothing is known of it before its counting begins."""
    if guard.role == "alarm":
        return None
    return decode(state.proven.log_evidence) if state.proven else -inf
