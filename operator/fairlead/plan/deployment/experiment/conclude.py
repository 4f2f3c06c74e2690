"""How an experiment ends: with a winner, without one when its patience is over, or because no candidate is left."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, ExperimentStatus
from fairlead.api.experiment import Contender, Experiment
from fairlead.api.units import human, seconds
from fairlead.plan.core import Event, epoch
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ledger, memory
from fairlead.plan.deployment.experiment import arms, reward
from fairlead.plan.deployment.rollout import ending
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict.guards import decode


def go_on(look: Look, state: State, wanted: Experiment, problem: Problem | None) -> tuple[State, Problem | None]:
    """The state after the end, if it has come; with what is still waited for."""
    kept = state.status.experiment
    assert kept
    left = [one for one in kept.contenders if one.state not in phase.OVER]
    if not kept.arms and all(one.state == "Out" for one in kept.contenders[1:]):
        return stopped(look, state, "no candidate is left"), None
    if look.spec.paused or kept.phase != "Running":
        return _patience(look, state, wanted), None
    if len(left) > 1:
        return _patience(look, state, wanted), _lacking(wanted, kept)
    if problem:
        ahead = f"{left[0].version} is ahead, but can't win now ({problem.reason})" if left else NOBODY
        return _patience(look, state, wanted, ahead), None
    if not left:
        return _ended(look, state, "Undecided", "", f"each is shown to be worse than another one: {_table(kept)}"), None
    if decode(kept.observed) < seconds(wanted.for_):
        short = f"{left[0].version} is ahead, but evidence came in for less than {wanted.for_}"
        waits = Problem("Observing", f"{left[0].version} is ahead; nobody wins before {wanted.for_}")
        return _patience(look, state, wanted, short), waits
    return _won(look, state, wanted, left[0])


def _lacking(wanted: Experiment, kept: ExperimentStatus) -> Problem | None:
    few = reward.missing(wanted, kept)
    if not few:
        return None
    return Problem("TooFewTrials", f"nobody is judged before the reward's total has grown by {wanted.requests}: "
                   f"{', '.join(few)}")  # fmt: skip


def _won(look: Look, state: State, wanted: Experiment, winner: Contender) -> tuple[State, Problem | None]:
    kept = state.status.experiment
    assert kept
    arm = next((one for one in kept.arms if one.version == winner.version), None)
    words = f"{winner.version} has won: each other version is shown to be worse than another one ({_table(kept)})"
    if arm is None or wanted.then == "Report":
        return _ended(look, state, "Won", winner.version, words), None
    if arm.step < 0:
        away = Problem("WinnerAway", f"{winner.version} has won, but no pod of it answers")
        return _patience(look, state, wanted, f"{away.message}, so it can't go live"), away
    book = ledger.awaiting(arm.ledger)
    if book is not None:
        waiting = arm.model_copy(update={"ledger": book})
        rest = [waiting if one.version == arm.version else one for one in kept.arms]
        return state.having(experiment=kept.model_copy(update={"arms": rest})), None
    waits = memory.promised(look, state, arm.version)
    return (waits, memory.in_the_way(waits)) if waits else (promote(look, state, arm, words), None)


def promote(look: Look, state: State, arm: Candidate, words: str, forced: str = "") -> State:
    """A candidate goes live, and all others leave. forced: a person's reason for not waiting for evidence."""
    kept = state.status.experiment
    assert kept
    rest = kept.model_copy(update={"arms": [one for one in kept.arms if one.version != arm.version]})
    ended = _ended(look, state.having(experiment=rest), "Won", arm.version, words)
    return ending.promote(arms.look_at(look, kept, arm), ended.having(candidate=arm), forced)


NOBODY = "nobody is shown to be the best"


def _patience(look: Look, state: State, wanted: Experiment, why: str = NOBODY) -> State:
    """The state after the end, if the patience is over. why: nobody has won."""
    kept = state.status.experiment
    assert kept
    if look.spec.paused or look.now < epoch(kept.since) + seconds(wanted.patience):
        return state
    return _ended(look, state, "Undecided", "", f"after {wanted.patience} {why}: {_table(kept)}")


def stopped(look: Look, state: State, why: str) -> State:
    """The live version answers alone, and nobody has won."""
    return _ended(look, state, "Stopped", "", why)


_EVENTS = {"Won": "ExperimentWon", "Undecided": "ExperimentUndecided", "Stopped": "ExperimentStopped"}


def _ended(look: Look, state: State, result: str, winner: str, words: str) -> State:
    """No more users for the candidates. Those that were shown to be worse than the winner are not tried again."""
    kept = state.status.experiment
    assert kept
    length = human(max(0.0, look.now - epoch(kept.since)))
    for arm in kept.arms:
        how = phase.contender(kept, arm.version).state
        why = Problem("ExperimentEnded", f"the experiment ended after {length}: {result}")
        state = arms.leave(look, state, arm, how, why)
    kept = state.status.experiment
    assert kept
    shares = [one.model_copy(update={"share": 0}) for one in kept.contenders]
    lost = [one.version for one in kept.contenders[1:] if one.state == "Worse" and winner]
    refused = [*(version for version in state.status.refused if version not in lost), *lost]
    over = kept.model_copy(update={
        "phase": "Ended", "result": result, "winner": winner, "message": words[:1024], "ended_at": look.stamp,
        "contenders": shares, "cursors": [], "silent": "", "said": "",
    })  # fmt: skip
    told = Event(_EVENTS[result], words, warning=result != "Won")
    return state.having(told, experiment=over, refused=refused[-ending.REFUSED :])


def _table(kept: ExperimentStatus) -> str:
    """All numbers in a line."""
    return "; ".join(_row(one) for one in kept.contenders if one.total)


def _row(one: Contender) -> str:
    share = 100 * one.successes / one.total
    risk = f", the best one with {100 * float(one.best):.1f} %" if one.best else ""
    loss = f", risk {100 * float(one.loss):.2f} points" if one.loss else ""
    return f"{one.version} {one.successes} of {one.total} ({share:.2f} %{risk}{loss})"
