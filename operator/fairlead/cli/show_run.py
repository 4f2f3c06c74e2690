"""A PipelineRun as people look at it: the graph of its steps as a tree, and how long each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import OutputRecord, PipelineRun, StepStatus
from fairlead.api.units import human, many
from fairlead.cli.blocks import Block, Lines, Node, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.text import one_line, short, size, took
from fairlead.plan.conditions import quoted
from fairlead.plan.core import epoch
from fairlead.plan.pipeline import dag, produce
from fairlead.plan.pipeline.steps import SKIPPED

MARKS = {"Completed": "✓", "Failed": "✗", "Running": "●", "Pending": "○", "Aborted": "–"}
METRICS = 4
"""Of a step, that are shown."""
RUNS = 10
"""The last ones that succeeded, by which times are expected."""


@dataclass(frozen=True)
class Past:
    """How long it took before: medians of seconds over the last runs of the same Pipeline that have succeeded."""

    runs: int = 0
    whole: float | None = None
    steps: dict[str, float] = field(default_factory=dict)


def past(runs: Sequence[PipelineRun]) -> Past:
    """From runs in any order."""
    ended = [one.status for one in runs if one.status.phase == "Completed" and one.status.finished_at]
    ended = sorted(ended, key=lambda one: one.finished_at or "", reverse=True)[:RUNS]
    durations: dict[str, list[float]] = {}
    for status in ended:
        for step in status.steps:
            if step.phase == "Completed" and (seconds := _seconds(step.started_at, step.finished_at)) is not None:
                durations.setdefault(step.name, []).append(seconds)
    whole = [one for status in ended if (one := _seconds(status.started_at, status.finished_at)) is not None]
    medians = {name: median(found) for name, found in durations.items()}
    return Past(len(ended), median(whole) if whole else None, medians)


def _seconds(started: str | None, finished: str | None) -> float | None:
    return max(0.0, epoch(finished) - epoch(started)) if started and finished else None


def blocks(name: str, found: PipelineRun, now: float, before: Past | None = None) -> list[Block]:
    """The view."""
    status, known = found.status, before or Past()
    note = f"pipeline {found.spec.pipeline}, {status.progress or '0'} steps, {_duration(found, now, known)}"
    shown: list[Block] = [Title(f"pipelinerun {name}", status.phase or "Pending", note), *message(status.message)]
    facts = [f"because  {one_line(found.spec.reason, 1000)}"] if found.spec.reason else []
    facts += [f"data     {pinned.name}@{pinned.version}" for pinned in status.datasets]
    facts += [f"after    {taken.run} {taken.output} {short(taken.artifact.sha256)}" for taken in status.after]
    facts += [f"uses     {produce.named(one)} for step {one.step}" for one in status.components]
    facts += _code(found)
    facts += [
        f"param    {key}={one_line(value)}" for key, value in sorted((status.params or found.spec.params).items())
    ]
    if used := sum(step.gpu_seconds for step in status.steps):
        facts.append(f"gpu      {used / 3600:.2f} GPU hours, of attempts that are over")
    facts += [f"model    {model}" for model in status.models]
    if status.verdict and not status.finished_at:
        facts.append(f"verdict  {status.verdict.phase}: {status.verdict.message}; steps that come after it still run")
    if status.replaced_by:
        facts.append(f"replaced by {status.replaced_by}")
    if facts:
        shown.append(Lines(facts))
    if status.steps:
        shown.append(_tree(status.steps, status.template, now, known))
    return shown + conditions(status.conditions, now)


def _code(found: PipelineRun) -> list[str]:
    """The commit, and where it is."""
    template, commit = found.status.template, found.status.commit
    if not template or not template.code or not commit:
        return []
    git = template.code.git
    path = f", {git.path} is tree {found.status.code_tree}" if found.status.code_tree else ""
    return [f"code     {git.url}@{commit} (ref {git.ref or 'HEAD'}{path})"]


def _duration(found: PipelineRun, now: float, known: Past) -> str:
    status = found.status
    text = took(status.started_at, status.finished_at, now)
    if status.started_at and not status.finished_at and known.whole is not None:
        text += f" of about {human(known.whole)} ({_of(known.runs)})"
    return text


def _of(runs: int) -> str:
    return "as the last run that succeeded" if runs == 1 else f"median of the last {runs} runs that succeeded"


# --- the tree ------------------------------------------------------------------------------------------------------


def _tree(steps: Sequence[StepStatus], template: PipelineSpec | None, now: float, known: Past) -> Node:
    """Each step below the one that it waits for longest: of those that it needs, the deepest. Others it names."""
    needs = {one.name: dag.dependencies(one) for one in template.steps} if template else {}
    by_name = {step.name: step for step in steps}
    depths: dict[str, int] = {}
    root, nodes = Node("steps"), dict[str, Node]()
    for name in _in_order(list(by_name), needs):
        mine = [one for one in by_name if one in needs.get(name, ())]
        parent = max(mine, key=lambda one: depths[one], default="")
        depths[name] = depths[parent] + 1 if parent else 0
        open_ = [one for one in mine if by_name[one].phase != "Completed"]
        others = [one for one in mine if one != parent]
        node = (nodes[parent] if parent else root).add(_line(by_name[name], open_, others, now, known))
        nodes[name] = node
        for line in _details(by_name[name]):
            node.add(line)
    return root


def _in_order(names: list[str], needs: dict[str, set[str]]) -> list[str]:
    """Each after those that it needs, else as they stand. A graph of a run that has started has no circle."""
    found: list[str] = []
    while rest := [name for name in names if name not in found]:
        ready = [name for name in rest if not (needs.get(name, set()) & set(rest) - {name})]
        found += ready or rest
    return found


def _line(step: StepStatus, waits: list[str], others: list[str], now: float, known: Past) -> str:
    state = f"{MARKS.get(step.phase, '?')} {step.name}  {step.phase}"
    skipped = step.reason == SKIPPED  # a step that has completed says nothing else
    parts = [state, step.reason if step.phase != "Completed" or skipped else "", _time(step, now, known)]
    parts.append(f"{step.stage.lower()} for {took(step.stage_at, None, now)}" if step.stage else "")
    parts.append(f"attempt {step.attempt}" if step.attempt > 1 else "")
    if step.phase == "Pending" and not step.attempt and waits:
        parts.append(f"waits for {', '.join(waits)}")
    elif others:
        parts.append(f"needs {', '.join(others)} too")
    parts.append(_metrics(step))
    return "  ".join(part for part in parts if part)


def _time(step: StepStatus, now: float, known: Past) -> str:
    expected = known.steps.get(step.name)
    if not step.started_at:
        return f"about {human(expected)}" if expected is not None and step.phase == "Pending" else ""
    text = took(step.started_at, step.finished_at, now)
    return f"{text} of about {human(expected)}" if expected is not None and not step.finished_at else text


def _metrics(step: StepStatus) -> str:
    shown = [f"{name} {value}" for name, value in list(step.metrics.items())[:METRICS]]
    more = len(step.metrics) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _details(step: StepStatus) -> list[str]:
    found = [step.message] if step.message else []
    found += [f"memory raised to {step.memory}"] if step.memory else []
    found += [_output(one) for one in step.outputs]
    if step.logged is not None:
        logged = step.logged
        counts = [many(logged.artifacts, "artifact") if logged.artifacts else "",
                  many(logged.values, "value of a metric", "values of metrics") if logged.values else ""]  # fmt: skip
        if any(counts):
            found.append(f"logged {' and '.join(one for one in counts if one)}")
        if step.logged.left_out:
            found.append(f"not kept: {step.logged.left_out}")
    if step.log is not None and step.log.problem:
        found.append(f"the log of attempt {step.log.attempt} is not kept: {step.log.problem}")
    return found


def _output(one: OutputRecord) -> str:
    if one.value is not None:
        return f"{one.name} (value) {quoted(one.value, 60)!r}"
    media = f" {one.media}" if one.media else ""
    return f"{one.name} ({one.type}{media}) {size(one.bytes)} {short(one.sha256)}"
