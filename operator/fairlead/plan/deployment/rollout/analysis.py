"""From evidence to what is done: take back, hold, or go on."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.units import seconds
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, ledger, proofs
from fairlead.plan.deployment.evidence.steps import over, step_of
from fairlead.plan.deployment.metrics.base import counts
from fairlead.plan.deployment.metrics.registry import METRICS, metric_of
from fairlead.plan.deployment.rollout import waiver
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict.guards import decode

FRESH = 3
"""A step is left only if the last window ended within so many windows."""
CRASHES = 3
"""Restarts under traffic that end a rollout, if the live version had none."""


def harm(look: Look, candidate: Candidate) -> Problem | None:
    """Why the candidate must go, or None."""
    for guard in candidate.guards:
        if guard.state == "Harm":
            metric = metric_of(guard.guard)
            return Problem(metric.reason, metric.found(candidate, guard))
    return _crashes(look, candidate)


def _crashes(look: Look, candidate: Candidate) -> Problem | None:
    if candidate.counting_since is None:
        return None
    since = epoch(candidate.counting_since)
    mine = pods.restarted(look, candidate.version, since, candidate.restarts)
    if mine < CRASHES or any(pods.ended_since(pod, since) for pod in pods.of(look, candidate.against)):
        return None
    cause = pods.problem(look, candidate.version)
    why = f": {cause.message}" if cause else ""
    return Problem(
        "CandidateCrashed", f"the server of {candidate.version} restarted {mine} times under traffic, that of "
        f"{candidate.against} did not{why}",
    )  # fmt: skip


def silence(look: Look, candidate: Candidate, reading: Problem | None) -> Problem | None:
    """Why there is no evidence, or None. `reading`: why the pods' counters could not be read this time."""
    fresh = max(FRESH * look.window, 2 * ledger.pace(candidate.ledger))
    if candidate.last_window_at and look.now - epoch(candidate.last_window_at) > fresh:
        return reading or Problem("Stale", "the counters have not been read for a while")
    for guard in candidate.guards:
        if guard.state == "NoEvidence" and not waiver.spared(look, candidate, guard):
            return Problem(guard.reason or "NotBegun", f"guard {guard.guard}: {guard.message}")
    if ledger.stuck(candidate.ledger):
        return Problem("EvidenceUnsaved", f"what was seen can't be saved: {candidate.ledger.message}")
    if over(step_of(look, candidate), candidate) and not ahead.alone(look, candidate):
        stuck = (metric.stuck(look, candidate) for metric in METRICS.values())
        why = next((problem for problem in stuck if problem), None)
        if why:
            return why
    if candidate.common.worse and not ahead.shown(look, candidate):
        return _live_worse(candidate)
    if candidate.split.wrong:
        return Problem(
            "SplitWrong", f"the traffic is not divided as asked ({candidate.weight} % for {candidate.version}): is "
            f"there another route or client, or do people ask for a version by header? Requests are counted anew; it "
            "goes on when they are divided as asked",
        )  # fmt: skip
    return None


def _live_worse(candidate: Candidate) -> Problem:
    most, seen = 100 * decode(candidate.common.tolerated), candidate.ahead
    found = (
        f"since that was found it failed {counts(seen.stable, 'requests')}, {candidate.version} "
        f"{counts(seen.candidate, 'requests')}; " if seen.stable.requests else ""
    )  # fmt: skip
    return Problem(
        "LiveWorse", f"{candidate.against} itself fails more than before the rollout (more than {most:.2g} %), so "
        f"{candidate.version} is not the cause, or not alone; {found}it goes on when that is over, or when "
        f"{candidate.version} is shown to fail less{ahead.saying(candidate, candidate.against)}",
    )  # fmt: skip


def missing(look: Look, candidate: Candidate) -> str | None:
    """What the step still waits for, in words; None when it may be left."""
    step = step_of(look, candidate)
    if not candidate.last_window_at or look.now - epoch(candidate.last_window_at) > FRESH * look.window:
        return "a fresh window"
    if not step.weight and not step.shadow:
        return _preview(look, candidate, step) or _person(look, candidate)
    if decode(candidate.observed) < seconds(step.for_) and not over(step, candidate):
        return f"{step.for_} of observation"
    if candidate.step_requests < step.requests:
        return f"{step.requests} {'copies' if step.shadow else 'requests'}"
    waived = ahead.alone(look, candidate) is not None
    return _unseen(look, candidate, waived) or _proofs(look, candidate, waived) or _person(look, candidate)


def _unseen(look: Look, candidate: Candidate, waived: bool) -> str | None:
    """What must have been counted, or compared. waived: nobody waits for what needs answers of the live version."""
    wanted = (metric for metric in METRICS.values() if not (waived and metric.comparing))
    return next((words for metric in wanted if (words := metric.missing(look, candidate))), None)


def _preview(look: Look, candidate: Candidate, step: CanaryStep) -> str | None:
    """Who asks for the candidate in a preview is nobody's business: it lasts as long as it should."""
    since = epoch(candidate.step_since or look.stamp)
    return None if look.now - since >= seconds(step.for_) else f"{step.for_} to pass"


def _person(look: Look, candidate: Candidate) -> str | None:
    """The last thing that is waited for: people are asked when the evidence is there."""
    if not step_of(look, candidate).manual or candidate.let_on >= candidate.step:
        return None
    return f"a person's word: kubectl fairlead continue {look.name} -n {look.namespace}"


def asks(look: Look, candidate: Candidate) -> bool:
    """Whether a person's word is all that a candidate's step waits for."""
    words = _person(look, candidate) if candidate.step >= 0 else None
    return words is not None and missing(look, candidate) == words


def _proofs(look: Look, candidate: Candidate, waived: bool) -> str | None:
    """The last step is left only when all that must be proven is."""
    if candidate.step + 1 < len(look.spec.rollout.steps):
        return None
    pairs = zip(look.spec.rollout.guards, candidate.guards, strict=False)
    lacking = (proofs.lacking(*pair) for pair in pairs if not (waived and metric_of(pair[0]).unprovable))
    return next((words for words in lacking if words), None)
