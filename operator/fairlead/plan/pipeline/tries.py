"""No circles: what came of a trigger's last run, and whether it may ask once more.

A trigger that goes by what is the case would start a run again and again, if its run changes nothing: a version that is
no better than the live one is rejected, and the case stays the case. So each case gets one run. It gets another one
only after its run has failed or its version was rejected, after a pause, and only so many times in a row; then a person
is asked. An approved version is no end of that: it may be taken back, or be live and the case stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fairlead.api.pipeline import Outcome, Pipeline, PipelineSpec, PipelineStatus, Seen, Tried
from fairlead.api.units import seconds
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    LABEL_PREFIX,
    MODEL_VERSION,
    PIPELINE_RUN,
    Context,
    Json,
    World,
    epoch,
    rfc3339,
)
from fairlead.plan.jobs import failures
from fairlead.plan.model import references
from fairlead.plan.model.waking import of_model
from fairlead.plan.pipeline import produce
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.limits import Held
from fairlead.plan.pipeline.triggers.base import WORDS, Sight

GAVE_UP, OBSERVED = "GaveUp", "TriggersObserved"
NOT_YET = ("NotSeen", "Confirming", "LabelsAwaited")
"""Reasons for which nobody knows, and which are no fault: it has not been there so far, or is being found out."""
BAD: tuple[Outcome, ...] = ("Rejected", "Refused", "Failed", "Gone")
"""Outcomes after which the same may ask once more."""
_WAITS: tuple[Outcome, ...] = ("Proving", "AwaitingApproval")
_SETTLED: tuple[Outcome, ...] = ("Rejected", "Refused", "Failed", "Gone", "Done")
_LONG_AGO = "1970-01-01T00:00:00Z"
_USED = ("Live", "Candidate", "Arm", "Standby", "WayBack")


# --- what came of a run --------------------------------------------------------------------------------------------


def outcome(world: World, run: str) -> tuple[Outcome, str]:
    """What came of a run, and in words."""
    raw = world.get(PIPELINE_RUN, run)
    status = (raw.get("status") or {}) if raw is not None else {}
    phase = status.get("phase")
    if raw is not None and phase not in TERMINAL:
        return "Running", f"{run} is under way"
    if raw is not None and phase != "Completed":
        return "Failed", f"{run} has ended as {phase}: {status.get('message') or 'it says nothing more'}"
    made = list(_made(world, run, raw))
    if raw is not None and not status.get("models"):
        return "Done", f"{run} is completed, and makes no models"
    return _best(made) if made else ("Gone", f"{run} and its versions are gone: nobody knows what became of them")


def _made(world: World, run: str, raw: Json | None) -> Iterator[Json]:
    """The versions that a run has made; of one that is cleared away those that say so."""
    if raw is None:
        yield from world.select(MODEL_VERSION, {f"{LABEL_PREFIX}run": run})
        return
    for name in raw["status"].get("models") or ():
        version = world.get(MODEL_VERSION, name)
        if version is not None and produce.made_by(version) == raw["metadata"]["uid"]:
            yield version


def _best(versions: Iterable[Json]) -> tuple[Outcome, str]:
    """Of several versions, what lets the trigger rest counts first."""
    found = [_fate(raw) for raw in versions]
    order: tuple[Outcome, ...] = ("Approved", "AwaitingApproval", "Proving", "Refused", "Rejected")
    return min(found, key=lambda one: order.index(one[0]))


def _fate(raw: Json) -> tuple[Outcome, str]:
    name, status = raw["metadata"]["name"], raw.get("status") or {}
    phase, said = status.get("phase") or "Pending", str(status.get("message") or "")
    if phase in ("Rejected", "Revoked"):
        return "Rejected", f"{name} is {phase}: {said}"
    if phase == "AwaitingApproval":
        return "AwaitingApproval", f"{name} waits for approval"
    if phase != "Approved":
        return "Proving", f"{name} is {phase}"
    if refused(raw):
        return "Refused", f"{name} was approved, and taken back where it was rolled out"
    return "Approved", f"{name} is approved"


def refused(version: Json) -> bool:
    """Whether it was taken back by a Deployment, and none uses it."""
    return "Refused" in _roles(version) and not _in_use(version)


def _in_use(version: Json) -> bool:
    return any(role in _USED for role in _roles(version))


def _roles(version: Json) -> list[object]:
    said = (version.get("status") or {}).get("deployments")
    return [one.get("role") for one in said if isinstance(one, dict)] if isinstance(said, list) else []


# --- what is written down ------------------------------------------------------------------------------------------


def seen(
    context: Context[Pipeline], status: PipelineStatus, found: Mapping[str, Sight], names: Iterable[str],
    runs: Iterable[Json],
) -> list[Seen]:  # fmt: skip
    """What triggers see now, and what came of their runs; what has not changed stays word by word. names: of the
    triggers that there are; one that was not asked for keeps what it saw."""
    before, runs = {one.trigger: one for one in status.seen}, list(runs)
    written = []
    for name in names:
        old, sight = before.get(name), found.get(name)
        if sight is None and old is None:
            continue
        new = _written(old, name, sight, context.now) if sight is not None else old
        assert new is not None
        last = _brought_up(context, new.last, runs)
        if last and sight and old and old.state == "Quiet" and sight.state != "Quiet":
            last = _once_more(context, old, sight, last, status.handled.get(name) == sight.key)
        written.append(new.model_copy(update={"last": last}))
    return sorted(written, key=lambda one: one.trigger)


def _written(old: Seen | None, name: str, sight: Sight, now: float) -> Seen:
    """A sight, with the words of when it was first so."""
    what = (sight.state, sight.reason, sight.begun, sight.at, sight.held)
    told = sight.exact and old is not None and old.message != sight.message[:WORDS]
    if old and not told and what == (old.state, old.reason, old.begun, old.at, old.held):
        return old
    same = old is not None and (old.state, old.reason) == (sight.state, sight.reason)
    return Seen(
        trigger=name, state=sight.state, reason=sight.reason[:64], message=sight.message[:WORDS],
        since=old.since if old and same else rfc3339(now), begun=sight.begun, at=sight.at, held=sight.held,
        last=old.last if old else None,
    )  # fmt: skip


def _once_more(context: Context[Pipeline], quiet: Seen, sight: Sight, last: Tried, same: bool) -> Tried:
    """The last try, when it is the case after it was not. same: by the key that was handled, as if it had never been
    otherwise; then what came of the run is over."""
    over = {"outcome": "Gone", "message": f"what {last.run} has brought about is over"[:WORDS]}
    changes: Json = over if same and last.outcome in ("Approved", "Done") else {}
    if _is_another(context.subject.body.spec, quiet, sight, last, same, context.now):
        return last.model_copy(update={**changes, "tries": 0, "since": None})
    if changes and not sight.flickers:  # the version is not there any more that had ended it
        return last.model_copy(update={**changes, "tries": vain(last), "since": context.stamp})
    return last


def _is_another(spec: PipelineSpec, quiet: Seen, sight: Sight, last: Tried, same: bool, now: float) -> bool:
    """Whether it is another matter that begins now: it was not the case for long enough. What flickers is the same
    one."""
    approved = last.outcome == "Approved"
    ended = approved and not sight.flickers and not same
    return ended or now - epoch(quiet.since) >= (seconds(spec.limits.backoff) if approved else pause(spec))


def pause(spec: PipelineSpec) -> float:
    """Seconds from the end of a try to the next one."""
    return max(seconds(spec.limits.backoff), seconds(spec.cooldown))


def _brought_up(context: Context[Pipeline], last: Tried | None, runs: list[Json]) -> Tried | None:
    """What came of the last run, as it is known now."""
    if last is None:
        return None
    last = _by_hand(context, last, runs)
    generation = context.subject.meta.generation
    if last.generation != generation:  # somebody has seen to it: nothing that was tried before counts
        last = last.model_copy(update={"generation": generation, "tries": 0, "since": None})
    word, message = _now(context, last)
    if word != last.outcome:
        tries = last.tries + 1 if word in BAD else last.tries
        changes = {"outcome": word, "message": message[:WORDS], "since": context.stamp, "tries": tries}
        last = last.model_copy(update=changes)
    return _approved_meanwhile(context, last) if last.outcome in BAD else last


def _now(context: Context[Pipeline], last: Tried) -> tuple[Outcome, str]:
    """What came of a run, after what was known: what has come of it stays so, whatever is cleared away."""
    recorded = context.subject.body.status.last_run
    unmade = recorded is not None and recorded.name == last.run and not recorded.uid
    if last.outcome in _SETTLED or unmade or not last.run:
        return last.outcome, last.message
    word, message = outcome(context.world, last.run)
    gone = last.outcome == "Approved" and word not in ("Refused", "Rejected")
    return (last.outcome, last.message) if gone else (word, message)


def _by_hand(context: Context[Pipeline], last: Tried, runs: list[Json]) -> Tried:
    """A run that a person has made since is another beginning."""
    mine = [run for run in runs if failures.controller(run) != context.uid]
    newer = [run for run in mine if epoch(run["metadata"].get("creationTimestamp") or _LONG_AGO) >= epoch(last.at)]
    if not newer or newer[-1]["metadata"]["name"] == last.run:
        return last
    meta = newer[-1]["metadata"]
    return last.model_copy(update={
        "run": meta["name"], "at": meta["creationTimestamp"], "outcome": "Running", "message": "", "since": None,
        "tries": 0,
    })  # fmt: skip


def _approved_meanwhile(context: Context[Pipeline], last: Tried) -> Tried:
    """Where a version of what the pipeline makes was approved since, whoever has made it: first that one has its
    chance, and its run, if it is of one, is followed instead. Only one that no run has made is another beginning: two
    Pipelines with one model would give each other new tries for ever."""
    models = {one.model for one in context.subject.body.spec.produces}
    found = [(_approved_at(raw), raw) for model in models for raw in of_model(context.world, model)
             if last.outcome != "Refused" or _run_of(raw) != last.run or _in_use(raw)]  # fmt: skip
    when, newest = max(found, key=lambda one: one[0], default=(0.0, None))
    if newest is None or when <= epoch(last.at):
        return last
    run = _run_of(newest)
    return last.model_copy(update={
        "run": run, "at": rfc3339(when), "outcome": "Approved", "since": context.stamp,
        "tries": last.tries if run else 0, "message": f"{newest['metadata']['name']} is approved",
    })  # fmt: skip


def _run_of(version: Json) -> str:
    """The run that has made it, or an empty string."""
    return str((version["metadata"].get("labels") or {}).get(f"{LABEL_PREFIX}run", ""))[:63]


def _approved_at(raw: Json) -> float:
    """When it was approved (epoch seconds); 0.0: it is not, or nobody can tell."""
    status = raw.get("status") or {}
    if status.get("phase") != "Approved" or refused(raw):
        return 0.0
    try:
        said = (one for one in status.get("conditions") or () if one.get("type") == "Approved")
        return max((epoch(one["lastTransitionTime"]) for one in said if one.get("lastTransitionTime")), default=0.0)
    except references.STRANGE:
        return 0.0


def begun(status: PipelineStatus, name: str, run: str, context: Context[Pipeline]) -> list[Seen]:
    """What is written down, with a run that is started for a trigger now."""

    def anew(one: Seen) -> Seen:
        tried = Tried(
            run=run, at=context.stamp, begun=one.begun, since=context.stamp, tries=vain(one.last) if one.last else 0,
            message=f"{run} is under way", generation=context.subject.meta.generation,
        )  # fmt: skip
        return one.model_copy(update={"last": tried})

    return [anew(one) if one.trigger == name else one for one in status.seen]


def renamed(status: PipelineStatus, old: str, new: str) -> list[Seen]:
    """What is written down, with another name of a run that is not made yet."""

    def named(one: Seen) -> Seen:
        mine = one.last is not None and one.last.run == old
        return one.model_copy(update={"last": one.last.model_copy(update={"run": new})}) if one.last and mine else one

    return [named(one) for one in status.seen]


# --- whether it may ask --------------------------------------------------------------------------------------------


def anew(status: PipelineStatus) -> set[str]:
    """Triggers whose case was handled, and is spoken of once more: by another run, or by why there is none."""
    return {one.trigger for one in status.seen if one.last and one.last.outcome in (*BAD, *_WAITS)}


def vain(last: Tried) -> int:
    """How many runs in a row have not helped, if it asks once more."""
    return last.tries + (last.outcome == "Approved" and last.since is not None)


def held(spec: PipelineSpec, status: PipelineStatus, name: str, now: float) -> Held | None:
    """Why a trigger that asks may not start a run now, by what came of its last one; None: it may, or it never has."""
    mine = next((one for one in status.seen if one.trigger == name), None)
    last = mine.last if mine else None
    if mine is None or last is None:
        return None
    if last.outcome == "Running":
        return Held("RunActive", f"waits for its run {last.run}")
    if last.outcome == "Proving":
        return Held("Proving", f"waits until it is known whether the version of {last.run} is better: {last.message}")
    if last.outcome == "AwaitingApproval":
        return Held("AwaitingApproval", f"waits for a person: {last.message}; see kubectl fairlead approve --help")
    if vain(last) >= spec.limits.give_up:
        return Held(GAVE_UP, gave_up(last))
    waits = last.outcome != "Done" or last.begun == mine.begun  # nobody knows what came of Done: a new case is new
    again = epoch(last.since) + pause(spec) if last.since and waits else now
    if again > now:
        return Held("BackOff", f"{last.message}; waits until {rfc3339(again)}, because of limits.backoff", again)
    return None


def gave_up(last: Tried) -> str:
    """What a person is told."""
    runs = "1 run has" if vain(last) == 1 else f"{vain(last)} runs in a row have"
    told = f"{runs} not helped, the last one: {_still(last)}"
    return f"{told}. It starts no more until a person has looked: correct the spec, or use kubectl fairlead run"


def why_again(status: PipelineStatus, name: str, spec: PipelineSpec) -> str:
    """Why a trigger asks once more, for people; empty: it does not."""
    last = next((one.last for one in status.seen if one.trigger == name), None)
    if last is None or not vain(last) or last.outcome not in (*BAD, "Approved"):
        return ""
    return f"try {vain(last) + 1} of {spec.limits.give_up}, for {_still(last)}"


def _still(last: Tried) -> str:
    return f"{last.message}, and yet it is so" if last.outcome == "Approved" else last.message


# --- what people see -----------------------------------------------------------------------------------------------


def tell(told: Conditions, spec: PipelineSpec, status: PipelineStatus) -> None:
    """The conditions TriggersObserved, and GaveUp while a trigger asks in vain."""
    blind = [one for one in status.seen if one.state == "Unknown"]
    blind.sort(key=lambda one: one.reason in NOT_YET)
    if blind:
        words = "; ".join(f"{one.trigger}: {one.message}" for one in blind)
        told.set(OBSERVED, None, blind[0].reason, f"no run is started by what nobody knows: {words}")
    elif status.seen:
        told.set(OBSERVED, True, "Observed", "what triggers go by can be seen")
    else:
        told.drop(OBSERVED)
    tired = [one for one in status.seen if one.state == "Asks" and _tired(one, spec, status)]
    if tired:
        words = "; ".join(f"{one.trigger}: {gave_up(one.last)}" for one in tired if one.last)
        told.set(GAVE_UP, True, "NoBetterVersion", words)
    else:
        told.drop(GAVE_UP)


def _tired(one: Seen, spec: PipelineSpec, status: PipelineStatus) -> bool:
    if one.last is None or vain(one.last) < spec.limits.give_up:
        return False
    newest = next((said.because for said in status.decisions if said.trigger == one.trigger), "")
    return one.last.outcome in BAD or newest == GAVE_UP  # an approved version may still end it, until it asks again
