"""A Pipeline: decides when a run starts, says why (or why not), and clears away old runs.

A decision is recorded (the number, and what it handled) before its run is made. A run is made once for each decision,
whatever is killed in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fairlead.api.kinds import KINDS
from fairlead.api.pipeline import LastRun, Pipeline, PipelineSpec, PipelineStatus, TriggerDecision
from fairlead.api.pipelinerun import PipelineRunSpec
from fairlead.api.units import many
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.plan import core, gauges, standing, store, terse
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    JOB,
    LABEL_PREFIX,
    PIPELINE,
    PIPELINE_RUN,
    Context,
    Event,
    Invalid,
    Json,
    KindSpec,
    Plan,
    Subject,
    World,
)
from fairlead.plan.jobs import failures
from fairlead.plan.pipeline import dag, gpuhours, history, limits, oldruns, tries, turns, waking, watching
from fairlead.plan.pipeline.cache import counts
from fairlead.plan.pipeline.components import find as components
from fairlead.plan.pipeline.components.expand import expand, explained
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.limits import Held
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.triggers.base import WORDS, Due
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import Request

DECISIONS = 20
_MODELS = {info.kind: info.model for info in KINDS}
_NAME_LIMIT = 63
_NAMED = 5
"""So many runs that are under way are named: there may be thousands."""


@dataclass
class Draft(core.Draft[Pipeline, PipelineStatus]):
    """The status that is being made."""

    runs: list[Json]
    """The pipeline's runs, oldest first."""
    blocked: components.NotUsable | None = None
    """Why a Component can't be used that a step names."""

    @property
    def spec(self) -> PipelineSpec:
        """The pipeline's."""
        return self.context.subject.body.spec


def plan(subject: Subject[Pipeline], world: World, now: float) -> Plan:
    """What a Pipeline needs next. Raises Invalid for a spec that makes no sense."""
    store.check_name(subject.meta.name)
    blocked = _validate(subject, world)
    store.store(subject.body.spec.store, world.config, subject.meta.namespace)
    watched = watching.look(Context(subject, world, now)) if not subject.body.spec.suspend else watching.Watched()
    context = Context(_told(subject, watched), world, now)
    draft = Draft(context, context.subject.body.status, runs_of(world, context.name), blocked)
    found = Plan(draft.status)
    _adopt_last(draft)
    draft.update(gpu=gpuhours.added(draft.status.gpu, draft.runs, now))
    suspended, was = draft.spec.suspend, draft.status.phase == "Suspended"
    if suspended:
        _note_suspended(draft)
    else:
        draft.update(handled=triggers.handled(draft.spec, draft.status.handled, now, resumed=was))
        found.requeue_after = _decide(draft, found)
    if draft.status.last_run is not None and not draft.status.last_run.uid:
        found.create = [_run(draft, draft.status.last_run)]
    found.create += watched.create
    turn = turns.given(world, context.name, draft.spec.concurrency, draft.status, now)
    draft.update(**turn.changes)
    if turn.again is not None:
        found.requeue_after = min(turn.again, found.requeue_after or turn.again)
    swept = history.sweep(world, subject.meta.name, draft.spec.history.versions, now)
    _clear(draft, found, swept)
    found.delete += watched.delete
    found.requeue_after = min((one for one in (found.requeue_after, *watched.again) if one is not None), default=None)
    found.status = _finish(draft, swept)
    return found


def _validate(subject: Subject[Pipeline], world: World) -> components.NotUsable | None:
    """Raises Invalid for a spec that makes no sense. Where a Component can't be used, that is returned, and the graph
    is checked when it can."""
    spec = subject.body.spec
    try:
        expanded = expand(spec, world, subject.meta.namespace)
    except components.NotUsable as why:
        dag.validate_rest(spec)
        return why
    try:
        dag.validate(expanded.spec, subject.meta.name)
    except Invalid as why:
        raise explained(why, spec) from None
    return None


def _told(subject: Subject[Pipeline], watched: watching.Watched) -> Subject[Pipeline]:
    """The Pipeline with what Jobs have found out for its triggers."""
    status = subject.body.status.model_copy(update={"code": watched.seen})
    return replace(subject, body=subject.body.model_copy(update={"status": status}))


def observe(subject: Subject[Pipeline], world: World, now: float) -> Iterable[Request]:
    """What triggers have to ask of the outside."""
    if subject.body.spec.suspend:
        return ()
    context = Context(subject, world, now)
    return [*triggers.requests(context), *watching.requests(context)]


def runs_of(world: World, pipeline: str) -> list[Json]:
    """The runs of a pipeline, oldest first: those labelled, and those made by hand that have started."""
    found = (run for run in world.indexed(PIPELINE_RUN, pipeline) if _counts(run, pipeline))
    return sorted(found, key=lambda run: (run["metadata"].get("creationTimestamp", ""), run["metadata"]["name"]))


def _counts(run: Json, pipeline: str) -> bool:
    labelled = (run["metadata"].get("labels") or {}).get(LABEL_PREFIX + "pipeline") == pipeline
    return labelled or bool((run.get("status") or {}).get("template"))


def _phase(run: Json) -> str:
    return str((run.get("status") or {}).get("phase", ""))


# --- the last decision -------------------------------------------------------------------------------------------


def _adopt_last(draft: Draft) -> None:
    """Take note of the recorded run once it is there. If its name is somebody else's, it gets the next number."""
    last = draft.status.last_run
    while last is not None and not last.uid:
        there = draft.context.world.get(PIPELINE_RUN, last.name)
        if there is None:
            return
        if failures.controller(there) == draft.context.uid:
            draft.update(last_run=last.model_copy(update={"uid": there["metadata"]["uid"]}))
            return
        number = _free_number(draft)
        last = last.model_copy(update={"number": number, "name": run_name(draft.context.name, number)})
        renamed = [
            d.model_copy(update={"run": last.name}) if i == 0 and d.run else d
            for i, d in enumerate(draft.status.decisions)
        ]
        seen = tries.renamed(draft.status, there["metadata"]["name"], last.name)
        draft.update(runs=number, last_run=last, decisions=renamed, seen=seen)


def run_name(pipeline: str, number: int) -> str:
    """`<pipeline>-<number>`, shortened when that would be too long for a label."""
    plain = f"{pipeline}-{number}"
    return plain if len(plain) <= _NAME_LIMIT else child_name(pipeline, str(number))


def _run(draft: Draft, last: LastRun) -> Json:
    meta = draft.context.subject.meta
    decisions = [d for d in draft.status.decisions if d.run == last.name]
    decision, waits = next(iter(decisions), None), draft.spec.concurrency in turns.ORDERED
    spec = PipelineRunSpec(
        pipeline=meta.name,
        author=draft.spec.author,
        # one that waits its turn reads what there is at its start
        datasets={} if waits else triggers.pins(draft.spec, draft.status.handled),
        after={} if waits else triggers.follows(draft.spec, {d.trigger: d.key for d in decisions}),
        commit=None if waits else triggers.commit(draft.spec, {d.trigger: d.key for d in decisions}),
        reason=decision.reason if decision else f"{last.trigger}: {last.key}",
    )
    return {
        "apiVersion": PIPELINE_RUN.api_version,
        "kind": PIPELINE_RUN.kind,
        "metadata": {
            "name": last.name,
            "namespace": meta.namespace,
            "labels": labels(pipeline=meta.name),
            "ownerReferences": [owner_reference(PIPELINE.api_version, PIPELINE.kind, meta.name, meta.uid)],
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }


# --- decisions ---------------------------------------------------------------------------------------------------


def _decide(draft: Draft, found: Plan) -> float | None:
    """Start a run for the triggers that ask for one, and that nothing holds back. Returns seconds until the next
    look."""
    context, spec, standing = draft.context, draft.spec, triggers.standing(draft.spec)
    sights = triggers.sights(context)
    draft.update(seen=tries.seen(context, draft.status, sights, triggers.seeing(spec), draft.runs))
    for name, sight in sights.items():
        if sight.state == "Unknown":
            _note_held(draft, found, name, Due("", sight.message[:WORDS]), Held(sight.reason, ""))
    busy, starting, times = _busy(draft), dict[str, Due](), [triggers.next_time(context)]
    for name, due in triggers.due(draft.status.handled, context, tries.anew(draft.status)).items():
        if by := _read_already(draft, name, due):
            _note_read(draft, name, due, by)
            continue
        held = (
            tries.held(spec, draft.status, name, context.now)
            or busy
            or limits.held(spec, draft.status, context.now, name in standing)
            or _without_gpus(draft)
        )
        if held is None:
            starting[name] = due
        else:
            _note_held(draft, found, name, due, held)
            times.append(held.until - context.now if held.until else None)
    if starting:
        _start(draft, found, starting, standing)
    return min((one for one in times if one is not None), default=None)


def _busy(draft: Draft) -> Held | None:
    """Which run no other one may start beside."""
    last = draft.status.last_run
    if last is not None and not last.uid:
        return Held("RunActive", f"waits until run {last.name} is made")
    active = [run["metadata"]["name"] for run in draft.runs if _phase(run) not in TERMINAL]
    if active and draft.spec.concurrency == "Forbid":
        return Held("RunActive", f"waits for run {active[0]}, because spec.concurrency is Forbid")
    mine = [run for run in draft.runs if failures.controller(run) == draft.context.uid and turns.waits(run)]
    if mine and draft.spec.concurrency == "Queue":
        name = mine[0]["metadata"]["name"]
        return Held("RunQueued", f"run {name} waits its turn, and will read the data of its start")
    return None


def _read_already(draft: Draft, trigger: str, due: Due) -> str:
    """The run, made for an earlier sight, that read at its start what a trigger sees only now; empty: there is none."""
    if draft.spec.concurrency not in turns.ORDERED:
        return ""
    keys = {trigger: due.key}
    wanted = {*triggers.pins(draft.spec, keys).items(), *triggers.follows(draft.spec, keys).items()}
    if commit := triggers.commit(draft.spec, keys):
        wanted.add(("", commit))
    for run in reversed(draft.runs if wanted else []):
        status = run.get("status") or {}
        found = {(one["name"], one["version"]) for one in status.get("datasets") or ()}
        found |= {(one["pipeline"], one["run"]) for one in status.get("after") or ()}
        found.add(("", str(status.get("commit") or "")))
        if failures.controller(run) == draft.context.uid and wanted <= found:
            return str(run["metadata"]["name"])
    return ""


def _note_read(draft: Draft, trigger: str, due: Due, run: str) -> None:
    draft.update(handled=draft.status.handled | {trigger: due.key})
    reason = f"{due.reason}; run {run} had waited its turn, and began with it"[:1024]
    _note(draft, TriggerDecision(at=draft.context.stamp, trigger=trigger, key=due.key, run=run, reason=reason))


def _without_gpus(draft: Draft) -> Held | None:
    """Whether the month's GPU hours are used."""
    most, now = draft.spec.limits.gpu_hours_per_month, draft.context.now
    found = gpuhours.over(most, draft.status.gpu, draft.runs, now)
    return Held("GpuBudget", *found) if found else None


def _start(draft: Draft, found: Plan, asking: dict[str, Due], standing: set[str]) -> None:
    """Record one run for everything that asks."""
    number = _free_number(draft)
    name, at = run_name(draft.context.name, number), draft.context.stamp
    reason = "; ".join(_reason(draft, trigger, one) for trigger, one in asking.items())[:1024]
    first, due = next(iter(asking.items()))
    draft.update(
        runs=number,
        last_run=LastRun(number=number, name=name, trigger=first, key=due.key, at=at),
        handled=draft.status.handled | {trigger: one.key for trigger, one in asking.items()},
        starts=limits.started(draft.status.starts, draft.context.now),
    )
    for trigger, one in reversed(asking.items()):
        if trigger in standing:
            draft.update(seen=tries.begun(draft.status, trigger, name, draft.context))
        _note(draft, TriggerDecision(at=at, trigger=trigger, key=one.key, run=name, reason=reason))
    found.events.append(Event("RunStarted", f"{name}: {reason}"))


def _reason(draft: Draft, trigger: str, one: Due) -> str:
    again = tries.why_again(draft.status, trigger, draft.spec)
    return f"{one.reason} ({again})" if again else one.reason


def _free_number(draft: Draft) -> int:
    """The next number whose name nobody has taken."""
    number = draft.status.runs + 1
    while draft.context.world.get(PIPELINE_RUN, run_name(draft.context.name, number)) is not None:
        number += 1
    return number


def _note_suspended(draft: Draft) -> None:
    """What would ask for a run, if the pipeline were not suspended."""
    for trigger, one in triggers.due(draft.status.handled, draft.context).items():
        _note_held(draft, None, trigger, one, Held("Suspended", "spec.suspend is set"))


def _note_held(draft: Draft, found: Plan | None, trigger: str, one: Due, held: Held) -> None:
    """Write down why a trigger starts nothing, unless the last decision about it says the same. Words may differ at
    each look: one "no" is one decision for as long as it is for the same reason."""
    index, last = next(((i, d) for i, d in enumerate(draft.status.decisions) if d.trigger == trigger), (-1, None))
    blind = last is not None and not last.key and not one.key  # nobody knows, and for which reason may come and go
    words = (held.because, "")  # one of an earlier release, or past an earlier definition, has none
    same = last is not None and not last.run and (blind or last.because in words)
    if last is not None and same and last.because in words and last.reason.endswith(held.message):
        return
    reason = f"{one.reason}; {held.message}"[-1024:] if held.message else one.reason[:1024]
    at = last.at if last is not None and same else draft.context.stamp
    decision = TriggerDecision(at=at, trigger=trigger, key=one.key, because=held.because[:64], reason=reason)
    if same:
        said = [decision if i == index else d for i, d in enumerate(draft.status.decisions)]
        draft.update(decisions=said)
        return
    _note(draft, decision)
    if held.because == tries.GAVE_UP and found is not None:
        found.events.append(Event(tries.GAVE_UP, f"{trigger}: {held.message}"[:1024], warning=True))


def _note(draft: Draft, decision: TriggerDecision) -> None:
    draft.update(decisions=[decision, *draft.status.decisions][:DECISIONS])


# --- history -----------------------------------------------------------------------------------------------------


def _clear(draft: Draft, found: Plan, swept: history.Sweep) -> None:
    """Old runs and old versions go. Thousands of versions go in small lots, so that nothing else has to wait."""
    before = draft.context.subject.body.status
    draft.status = history.recorded(draft.status, swept, draft.context.world, draft.context.now)
    old = oldruns.sweep(draft.context.world, draft.runs, draft.spec.history, draft.context.now)
    found.delete = [*old.deletions, *swept.deletions]
    others = bool(found.create or found.events)
    if told := history.news(before, draft.status):
        found.events.append(Event("VersionsCleared", told[:1024]))
    found.steady = swept.more and not others
    times = (found.requeue_after, swept.again, old.again, history.PAUSE if swept.more else None)
    found.requeue_after = min((one for one in times if one is not None), default=None)


# --- what people see ---------------------------------------------------------------------------------------------


def _finish(draft: Draft, swept: history.Sweep) -> PipelineStatus:
    count = [_phase(run) for run in draft.runs]
    draft.update(
        active=sum(phase not in TERMINAL for phase in count),
        succeeded=count.count("Completed"),
        failed=count.count("Failed"),
        cache=counts.counted(draft.runs),
    )
    conditions = Conditions(draft.status.conditions, draft.context.now, draft.context.subject.meta.generation)
    found = _standing(draft)
    standing.tell(conditions, found)
    _last_run(conditions, draft.runs)
    tries.tell(conditions, draft.spec, draft.status)
    counts.tell(conditions, draft.runs)
    history.tell(conditions, swept, draft.spec.history.versions, draft.status)
    phase, message = _summary(draft)
    return draft.status.model_copy(
        update={
            "phase": phase,
            "message": found.message if found.word != "Ready" and phase == "Ready" else message,
            "observed_generation": draft.context.subject.meta.generation,
            **conditions.said(),
        }
    )


def _standing(draft: Draft) -> standing.Standing:
    """Whether runs can start. How the last one ended is another matter."""
    missing = [one for one in dag.references(draft.spec) if draft.context.world.get(*one) is None]
    if missing:
        kind = missing[0].kind
        names = ", ".join(one.name for one in missing if one.kind == kind)
        text = f"there is no {kind.kind} {names} in this namespace; create it"
        return standing.reconciling(f"{kind.kind}Missing", text)
    if (blocked := draft.blocked) is not None:
        return (standing.stalled if blocked.stalled else standing.reconciling)(blocked.reason, blocked.message)
    unreadable = _unreadable(draft)
    if unreadable:
        return standing.stalled(unreadable.reason, unreadable.message)
    if draft.spec.suspend:
        return standing.ready("Suspended", "spec.suspend is set: no trigger starts a run")
    return standing.ready("Valid", "the pipeline can run")


def _last_run(conditions: Conditions, runs: list[Json]) -> None:
    """How the newest run that has ended did."""
    ended = [run for run in runs if _phase(run) in TERMINAL]
    if not ended:
        conditions.drop("LastRunSucceeded")
        return
    last, phase = ended[-1], _phase(ended[-1])
    said = str((last.get("status") or {}).get("message", ""))
    conditions.set("LastRunSucceeded", phase == "Completed", f"Run{phase}", f"{last['metadata']['name']}: {said}")


def _unreadable(draft: Draft) -> NotReadable | None:
    """The first object that can't be read: it starts no run, and a run waits for it. All other triggers go on."""
    for one in dag.references(draft.spec):
        raw = draft.context.world.get(*one)
        try:
            if raw is not None:
                read(_MODELS[one.kind.kind], one.kind, raw)
        except NotReadable as why:
            return why
    return None


def _summary(draft: Draft) -> tuple[str, str]:
    """Phase and message."""
    active = [run["metadata"]["name"] for run in draft.runs if _phase(run) not in TERMINAL]
    ended = [run for run in draft.runs if _phase(run) in TERMINAL]
    if draft.spec.suspend:
        return "Suspended", "spec.suspend is set: no trigger starts a run"
    if active:
        rest = f" and {many(len(active) - _NAMED, 'other')}" if len(active) > _NAMED else ""
        return "Running", f"running {', '.join(active[:_NAMED])}{rest}"
    if ended and _phase(ended[-1]) == "Failed":
        name = ended[-1]["metadata"]["name"]
        return "Failed", f"run {name}: {(ended[-1].get('status') or {}).get('message', '')}"[:1024]
    return "Ready", f"last run {ended[-1]['metadata']['name']}: {_phase(ended[-1])}" if ended else "no run yet"


SPEC: KindSpec[Pipeline] = KindSpec(
    kind=PIPELINE,
    info=next(info for info in KINDS if info.model is Pipeline),
    plan=plan,
    smaller=terse.of_pipeline,
    children=(PIPELINE_RUN, JOB),
    observe=observe,
    mappers=waking.mappers(),
    anywhere=waking.ANYWHERE,
    heeds=waking.heeds(),
    gauges=gauges.of_pipeline,
)
