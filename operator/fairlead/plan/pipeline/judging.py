"""Whether a step's turn has come, and whether it runs then: by the graph, by how others ended, and by its `if`.

A step that is skipped is completed without outputs: what only needs it goes on, what reads from it is skipped, too,
unless it does without (a report).
What is not known is no "no": a metric that is missing fails the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from fairlead.api.pipeline import PipelineSpec, Step, StepCondition
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan.conditions import quoted
from fairlead.plan.pipeline import dag, refs
from fairlead.plan.pipeline.steps import SKIPPED, ran

MISSING, NOT_A_NUMBER = "MetricMissing", "NotANumber"
OVER = ("Completed", "Failed", "Aborted")


class Judgement(NamedTuple):
    """What a step that waits is to do."""

    word: str
    """`wait`, `begin`, `skip` or `fail`."""
    reason: str = ""
    message: str = ""


WAIT, BEGIN = Judgement("wait"), Judgement("begin")


def _skip(message: str) -> Judgement:
    return Judgement("skip", SKIPPED, message)


def judge(step: Step, spec: PipelineSpec, run: PipelineRunStatus) -> Judgement:
    """What a step that has not begun is to do. Of steps with `when: always` or `failed` it is asked once the run's
    verdict is recorded."""
    states = {s.name: s for s in run.steps}
    return _judge_last(step, spec, run, states) if dag.is_last(step) else _judge(step, run, states)


def _judge(step: Step, run: PipelineRunStatus, states: Mapping[str, StepStatus]) -> Judgement:
    if any(states[name].phase != "Completed" for name in dag.dependencies(step)):
        return WAIT
    return _by_reading(step, states) or _by_conditions(step, run) or BEGIN


def _judge_last(
    step: Step, spec: PipelineSpec, run: PipelineRunStatus, states: Mapping[str, StepStatus]
) -> Judgement:  # fmt: skip
    if step.when == "failed" and run.verdict is not None and run.verdict.phase != "Failed":
        return _skip("it is for a run that has failed")
    last = {one.name for one in spec.steps if dag.is_last(one)}
    if any(states[name].phase not in OVER for name in dag.dependencies(step) & last):
        return WAIT
    return _by_reading(step, states) or _by_conditions(step, run) or BEGIN


def _by_reading(step: Step, states: Mapping[str, StepStatus]) -> Judgement | None:
    absent = next((name for name in sorted(dag.requires(step)) if not ran(states[name])), None)
    if absent is None:
        return None
    skipped = states[absent].reason == SKIPPED
    return _skip(f"step {absent}, from which it reads, {'was skipped' if skipped else 'did not complete'}")


def _by_conditions(step: Step, run: PipelineRunStatus) -> Judgement | None:
    """Unknown wins over no: what is skipped for one condition may hide that another one is broken."""
    found = [_by_condition(one, run) for one in step.if_]
    found.sort(key=lambda one: one is None or one.word != "fail")
    return next((one for one in found if one is not None), None)


def _by_condition(one: StepCondition, run: PipelineRunStatus) -> Judgement | None:
    name, text = _subject(one, run)
    if text is None:
        step = refs.split(one.metric or one.value or "")[0]
        return Judgement("fail", MISSING, f"if: there is no {name}: see what step {step} reports")
    said = f"if: {name} is {quoted(text, 80)}"
    if one.in_ is not None:
        wanted = quoted(", ".join(one.in_), 160)
        return None if text in one.in_ else _skip(f"{said}, none of {wanted}")
    number = _number(text)
    if number is None:
        why = MISSING if one.metric else NOT_A_NUMBER
        return Judgement("fail", why, f"{said}, which is no finite number")
    if one.above is not None:
        return None if number > Decimal(one.above) else _skip(f"{said}, not above {one.above}")
    return None if number < Decimal(one.below or "0") else _skip(f"{said}, not below {one.below}")


def _subject(one: StepCondition, run: PipelineRunStatus) -> tuple[str, str | None]:
    """What is looked at, in words, and as it stands; None: it is not there."""
    if one.param is not None:
        return f"parameter {one.param}", run.params.get(one.param)
    if one.value is not None:
        return f"value {one.value}", refs.values(run).get(one.value)
    step, name = refs.split(one.metric or "")
    metrics = next((s.metrics for s in run.steps if s.name == step), {})
    return f"metric {one.metric}", metrics.get(name)


def _number(text: str) -> Decimal | None:
    """A finite number; None for anything else."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
