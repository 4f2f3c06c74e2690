"""The course of a run that has started: which steps begin, what is not waited for any more, when it is over.

Steps without `when` decide how it goes. Once they are over, that is recorded (`status.verdict`), and nothing changes it
any more: neither how the steps after them end (`when: always`, `failed`), nor a cancel that comes then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import PipelineRunStatus, RunVerdict, StepStatus
from fairlead.plan.core import Plan
from fairlead.plan.pipeline import addresses, dag, ending, judging, metering, produce, steps, units
from fairlead.plan.pipeline.cache import look as cache

_STRONGER = ("drain", "finally", "now")


class Look(NamedTuple):
    """What one look goes by."""

    view: steps.View
    spec: PipelineSpec
    before: PipelineRunStatus
    cancel: str | None
    """`drain`, `finally` or `now`."""
    overdue: bool
    """Whether the run takes longer than it may."""

    @property
    def suspended(self) -> bool:
        """Whether nothing begins at the moment."""
        return self.view.subject.body.spec.suspend and self.cancel is None

    def deciding(self, found: Iterable[StepStatus]) -> list[StepStatus]:
        """Those of the steps by which it is decided how the run goes."""
        names = {step.name for step in self.spec.steps if not dag.is_last(step)}
        return [s for s in found if s.name in names]


def go_on(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    """One look at a run that has started."""
    look = Look(view, spec, status, _cancel(view, status), ending.overdue(view, status, spec))
    status = _with(status, [cache.after(status, spec, s, units.advance(view, s)) for s in status.steps])
    status = _decide(look, _deciding(look, status)) if status.verdict is None else status
    status = _last(look, status) if status.verdict is not None else status
    both = zip(look.before.steps, status.steps, strict=True)
    status = _with(status, [metering.metered(view, spec, old, new) for old, new in both])
    done = sum(s.phase == "Completed" for s in status.steps)
    found = _next(look, status.model_copy(update={"progress": f"{done}/{len(status.steps)}"}))
    before = {s.name: s for s in look.before.steps}
    told = [event for s in status.steps for event in units.events(before.get(s.name) or StepStatus(name=s.name), s)]
    recorded = {s.name: s for s in view.subject.body.status.steps}
    told += (event for s in status.steps for event in cache.events(recorded.get(s.name), s))
    found.events = [*told, *found.events]
    found.delete += [gone for s in status.steps if s.reason in units.ENDING for gone in units.stopped(view, s)]
    found.delete += [gone for s in status.steps for gone in units.lingering(view, s)]
    found.delete += addresses.unneeded(view, spec, status.steps)
    found.requeue_after = min(view.look_again, default=None)
    found.moving = any(s.items is not None and units.busy(s) for s in status.steps)
    return found


def _cancel(view: steps.View, status: PipelineRunStatus) -> str | None:
    """The strongest wish that the run may end."""
    wishes = [view.subject.body.spec.cancel, "finally" if status.replaced_by else None]
    return max((one for one in wishes if one), key=_STRONGER.index, default=None)


def _with(status: PipelineRunStatus, found: list[StepStatus]) -> PipelineRunStatus:
    return status.model_copy(update={"steps": found})


# --- steps that decide how the run goes ----------------------------------------------------------------------------


def _deciding(look: Look, status: PipelineRunStatus) -> PipelineRunStatus:
    """What becomes of them: some are stopped, or some begin."""
    view = look.view
    if look.cancel in ("now", "finally"):
        return _each(look, status, lambda old, new: units.aborted(view, old, new, units.CANCELLED))
    if look.overdue:
        return _each(look, status, lambda old, new: units.aborted(view, old, new, units.TIMEOUT))
    if _failed(look, status):
        return _each(look, status, lambda old, new: units.without(view, old, new))
    if look.cancel:
        return _each(look, status, lambda old, new: units.drained(view, old, new))
    if look.suspended:
        return status
    status = _judged(look, status, [step for step in look.spec.steps if not dag.is_last(step)])
    return status if _failed(look, status) else _begun(look, status, look.deciding(status.steps))


def _each(
    look: Look, status: PipelineRunStatus, change: Callable[[StepStatus, StepStatus], StepStatus]
) -> PipelineRunStatus:
    """The status with what becomes of each step that decides (before this look, and as it was found), in its place."""
    mine = {s.name for s in look.deciding(status.steps)}
    both = zip(look.before.steps, status.steps, strict=True)
    return _with(status, [change(old, new) if new.name in mine else new for old, new in both])


def _failed(look: Look, status: PipelineRunStatus) -> StepStatus | None:
    return next((s for s in look.deciding(status.steps) if s.phase == "Failed"), None)


def _judged(look: Look, status: PipelineRunStatus, mine: Collection[Step]) -> PipelineRunStatus:
    """With those over that are skipped, or can't be judged; what is skipped may decide of others."""
    while True:
        changed = {s.name: s for step in mine if (s := _over(look, status, step)) is not None}
        if not changed:
            return status
        status = _with(status, [changed.get(s.name, s) for s in status.steps])


def _over(look: Look, status: PipelineRunStatus, step: Step) -> StepStatus | None:
    """A step that is over without having run; None: it is not."""
    before = next(s for s in status.steps if s.name == step.name)
    if not _waits(before):
        return None
    word, reason, message = judging.judge(step, look.spec, status)
    phase = {"skip": "Completed", "fail": "Failed"}.get(word)
    changes = {"phase": phase, "reason": reason, "message": message[: steps.MESSAGE], "finished_at": look.view.stamp}
    return before.model_copy(update=changes) if phase else None


def _waits(status: StepStatus) -> bool:
    """Whether a step has not begun. One that is tried again has been judged."""
    return status.phase == "Pending" and not status.attempt and not units.busy(status)


def _begun(look: Look, status: PipelineRunStatus, mine: Iterable[StepStatus]) -> PipelineRunStatus:
    by_name = {step.name: step for step in look.spec.steps}

    def ready(s: StepStatus) -> bool:
        judged = not _waits(s) or judging.judge(by_name[s.name], look.spec, status) == judging.BEGIN
        return judged and units.due(look.view, s)

    def begun(s: StepStatus) -> StepStatus:
        s = cache.before(look.view, status, look.spec, s)
        return units.begin(look.view, s) if cache.begins(s) else s

    names = {s.name for s in mine if ready(s)}
    return _with(status, [begun(s) if s.name in names else s for s in status.steps])


# --- the verdict -----------------------------------------------------------------------------------------------------


def _decide(look: Look, status: PipelineRunStatus) -> PipelineRunStatus:
    """Record how it goes, once nothing runs any more that could change it."""
    mine = look.deciding(status.steps)
    failed = _failed(look, status)
    ends = look.cancel or failed or look.overdue
    if any(units.busy(s) for s in mine) or not (ends or all(s.phase == "Completed" for s in mine)):
        return status
    if look.cancel:
        by = f"; run {status.replaced_by} takes its place" if status.replaced_by else ""
        verdict = ("Aborted", "Cancelled", f"cancelled; its pods are gone{by}")
    elif failed:
        verdict = ("Failed", failed.reason or "StepFailed", f"step {failed.name}: {failed.message}")
    elif all(s.phase == "Completed" for s in mine):
        verdict = ("Completed", "Completed", "all steps completed")
    else:
        text = f"it took longer than {look.spec.timeout}, its Pipeline's spec.timeout; raise it, or do less"
        verdict = ("Failed", units.TIMEOUT, text)
    phase, reason, message = verdict
    decided = RunVerdict.model_validate(
        {"phase": phase, "reason": reason, "message": message[:512], "at": look.view.stamp}
    )
    rest = {s.name for s in mine}
    found = [ending.left(s) if s.name in rest else s for s in status.steps]
    return _with(status, found).model_copy(update={"verdict": decided})


def _last(look: Look, status: PipelineRunStatus) -> PipelineRunStatus:
    """The steps that come after the verdict."""
    mine = [step for step in look.spec.steps if dag.is_last(step)]
    names = {step.name for step in mine}
    if look.cancel == "now":
        both = zip(look.before.steps, status.steps, strict=True)
        stopped = [units.aborted(look.view, old, new, units.CANCELLED) if new.name in names else new
                   for old, new in both]  # fmt: skip
        return _with(status, stopped)
    if look.suspended:
        return status
    status = _judged(look, status, mine)
    return _begun(look, status, [s for s in status.steps if s.name in names])


# --- what follows ---------------------------------------------------------------------------------------------------


def _next(look: Look, status: PipelineRunStatus) -> Plan:
    if status.verdict is None:
        return _run_on(look, status, *_summary(look, status))
    making = Plan(status)
    if status.verdict.phase == "Completed":
        status = status.model_copy(update={"models": produce.names(look.view, status, look.spec)})
        making.create = produce.missing(look.view, status, look.spec)
    cleared = not addresses.left(look.view)
    if all(units.over(s) for s in status.steps) and not making.create and cleared:
        return ending.conclude(look.view, status, look.spec)
    text = f"making {', '.join(m['metadata']['name'] for m in making.create)}" if making.create else ""
    word = ("Producing", text) if text else _after(look, status)
    found = _run_on(look, status, *word)
    found.create += making.create
    return found


def _run_on(look: Look, status: PipelineRunStatus, reason: str, message: str) -> Plan:
    view = look.view
    making = [units.make(view, status, look.spec, s) for s in status.steps]
    status = _with(status, [one.status for one in making])
    if reason == "Running":  # one that could not be made says why
        reason, message = _under_way(status.steps)
    found = Plan(ending.state(view, status, "Running", reason, message))
    found.create = [*addresses.missing(view, status, look.spec), *(job for one in making for job in one.create)]
    found.delete = [gone for s in status.steps if s.reason not in units.ENDING for gone in units.outdated(view, s)]
    return found


def _summary(look: Look, status: PipelineRunStatus) -> tuple[str, str]:
    """Reason and message of a run that is under way: what holds it up, else what it does."""
    running = ", ".join(units.doing(s) for s in status.steps if units.busy(s))
    if look.cancel == "drain":
        return "Cancelling", f"cancelled; waiting for the steps that still run: {running}"
    if look.cancel:
        return "Cancelling", "cancelled; waiting until its pods are gone"
    if look.overdue:
        return units.TIMEOUT, f"it took longer than {look.spec.timeout}; waiting until its pods are gone"
    if look.suspended and not _failed(look, status):
        return "Suspended", f"spec.suspend is set: no step begins{f'; running {running}' if running else ''}"
    return "Running", ""


def _under_way(looked: Iterable[StepStatus]) -> tuple[str, str]:
    looked = list(looked)
    for s in looked:
        if s.phase == "Failed":
            return "StepFailed", f"step {s.name} failed; waiting for the steps that still run"
    for s in sorted(looked, key=lambda s: s.reason == steps.STARTING):
        if s.phase == "Pending" and s.message:
            pause = f", again at {s.not_before}" if s.not_before else ""
            return s.reason, f"step {s.name}: {s.message}{pause}"
    active = [units.doing(s) for s in looked if units.busy(s)]
    return "Running", f"running {', '.join(active)}" if active else ""


def _after(look: Look, status: PipelineRunStatus) -> tuple[str, str]:
    """What is said once the verdict is there, and other steps are not over."""
    assert status.verdict is not None
    left = [s for s in status.steps if not units.over(s)]
    if look.cancel == "now":
        return "Cancelling", f"{status.verdict.message}; waiting until the pods of its last steps are gone"
    if not left:
        return "Finally", f"{status.verdict.phase}: {status.verdict.message}; the names of its workers are taken back"
    held = "spec.suspend is set, and these have not begun" if look.suspended else "after that come"
    why = next((f"; step {s.name}: {s.message}" for s in left if s.phase == "Pending" and s.message), "")
    text = f"{status.verdict.phase}: {status.verdict.message}; {held} {', '.join(s.name for s in left)}{why}"
    return "Suspended" if look.suspended else "Finally", text
