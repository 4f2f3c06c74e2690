"""From evidence to what is done: take back, hold, or go on."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.units import human, seconds
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, answers, ledger, proofs
from fairlead.plan.deployment.metrics import labels, promgauge, review, scores, shadow
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict.guards import decode

FRESH = 3
"""A step is left only if the last window ended within so many windows."""
ANSWER = 2.0
"""Seconds that Prometheus may take besides."""
CRASHES = 3
"""Restarts under traffic that end a rollout, if the live version had none."""

_REASONS = {
    "errors": "ErrorsWorse", "latency": "LatencyWorse", "outcomes": "OutcomesWorse", "disagreement": "AnswersDiffer",
    "gauge": "GaugeWorse", "review": "ReviewWorse", "scores": "ScoresUnusual", "labels": "LabelsWorse",
}  # fmt: skip


def harm(look: Look, candidate: Candidate) -> Problem | None:
    """Why the candidate must go, or None."""
    for guard in candidate.guards:
        if guard.state == "Harm":
            metric = guard.guard.split("/")[1]
            return Problem(_REASONS[metric], _found(candidate, guard, metric))
    return _crashes(look, candidate)


def _found(candidate: Candidate, guard: GuardEvidence, metric: str) -> str:
    if metric == labels.METRIC:
        return labels.found(candidate.version, candidate.against, guard)
    evidence = f"evidence {decode(guard.log_evidence):.1f} ≥ bound {decode(guard.bound):.1f}"
    if metric == "gauge":
        return f"{promgauge.found(candidate, guard)}; {evidence}"
    if metric == "disagreement":
        most = 100 * decode(guard.floor)
        return (
            f"{candidate.version} gave another answer than {candidate.against} to "
            f"{_counts(guard.candidate, 'requests')}, more than the tolerated {most:g} %; {evidence}"
        )
    if metric == "review":
        return f"{review.found(candidate)}; {evidence}"
    words = {
        "errors": ("failed", "of", "requests"),
        "latency": (f"took longer than {human(decode(guard.threshold or '0'))} in", "of", "requests"),
        "outcomes": ("was wrong in", "of", "outcomes"),
        "scores": ("answered otherwise than usual in", "of", "answers"),
    }[metric]
    windows = "window" if guard.windows == 1 else f"{guard.windows} windows"
    margin = f", a difference of {100 * decode(guard.beyond.worse_by):g} % is tolerated" if guard.beyond else ""
    said = ahead.saying(candidate, candidate.version) if metric == "errors" else ""
    return (
        f"{candidate.version} {words[0]} {_counts(guard.candidate, words[2])}, {candidate.against} "
        f"{_counts(guard.stable, words[2])} in the same {windows}{margin}; {evidence}{said}"
    )


def _counts(counts: ArmCounts, what: str) -> str:
    share = 100 * counts.failures / counts.requests if counts.requests else 0.0
    shown = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    return f"{counts.failures} of {counts.requests} {what} ({shown} %)"


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
        if guard.state == "NoEvidence" and not ahead.spared(look, candidate, guard):
            return Problem(guard.reason or "NotBegun", f"guard {guard.guard}: {guard.message}")
    if ledger.stuck(candidate.ledger):
        return Problem("EvidenceUnsaved", f"what was seen can't be saved: {candidate.ledger.message}")
    used_up = shadow.over(step_of(look, candidate), candidate) and scores.missing(look, candidate)
    if used_up and not ahead.alone(look, candidate):
        return Problem(
            "CopiesUsedUp", f"all {candidate.step_requests} copies were answered before the guard on scores knew what "
            "the live version usually answers: raise copies in spec.rollout.steps",
        )  # fmt: skip
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
    counts = (
        f"since that was found it failed {_counts(seen.stable, 'requests')}, {candidate.version} "
        f"{_counts(seen.candidate, 'requests')}; " if seen.stable.requests else ""
    )  # fmt: skip
    return Problem(
        "LiveWorse", f"{candidate.against} itself fails more than before the rollout (more than {most:.2g} %), so "
        f"{candidate.version} is not the cause, or not alone; {counts}it goes on when that is over, or when "
        f"{candidate.version} is shown to fail less{ahead.saying(candidate, candidate.against)}",
    )  # fmt: skip


def missing(look: Look, candidate: Candidate) -> str | None:
    """What the step still waits for, in words; None when it may be left."""
    step = step_of(look, candidate)
    if not candidate.last_window_at or look.now - epoch(candidate.last_window_at) > FRESH * look.window:
        return "a fresh window"
    if not step.weight and not step.shadow:
        return _preview(look, candidate, step) or _person(look, candidate)
    if decode(candidate.observed) < seconds(step.for_) and not shadow.over(step, candidate):
        return f"{step.for_} of observation"
    if candidate.step_requests < step.requests:
        return f"{step.requests} {'copies' if step.shadow else 'requests'}"
    waived = ahead.alone(look, candidate) is not None
    seen = None if step.shadow else _outcomes(look, candidate)
    seen = seen or (None if waived else _compared(look, candidate, step))
    return seen or _proofs(look, candidate, waived) or _person(look, candidate)


def _compared(look: Look, candidate: Candidate, step: CanaryStep) -> str | None:
    """What must have been compared."""
    seen = promgauge.missing(look, candidate)
    seen = seen or (_paired(look, candidate, step) if step.shadow else None)
    seen = seen or (scores.missing(look, candidate) if shadow.compared(candidate) else None)
    return seen or labels.missing(look, candidate)


def _preview(look: Look, candidate: Candidate, step: CanaryStep) -> str | None:
    """Who asks for the candidate in a preview is nobody's business: it lasts as long as it should."""
    since = epoch(candidate.step_since or look.stamp)
    return None if look.now - since >= seconds(step.for_) else f"{step.for_} to pass"


def _paired(look: Look, candidate: Candidate, step: CanaryStep) -> str | None:
    return _pairs(look, candidate, step) or review.missing(look, candidate)


def _pairs(look: Look, candidate: Candidate, step: CanaryStep) -> str | None:
    """Answers must have been compared, if they are to be."""
    if not any(guard.metric in answers.IN_SHADOW for guard in look.spec.rollout.guards):
        return None
    wanted = 1 if shadow.over(step, candidate) else step.requests
    return f"{wanted} pairs of answers" if candidate.copies.pairs < wanted else None


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
    """The last step is left only when all that must be proven is. waived: nobody waits for what needs answers of the
    live version."""
    if candidate.step + 1 < len(look.spec.rollout.steps):
        return None
    pairs = zip(look.spec.rollout.guards, candidate.guards, strict=False)
    lacking = (proofs.lacking(*pair) for pair in pairs if not (waived and pair[0].metric in ahead.UNPROVABLE))
    return next((words for words in lacking if words), None)


def _outcomes(look: Look, candidate: Candidate) -> str | None:
    for guard, state in zip(look.spec.rollout.guards, candidate.guards, strict=False):
        if guard.metric != "outcomes":
            continue
        # a guard that has not seen a single outcome of the candidate in this step has seen nothing
        if state.step_events < max(1, guard.min_events):
            return f"{max(1, guard.min_events)} outcomes"
        if not state.since or look.now - epoch(state.since) > FRESH * look.window + ANSWER:
            return "a fresh answer of Prometheus"
    return None


def step_of(look: Look, candidate: Candidate) -> CanaryStep:
    """The candidate's step; the last one if the list was cut short meanwhile."""
    steps = look.spec.rollout.steps
    return steps[max(0, min(candidate.step, len(steps) - 1))]
