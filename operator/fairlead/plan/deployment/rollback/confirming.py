"""Real harm takes nothing back: it asks whether the version before would have lost less on the same requests.

Labels that come from now on are joined with the live version's answers as ever, and the version before answers the same
requests once more, beside the join. It gets no traffic for that, and need not run while nobody has labels. What became
of it stands in `status.monitors.question`; `docs/explanation/monitors.md` has the states.
"""

from __future__ import annotations

from fairlead.api.confirmation import WorldChange
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.monitors import Monitored, MonitorLine, Question
from fairlead.plan.core import Event, epoch
from fairlead.plan.deployment import phase, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.monitors import question, saying
from fairlead.plan.deployment.rollback import readiness, wayback, world
from fairlead.plan.deployment.serving.pods import Problem

REAL = "RealHarm"
ASKS = "Confirming"
NOTHING = "NothingBefore"


def go_on(look: Look, state: State) -> tuple[State, Problem | None]:
    """One look at the question, if there is one; with where it stands, or why it can't be asked."""
    kept, spec = state.status.monitors, look.spec.monitors
    if kept is None or spec is None or state.status.live is None or kept.version != state.status.live.version:
        return state, None
    line = next((one for one in kept.lines if one.monitor == question.MONITOR), None)
    asked = kept.question
    if asked is None:
        wanted = spec.react.harm == "Confirm" and _is_harm(kept, line) and state.status.way_back is None
        state = _begin(look, state, kept, line) if wanted and line else state
    elif asked.state not in question.OPEN:
        state = _forgotten(state, asked) if _is_over(look, kept, line) else state
    elif spec.react.harm != "Confirm" or line is None:
        said = "nobody wants to know any more whether it is the version: spec.monitors has changed"
        state = _closed(look, state, "Dropped", "NotWanted", said)
    elif _is_over(look, kept, line):
        state = _closed(look, state, "Dropped", "AsBefore", f"{kept.version} is right as often as before again")
        state = _without(state)
    return _asked(look, state)


def next_look(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until a person is asked; None without a question, and where its time is over and something else is
    waited for, which is looked at anyway: an experiment, or a rollback that is under way."""
    kept = status.monitors
    if kept is None or kept.question is None or not question.is_open(status):
        return None
    left = epoch(kept.question.until) - look.now
    return left if left > 0 else None


def _is_harm(kept: Monitored, line: MonitorLine | None) -> bool:
    """Whether labels show it; not what a line has said before they were counted anew."""
    if line is None or (line.state, line.reason) != ("Harmed", REAL):
        return False
    return kept.labels is None or (kept.labels.real is not None and kept.labels.real.state == "Harmed")


def _is_over(look: Look, kept: Monitored, line: MonitorLine | None) -> bool:
    """Whether the harm that asked is gone. While nothing is known of the real loss, nobody knows that: harm that is
    estimated says nothing of it."""
    if line is None or line.state in ("Ok", "Watch"):
        return line is not None
    real = kept.labels.real if kept.labels else None
    return line.reason != REAL and saying.fresh(look, real) and real is not None and real.state in ("Ok", "Watch")


# --- it begins, and is asked ---------------------------------------------------------------------------------------


def _begin(look: Look, state: State, kept: Monitored, line: MonitorLine) -> State:
    before = state.status.previous
    kept = question.begun(look, kept, before, line.reason, line.message)
    if before is None:
        said = f"{line.message}. No version before {kept.version} is there to go back to, so train anew"
        return _changed(look, state.having(monitors=kept), said, NOTHING)
    told = f"{line.message}. Is it the version, or the world? {before} is asked the same requests, as labels come"
    return state.having(Event(ASKS, told, warning=True), monitors=kept)


def _asked(look: Look, state: State) -> tuple[State, Problem | None]:
    """What follows from what is known so far."""
    kept = state.status.monitors
    asked = kept.question if kept else None
    if kept is None or asked is None or asked.state not in question.OPEN or state.status.way_back:
        return state, None
    found = question.answer(asked)
    if found == "better" and phase.running(state.status):
        waits = f"{_counted(kept, asked)}. {asked.against} shall be live again when the experiment has ended"
        return state, Problem(ASKS, waits)
    if found == "better" and not _unready(look, kept, asked):
        return _better(look, state, kept, asked), None
    if found == "not better":
        said = f"{_counted(kept, asked)}: {asked.against} is not better, so it is not the version"
        return _changed(look, state, f"{said}. Nothing was rolled back", REAL), None
    if look.now >= epoch(asked.until):
        return _unanswered(look, state, kept, asked), None
    doubt = _blocked(look, kept, asked)
    wanted = "Blocked" if doubt else "Asking"
    if asked.state != wanted:
        state = state.having(monitors=kept.model_copy(update={"question": asked.model_copy(update={"state": wanted})}))
    known = state.status.world
    if known is not None and known.state == "Changed":
        return state, None  # it is known that the world has changed: what is asked now does not hide that
    if doubt is None:
        return state, Problem(ASKS, _standing(kept, asked))
    if not world.is_told(look, doubt):
        state = state.having(Event("CannotConfirm", doubt.message, warning=True))
    return state, doubt


def _counted(kept: Monitored, asked: Question) -> str:
    return f"{question.counts(asked, kept.version)} ({question.evidence(asked)})"


def _standing(kept: Monitored, asked: Question) -> str:
    trouble = f". Last time it could not answer: {asked.trouble}" if asked.trouble else ""
    return (
        f"{asked.message}. Is it the version, or the world? {_counted(kept, asked)}{trouble}. A person is asked if "
        f"that is not known by {asked.until[:19]}Z"
    )


def _unready(look: Look, kept: Monitored, asked: Question) -> Problem | None:
    assert asked.against
    return readiness.unready(look, asked.against, kept.version)


def _blocked(look: Look, kept: Monitored, asked: Question) -> Problem | None:
    """Why the version before can't be asked at the moment, with what to do about it."""
    why = _unready(look, kept, asked) or _unable(look, asked)
    if why is None and kept.labels is not None and kept.labels.reason:
        why = Problem(kept.labels.reason, f"labels can't be counted: {kept.labels.message}")
    if why is None:
        return None
    said = f"{asked.message}. {asked.against} can't be asked whether it is the version, so nothing is rolled back: "
    return Problem(why.reason, f"{said}{why.message}. {world.by_hand(look, kept.version)}")


def _unable(look: Look, asked: Question) -> Problem | None:
    assert asked.against
    found, kept = versions.read(look, asked.against), look.spec.recorded
    if look.grpc or found is None or found.spec.server.protocol != "oip":
        return Problem("OtherProtocol", "only requests of the Open Inference Protocol over HTTP can be sent once more")
    if kept is None or not kept.inputs:
        return Problem("InputsNotKept", "the bodies of requests are not kept: set spec.record.inputs to true")
    return None


# --- it is known ---------------------------------------------------------------------------------------------------


def _better(look: Look, state: State, kept: Monitored, asked: Question) -> State:
    assert asked.against
    why = Problem(REAL, f"{kept.version} is worse than {asked.against}: {_counted(kept, asked)}")
    return wayback.begin(look, _ended(look, state, "Better", REAL, why.message), asked.against, why)


def _changed(look: Look, state: State, message: str, reason: str) -> State:
    """It is not the version: training anew is the remedy."""
    kept = state.status.monitors
    assert kept
    assert kept.question
    found = WorldChange(
        state="Changed", version=kept.version, against=kept.question.against or kept.version, guard=world.MONITOR,
        since=look.stamp, reason=reason, message=message[:1024],
    )  # fmt: skip
    state = _ended(look, state, "NotBetter", reason, message)
    return state.having(Event(world.CONDITION, message, warning=True), world=found)


def _unanswered(look: Look, state: State, kept: Monitored, asked: Question) -> State:
    """It could not be found out: nothing is rolled back, and a person is asked."""
    doubt = _blocked(look, kept, asked)
    counted = f"{_counted(kept, asked)}{f' ({asked.trouble})' if asked.trouble else ''}"
    why = doubt.message if doubt else f"{asked.message}. {counted}. {world.by_hand(look, kept.version)}"
    said = f"It could not be found out whether it is the version. {why}"
    state = _closed(look, state, "Unknown", doubt.reason if doubt else "TooFewLabels", said)
    known = state.status.world
    if known is not None and known.state == "Changed":
        return state
    assert asked.against
    found = WorldChange(
        state="Unknown", version=kept.version, against=asked.against, guard=world.MONITOR, since=look.stamp,
        reason=doubt.reason if doubt else "TooFewLabels", message=said[:1024],
    )  # fmt: skip
    return state.having(world=found)


def _ended(look: Look, state: State, result: str, reason: str, message: str) -> State:
    kept = state.status.monitors
    assert kept
    return state.having(monitors=question.closed(look, kept, result, reason, message))


def _closed(look: Look, state: State, result: str, reason: str, message: str) -> State:
    state = _ended(look, state, result, reason, message)
    return state.having(Event("ConfirmingEnded", message, warning=result == "Unknown"))


def _forgotten(state: State, asked: Question) -> State:
    """The harm is over: the next one asks anew. That the world has changed stays known while this version is live."""
    return state if asked.state == "NotBetter" else _without(state)


def _without(state: State) -> State:
    kept, known = state.status.monitors, state.status.world
    assert kept
    if known and (known.state, known.guard) == ("Unknown", world.MONITOR) and known.reason != world.AWAITED:
        state = state.having(world=None)
    return state.having(monitors=kept.model_copy(update={"question": None}))
