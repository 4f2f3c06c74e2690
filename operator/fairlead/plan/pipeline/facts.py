"""What a report is told of its run: only what can't change any more, so that it is the same whenever it is asked.

That is what the run fixed at its start, and the steps that are over before the report begins, whatever else is under
way. It has to fit into a Job; what has no room is left out, the least important first, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fairlead.api.items import mask_of
from fairlead.api.pipeline import Input, PipelineSpec
from fairlead.api.pipelinerun import PipelineRun, PipelineRunStatus, StepStatus
from fairlead.api.report import LIMIT, Earlier, Fact, InputFacts, ItemFacts, ReportTask, StepFacts
from fairlead.manifests import pod
from fairlead.plan.core import PIPELINE_RUN, Json
from fairlead.plan.pipeline import code, items, refs, runs
from fairlead.plan.pipeline.steps import SKIPPED, View, ran
from fairlead.plan.read import NotReadable, read

_REASON = 256
"""Characters of why a run was started, and of how it went."""
_HITS = ("Hit", "Resumed")
_LOG = "; log: "
"""Before the place of a failed step's log, at the end of its message."""

Cut = Callable[[ReportTask, ReportTask], tuple[ReportTask, str]]
"""From the task as it is by now, and as it was: a shorter one, and what people are told of that."""


def text(task: ReportTask) -> str:
    """The task as a container is told it: JSON without slashes that look like a path, for what runs Jobs on somebody's
    machine puts its own folders into texts that name a pod's."""
    said = task.model_dump_json(by_alias=True, exclude_defaults=True).replace("/", "\\/")
    return pod.literal(said)


# --- what there is to tell -----------------------------------------------------------------------------------------


def of_run(view: View, run: PipelineRunStatus, spec: PipelineSpec) -> list[Fact]:
    """What the run fixed at its start."""
    return [Fact(label=label, text=said) for label, said in _of_run(view, run, spec) if said]


def _of_run(view: View, run: PipelineRunStatus, spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    asked, git = view.subject.body.spec, code.git_of(spec)
    yield "Because", asked.reason[:_REASON]
    yield "Started by", asked.author or ""
    yield "Goes on from", f"run {asked.resume_from}" if asked.resume_from else ""
    yield "Changed for this run", f"step {asked.edit.step}" if asked.edit else ""
    yield "Started", _moment(run.started_at or "")
    if git and run.commit:
        yield "Code", f"{git.url}@{run.commit} (ref {git.ref or 'HEAD'})"
    yield from (("Dataset", f"{one.name}@{one.version} ({one.digest[:12]})") for one in run.datasets)
    yield from (("Of another Pipeline", f"{one.output} of run {one.run} of {one.pipeline}") for one in run.after)
    yield from (
        ("Component", f"step {one.step}: {one.namespace}{'/' if one.namespace else ''}{one.name} {one.version}"
         f"{' (comes with Fairlead)' if one.builtin else ''} ({one.digest[:12]})") for one in run.components
    )  # fmt: skip


def _moment(stamp: str) -> str:
    """As people read it: to the second."""
    return f"{stamp[:10]} {stamp[11:19]} UTC" if stamp else ""


def words(message: str) -> str:
    """A message without where the log is: a pod goes, and a run on somebody's machine says another place later on."""
    return message.partition(_LOG)[0]


def of_step(step: StepStatus, program: str, after: list[str]) -> StepFacts:
    """What became of a step that is over."""
    cache = step.cache
    return StepFacts(
        name=step.name, runs=program, after=after, phase=step.phase, reason=step.reason, message=words(step.message),
        started_at=step.started_at or "", finished_at=step.finished_at or "", attempts=step.attempt,
        failures=step.failures, disruptions=step.disruptions, gpu_seconds=step.gpu_seconds,
        cache=cache.message if cache is not None and cache.outcome in _HITS else "", metrics=dict(step.metrics),
        items=_of_items(step),
    )  # fmt: skip


def _of_items(step: StepStatus) -> ItemFacts | None:
    found = step.items
    if found is None:
        return None
    return ItemFacts(
        total=found.total, completed=found.completed, failed=mask_of(found.failed).bit_count(),
        stopped=mask_of(found.stopped).bit_count(), left_out=mask_of(found.left_out).bit_count(), why=found.why,
    )  # fmt: skip


def earlier(view: View) -> Earlier | None:
    """The newest run of the same Pipeline that was made before this one and has completed, with its metrics."""
    raw = view.subject.raw
    pipeline, mine = view.subject.body.spec.pipeline, runs.made(raw)
    every = view.world.indexed(PIPELINE_RUN, pipeline)
    found = [one for one in every if runs.completed(one) and runs.made(one) < mine]
    return _read(max(found, key=runs.made)) if found else None


def _read(raw: Json) -> Earlier:
    name = str(raw["metadata"]["name"])
    try:
        status = read(PipelineRun, PIPELINE_RUN, raw).status
    except NotReadable:
        return Earlier(run=name)
    said = {step.name: dict(step.metrics) for step in status.steps if step.metrics}
    return Earlier(run=name, started_at=_moment(status.started_at or ""), metrics=said)


def input_facts(run: PipelineRunStatus, spec: PipelineSpec, name: str, source: Input) -> InputFacts:
    """An input, and why it is not there, if it is not."""
    if source.dataset:
        version = next((one.version for one in run.datasets if one.name == source.dataset), "")
        return InputFacts(name=name, source=f"Dataset {source.dataset}@{version}")
    if source.after:
        return InputFacts(name=name, source=f"{source.after.output} of Pipeline {source.after.pipeline}")
    step, output = refs.split(source.output or "")
    of = ", ".join(f"{key}={value}" for key, value in sorted((source.item or {}).items()))
    said = f"{output} of step {step}{f', item {of}' if of else ''}"
    status = next(one for one in run.steps if one.name == step)
    missing = _missing(status) or _missing_item(status, spec, source.item)
    return InputFacts(name=name, source=said, missing=missing)


def _missing_item(step: StepStatus, spec: PipelineSpec, wanted: Mapping[str, str] | None) -> str:
    """Of an item of a matrix; which number one of a Dataset has is not known here."""
    steps = {one.name: one for one in spec.steps}
    if wanted is None or step.items is None:
        return ""
    each = items.root(steps, steps[step.name]).each
    if each is None or each.matrix is None:
        return ""
    gone = items.not_completed(step.items) >> items.number_in(each.matrix, wanted) & 1
    return f"step {step.name} has not completed this item" if gone else ""


def _missing(step: StepStatus) -> str:
    if ran(step):
        return "" if step.items is None or step.items.completed else f"step {step.name} has completed no item"
    why = f"{step.reason}: {step.message}" if step.reason == SKIPPED else step.reason
    return f"step {step.name} has not completed ({step.phase}{f', {why}' if why else ''})"


# --- what has room -------------------------------------------------------------------------------------------------


def bounded(task: ReportTask, most: int = LIMIT) -> ReportTask:
    """The task with at most so many bytes as a container is told it, and what was left out for that."""
    whole, told = task, dict[str, str]()
    for kind, cut in _CUTS:
        if len(text(task).encode()) <= most:
            break
        shorter, said = cut(task, whole)
        if shorter != task:
            told[kind] = said
            task = shorter.model_copy(update={"left_out": list(told.values())})
    return task


def _shortened(said: str, most: int) -> str:
    """At most so many characters."""
    return said if len(said) <= most else f"{said[: most - 1]}…" if most else ""


def _messages(most: int, whys: int) -> Cut:
    def cut(task: ReportTask, _: ReportTask) -> tuple[ReportTask, str]:
        steps = [_terse(one, most, whys) for one in task.steps]
        inputs = [
            one.model_copy(update={"missing": _shortened(one.missing, max(most, 24)), "source": one.source[:64]})
            for one in task.inputs
        ]
        told = f"messages are cut to {most} characters, and of a step {whys} failed items are told"
        return task.model_copy(update={"steps": steps, "inputs": inputs}), told

    return cut


def _terse(step: StepFacts, most: int, whys: int) -> StepFacts:
    found = step.items
    if found is not None:
        why = [one.model_copy(update={"message": _shortened(one.message, most)}) for one in found.why[:whys]]
        found = found.model_copy(update={"why": why})
    short = {name: _shortened(getattr(step, name), most) for name in ("message", "cache")}
    return step.model_copy(update={**short, "items": found})


def _params(count: int, most: int) -> Cut:
    def cut(task: ReportTask, whole: ReportTask) -> tuple[ReportTask, str]:
        kept = {name: _shortened(value, most) for name, value in sorted(whole.params.items())[:count]}
        told = f"of {len(whole.params)} parameters {len(kept)} are shown, each with at most {most} characters"
        return task.model_copy(update={"params": kept}), told

    return cut


def _metrics(most: int) -> Cut:
    def cut(task: ReportTask, _: ReportTask) -> tuple[ReportTask, str]:
        steps = [one.model_copy(update={"metrics": _few(one.metrics, most)}) for one in task.steps]
        kept = {one.name: one.metrics for one in steps}
        before = task.earlier
        if before is not None:  # those that are compared, and then some that are gone
            said = {name: _few(_first(kept.get(name, {}), found), most) for name, found in before.metrics.items()}
            before = before.model_copy(update={"metrics": {name: one for name, one in said.items() if one}})
        told = f"of each step the first {most} metrics are shown"
        return task.model_copy(update={"steps": steps, "earlier": before}), told

    return cut


def _few(metrics: Mapping[str, str], most: int) -> dict[str, str]:
    return dict(list(metrics.items())[:most])


def _first(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    ahead = {name: found[name] for name in wanted if name in found}
    return ahead | {name: value for name, value in found.items() if name not in ahead}


def _graph(task: ReportTask, _: ReportTask) -> tuple[ReportTask, str]:
    steps = [one.model_copy(update={"after": []}) for one in task.steps]
    return task.model_copy(update={"steps": steps}), "it is not shown which step comes after which"


def _programs(task: ReportTask, _: ReportTask) -> tuple[ReportTask, str]:
    steps = [one.model_copy(update={"runs": "", "reason": one.reason[:24]}) for one in task.steps]
    return task.model_copy(update={"steps": steps}), "it is not shown what each step runs"


def _lines(most: int) -> Cut:
    def cut(task: ReportTask, whole: ReportTask) -> tuple[ReportTask, str]:
        kept = [one.model_copy(update={"text": _shortened(one.text, 160)}) for one in whole.facts[:most]]
        told = f"of {len(whole.facts)} lines about what the run read {len(kept)} are shown"
        return task.model_copy(update={"facts": kept}), told

    return cut


_CUTS: tuple[tuple[str, Cut], ...] = (
    ("messages", _messages(160, 6)), ("params", _params(64, 128)), ("metrics", _metrics(16)),
    ("messages", _messages(80, 3)), ("metrics", _metrics(8)), ("params", _params(16, 64)), ("lines", _lines(24)),
    ("metrics", _metrics(4)), ("graph", _graph), ("messages", _messages(24, 1)), ("programs", _programs),
    ("metrics", _metrics(1)), ("messages", _messages(0, 0)), ("lines", _lines(8)), ("params", _params(0, 0)),
    ("metrics", _metrics(0)),
)  # fmt: skip
"""The least important first. What is left after the last one fits in any case: 64 steps and 32 inputs by name."""
