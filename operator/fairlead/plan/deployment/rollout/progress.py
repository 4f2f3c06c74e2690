"""The way of a candidate: start, warm up, step by step, and out or up."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.evidence import Ahead, Copies, Split
from fairlead.plan.core import Event, epoch
from fairlead.plan.deployment import phase, requirements, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import absent, ledger, memory, reading, signals
from fairlead.plan.deployment.evidence.steps import step_of
from fairlead.plan.deployment.metrics.registry import METRICS
from fairlead.plan.deployment.monitors import hold
from fairlead.plan.deployment.rollout import analysis, ending, flapping, forecast, gathering, patience, waiver
from fairlead.plan.deployment.rollout.known import known
from fairlead.plan.deployment.serving import ability, endpoints, golden, gpus, pods, sizes
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.versions import Choice
from fairlead.plan.requests import Failed, Warm


def choose(look: Look, state: State, choice: Choice) -> State:
    """Begin, go on, or begin again, as the choice says."""
    status, candidate = state.status, state.candidate
    live = status.live.version if status.live else None
    if candidate and candidate.version == live:
        state = _arrived(look, state, candidate)
    elif candidate and candidate.version != choice.version:
        if look.spec.paused and choice.version not in (None, live) and _usable(look, candidate):
            return state
        state = ending.withdraw(look, state, *_reason(look, candidate, choice, live))
    asked = status.watch.confirmation if status.watch else None
    busy = phase.running(status) or (asked is not None and not asked.blocked)
    if choice.version in (None, live) or state.candidate or look.spec.paused or busy:
        return state
    assert choice.version
    if live and hold.held(look, choice.version):
        return state
    started = Candidate(version=choice.version, since=look.stamp, against=live or "")
    words = f"{choice.version} starts" + (f"; it will be compared with {live}" if live else "")
    return state.having(
        Event("RolloutStarted", words),
        candidate=started,
        retiring=[one for one in state.status.retiring if one.version != choice.version],
    )


def _arrived(look: Look, state: State, candidate: Candidate) -> State:
    """The candidate was the way back, and is live by that way now: its pods stay, and there is nothing to compare."""
    said = f"{candidate.version} is live again: {candidate.against} was taken back"
    state = ending.withdraw(look, state, "LiveAgain", said)
    return state.having(retiring=[one for one in state.status.retiring if one.version != candidate.version])


def _usable(look: Look, candidate: Candidate) -> bool:
    """Whether the candidate's version is there and was not revoked: else it goes though the rollout is paused."""
    record = versions.record(look, candidate.version)
    return record is not None and not record["spec"].get("revoked")


def _reason(look: Look, candidate: Candidate, choice: Choice, live: str | None) -> tuple[str, str]:
    mine = candidate.version
    record = versions.record(look, mine)
    if record is None:
        return versions.gone(look, mine)
    if record["spec"].get("revoked"):
        return "VersionRevoked", f"{mine} was revoked: {record['spec']['revoked']}"
    if choice.version is None:
        return choice.reason, f"{mine} is not rolled out any more: {choice.message}"
    if choice.version == live:
        return "Withdrawn", f"{mine} is not wanted any more; {live} stays"
    return "NewerVersion", f"{choice.version} is wanted instead of {mine}; it starts over against {live}"


def go_on(look: Look, state: State) -> tuple[State, Problem | None]:
    """One look at a running candidate; with what stands in its way."""
    candidate = state.candidate
    assert candidate
    if candidate.against != (state.status.live.version if state.status.live else ""):
        return ending.again(look, state), None
    if candidate.step < 0:
        state, problem = _start(look, state, candidate)
    else:
        state, problem = _observe(look, state, candidate)
    return _patience(look, patience.told(look, state), problem)


def _patience(look: Look, state: State, problem: Problem | None) -> tuple[State, Problem | None]:
    candidate = state.candidate
    over = patience.ends(look, candidate) if candidate else None
    if candidate is None or over is None or look.now < over:
        return state, problem
    why = problem.message if problem else f"it still waited for {analysis.missing(look, candidate)}"
    message = f"{candidate.version} was not live after {look.spec.rollout.patience} (patience): {why}"
    return ending.give_up(look, state, Problem("PatienceExceeded", message)), None


# --- before the first request --------------------------------------------------------------------------------------


def _start(look: Look, state: State, candidate: Candidate) -> tuple[State, Problem | None]:
    crashed = golden.skewed(look, candidate.version) or analysis.harm(look, candidate, known(look, candidate))
    if crashed:
        return ending.roll_back(look, state, crashed), None
    state, waiting = gpus.take_turn(look, state)
    if waiting:
        return state, waiting
    candidate, problem = warm(look, state.candidate or candidate)
    state = state.having(candidate=candidate)
    if not signals.is_warm(look, candidate):
        unknown = endpoints.problem(look, candidate.version, candidate.since, signals.answered(look, candidate))
        return state, problem or pods.problem(look, candidate.version) or unknown or _lost(look, candidate)
    held = _held(look, candidate)
    if held:
        return state, held
    if not candidate.against:
        return _first(look, state, candidate)
    read = reading.read(look, candidate)
    if isinstance(read, Problem):
        asked = not _not_asked(look, candidate)
        return state, read if asked else None
    uncounted = absent.uncounted(look, candidate, read.counters)
    if uncounted:
        return state, uncounted
    if look.spec.paused:
        return state, None
    unable = ability.in_the_way(look, 0) or flapping.waits(look, candidate)
    if unable:
        return state, unable
    return _to_step(look, gathering.begun(look, state, candidate, read), 0), None


def _held(look: Look, candidate: Candidate) -> Problem | None:
    """What it lacks, or may lack, of what is asked of every version, or why it waits: it goes no further."""
    raw = versions.record(look, candidate.version)
    lack = requirements.lacking(look, raw) if raw else None
    return Problem(*lack.told) if lack else hold.held(look, candidate.version)


def _lost(look: Look, candidate: Candidate) -> Problem | None:
    """What people are told while its pods are not ready again. An experiment goes on with its other arms meanwhile."""
    return None if look.side_by_side else flapping.told(candidate)


def _first(look: Look, state: State, candidate: Candidate) -> tuple[State, Problem | None]:
    """The first version goes live as soon as it is known to be counted: there is nothing to compare it with."""
    if _not_asked(look, candidate):
        return state, None
    unknown = absent.of_first(look, candidate)
    return (state, unknown) if unknown else (ending.promote(look, state), None)


def _not_asked(look: Look, candidate: Candidate) -> bool:
    """Whether the counters were not asked for, because the pods have become warm only now."""
    answers = [look.world.answer(scrape.request) for scrape in signals.scrapes(look, candidate)]
    return any(isinstance(answer, Failed) and answer.reason == "NotAsked" for answer in answers)


def warm(look: Look, candidate: Candidate) -> tuple[Candidate, Problem | None]:
    """Note which pods have answered a warm-up request."""
    ready = [pod.source for pod in pods.of(look, candidate.version) if pod.ready]
    warmed, problem = [source for source in candidate.warmed if source in ready], None
    for pod, request in signals.warm_ups(look, candidate):
        answer = look.world.answer(request)
        if isinstance(answer, Warm):
            warmed.append(pod.source)
        elif isinstance(answer, Failed) and answer.reason != "NotAsked":
            problem = Problem(answer.reason, f"{candidate.version} does not answer its first request: {answer.message}")
    return candidate.model_copy(update={"warmed": sorted(warmed[: signals.WARMED])}), problem


# --- under traffic -------------------------------------------------------------------------------------------------


def _observe(look: Look, state: State, candidate: Candidate) -> tuple[State, Problem | None]:
    state, unread = gathering.window(look, state, _renumbered(look, candidate))
    candidate = state.candidate or candidate
    if flapping.lost(look, candidate):
        candidate = flapping.counted(look, candidate)
    found = known(look, candidate)
    bad = analysis.harm(look, candidate, found) or flapping.harm(candidate) or golden.skewed(look, candidate.version)
    if bad:
        harmed = state.having(candidate=candidate.model_copy(update={"verdict": "Harm"}))
        return ending.roll_back(look, harmed, bad), None
    away = _away(look, candidate, unread)
    if away:
        return retreat(look, state, candidate, away)
    silent = analysis.silence(look, candidate, found, unread)
    state = state if silent else waiver.told(look, state, found)
    candidate = state.candidate or candidate
    verdict = {"verdict": "NoEvidence" if silent else "Continue"}
    candidate = candidate.model_copy(update=verdict | forecast.told(look, candidate))
    state = state.having(candidate=candidate)
    edited = _edited(look, candidate)
    if edited is not None:
        more = look.spec.rollout.steps[edited].weight > candidate.weight
        cold = sizes.in_the_way(look, candidate, edited) if more else None
        held = more and (silent or cold or look.spec.paused) and not look.side_by_side
        return (state if held else _to_step(look, state, edited)), silent or cold
    still = silent or _held(look, candidate)
    if still or look.spec.paused or analysis.missing(look, candidate):
        return state, still
    book = ledger.awaiting(candidate.ledger)
    if book is not None:
        return state.having(candidate=candidate.model_copy(update={"ledger": book})), None
    if candidate.step + 1 < len(look.spec.rollout.steps):
        unable = ability.in_the_way(look, candidate.step + 1) or sizes.in_the_way(look, candidate, candidate.step + 1)
        if unable:
            return state, unable
        return _to_step(look, state, candidate.step + 1), None
    cold = sizes.in_the_way(look, candidate, len(look.spec.rollout.steps))
    if cold:
        return state, cold
    promised = memory.promised(look, state, candidate.version)
    return (promised, memory.in_the_way(promised)) if promised else (ending.promote(look, state), None)


def _renumbered(look: Look, candidate: Candidate) -> Candidate:
    """The candidate in the nearest step that is as its own was: steps before it may have come or gone."""
    steps = look.spec.rollout.steps
    alike = [index for index, one in enumerate(steps) if _as(candidate, one)]
    nearest = min(alike, key=lambda index: abs(index - candidate.step), default=candidate.step)
    return candidate if nearest == candidate.step else candidate.model_copy(update={
        "step": nearest, "let_on": nearest if candidate.let_on == candidate.step else -1,
    })  # fmt: skip


def _as(candidate: Candidate, step: CanaryStep) -> bool:
    return (candidate.weight, candidate.shadow) == (step.weight, step.shadow or "")


def _edited(look: Look, candidate: Candidate) -> int | None:
    """The step that is to be gone to, as no step is as the candidate's own was any more."""
    if _as(candidate, step_of(look, candidate)):
        return None
    return min(candidate.step, len(look.spec.rollout.steps) - 1)


def _to_step(look: Look, state: State, step: int) -> State:
    """Ask for a step's weight; what is counted for the step begins anew."""
    candidate = state.candidate
    assert candidate
    wanted = look.spec.rollout.steps[step]
    moved = candidate.model_copy(update={
        "step": step, "weight": wanted.weight, "shadow": wanted.shadow or "", "copies": Copies(),
        "step_since": look.stamp, "routed_at": None, "observed": "0",
        "step_requests": 0, "split": Split(), "verdict": "Continue", "expected": "", "doubling": "",
        "ahead": Ahead(), "answering": Ahead(),
        "ledger": candidate.ledger.model_copy(update={"awaited": 0}),
        "guards": [guard.model_copy(update={"step_events": 0}) for guard in candidate.guards],
    })  # fmt: skip
    return state.having(Event("Weight", _gets(candidate.version, wanted)), candidate=moved)


def _gets(version: str, step: CanaryStep) -> str:
    if step.shadow:
        return f"{version} gets copies of {step.shadow} of the requests; nobody gets its answers"
    return f"{version} gets {step.weight} % of the requests" + ("" if step.weight else ", and those that ask for it")


def _away(look: Look, candidate: Candidate, unread: Problem | None) -> Problem | None:
    """Why the candidate must get no requests for now: its share would fail, or nobody could see that it does."""
    name = candidate.version
    if not any(pod.ready for pod in pods.of(look, name)):
        cause = pods.problem(look, name)
        why = f": {cause.message}" if cause else ""
        lost = None if cause else flapping.told(candidate)
        return lost or Problem(cause.reason if cause else "CandidateNotReady", f"no pod of {name} is ready{why}")
    since = epoch(candidate.last_window_at or look.stamp)
    long = look.now - since > look.world.config.tuning.evidence_deadline + ledger.pace(candidate.ledger)
    return unread if unread and unread.arm == "candidate" and long else None


def retreat(look: Look, state: State, candidate: Candidate, why: Problem) -> tuple[State, Problem | None]:
    """Back to the start, with all evidence kept; it begins again by itself when the cause is gone."""
    back = candidate.model_copy(update={
        "step": -1, "weight": 0, "shadow": "", "verdict": "Starting", "routed_at": None, "observed": "0",
        "step_requests": 0, "split": Split(), "let_on": -1, "ahead": Ahead(), "answering": Ahead(),
    })  # fmt: skip
    said = f"{candidate.version} gets no requests for now: {why.message}"
    for metric in METRICS.values():
        state = metric.share_lost(look, state)
    return state.having(Event("CandidateAway", said, warning=True), candidate=back), why
