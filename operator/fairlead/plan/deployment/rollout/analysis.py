"""From evidence to what is done: take back, hold, or go on.

What follows from the evidence `verdict.decision` says. Here it is put into words, and what is the rollout's own is
added: crashes, counters that are not read, evidence that can't be saved, what a step asks for, a person's word.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.evidence import GuardEvidence
from fairlead.api.units import seconds
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, guards, ledger, proofs
from fairlead.plan.deployment.evidence.signals import guard_of
from fairlead.plan.deployment.evidence.steps import over, step_of
from fairlead.plan.deployment.metrics.base import counts
from fairlead.plan.deployment.metrics.registry import METRICS, metric_of
from fairlead.plan.deployment.rollout.known import known
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict import decision
from fairlead.verdict.decision import Known, Said
from fairlead.verdict.guards import decode

FRESH = 3
"""A step is left only if the last window ended within so many windows."""
CRASHES = 3
"""Restarts under traffic that end a rollout, if the live version had none."""


def harm(look: Look, candidate: Candidate, found: Known) -> Problem | None:
    """Why the candidate must go, or None."""
    worse = decision.harmed(found)
    if worse is None:
        return _crashes(look, candidate)
    metric = metric_of(worse.name)
    return Problem(metric.reason, metric.found(candidate, _state(look, candidate, worse)))


def _state(look: Look, candidate: Candidate, said: Said) -> GuardEvidence:
    return next(one for one in guards.all_of(look, candidate) if one.guard == said.name)


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


def silence(look: Look, candidate: Candidate, found: Known, reading: Problem | None) -> Problem | None:
    """Why there is no evidence, or None. `reading`: why the pods' counters could not be read this time."""
    fresh = max(FRESH * look.window, 2 * ledger.pace(candidate.ledger))
    if candidate.last_window_at and look.now - epoch(candidate.last_window_at) > fresh:
        return reading or Problem("Stale", "the counters have not been read for a while")
    mute = decision.silent(found)
    if mute:
        return Problem(mute.silent, f"guard {mute.name}: {_state(look, candidate, mute).message}")
    if ledger.stuck(candidate.ledger):
        return Problem("EvidenceUnsaved", f"what was seen can't be saved: {candidate.ledger.message}")
    if over(step_of(look, candidate), candidate) and not found.alone:
        stuck = (metric.stuck(look, candidate) for metric in METRICS.values())
        why = next((problem for problem in stuck if problem), None)
        if why:
            return why
    match decision.disturbed(found):
        case "LiveWorse":
            return _live_worse(candidate)
        case "SplitWrong":
            return _split_wrong(candidate)
        case None:
            return None


def _split_wrong(candidate: Candidate) -> Problem:
    return Problem(
        "SplitWrong", f"the traffic is not divided as asked ({candidate.weight} % for {candidate.version}): is "
        f"there another route or client, or do people ask for a version by header? Requests are counted anew; it "
        "goes on when they are divided as asked",
    )  # fmt: skip


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
    found = known(look, candidate)
    return _unseen(look, candidate, found.alone) or _proofs(look, candidate, found) or _person(look, candidate)


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


def _proofs(look: Look, candidate: Candidate, found: Known) -> str | None:
    """The last step is left only when all that must be proven is."""
    waiting = decision.unproven(found) if candidate.step + 1 >= len(look.spec.rollout.steps) else None
    return proofs.lacking(look, guard_of(look, waiting.name), _state(look, candidate, waiting)) if waiting else None
