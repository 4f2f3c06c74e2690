"""Why each step of a run ran, or did not: which parts of its key are others than in the last run of the same step.

Nothing of this is kept but the key: a run's status has its template, its parameters, its data, its images and its
outputs, and the parts follow from these. Where a recorded key is not that of its parts, another release has made it,
and that is said instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fairlead.api import foreign
from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan.pipeline.cache import keys
from fairlead.plan.pipeline.types import registry as types


class Past(NamedTuple):
    """A run of the same pipeline."""

    name: str
    status: PipelineRunStatus


class Difference(NamedTuple):
    """A part that is another one."""

    part: str
    before: str
    """As it is in the key; empty: there was no such part."""
    after: str
    """Empty: there is none any more."""
    because: str = ""
    """What it follows from, in words."""


@dataclass(frozen=True)
class Why:
    """What is known of one step."""

    step: str
    key: str
    outcome: str
    """`Hit`, `Resumed`, `Ran`, `Audited`, `NotCacheable`, `Waits`, `NotReached`."""
    source: str = ""
    """The run whose outputs it has, or with whose it was compared."""
    message: str = ""
    against: str = ""
    """The run that it is compared with here; empty: no earlier one of the step is kept."""
    differs: tuple[Difference, ...] = field(default=())


_WORDS = {
    "Hit": "Hit", "Resumed": "Resumed", "Audit": "Audited", "Agreed": "Audited", "Mismatch": "Audited",
    "NotCacheable": "NotCacheable", "Asks": "Waits",
}  # fmt: skip


def explained(run: PipelineRunStatus, earlier: Iterable[Past]) -> list[Why]:
    """What is known of each step. earlier: the pipeline's runs before this one, newest first."""
    if run.template is None:
        return []
    past, specs = list(earlier), {step.name: step for step in run.template.steps}
    return [_step(run, past, specs[one.name], one) for one in run.steps if one.name in specs]


def _step(run: PipelineRunStatus, past: list[Past], step: Step, status: StepStatus) -> Why:
    cache = status.cache
    if not status.key and not status.attempt and (cache is None or cache.outcome != "NotCacheable"):
        return Why(step.name, "", "NotReached", message=status.message or status.reason)
    outcome = _WORDS.get(cache.outcome, "Ran") if cache else "Ran"
    message = status.message if outcome == "Waits" else cache.message if cache else "cache is off"
    source = cache.run if cache else ""
    if outcome in ("Hit", "Resumed", "Audited", "Waits") or not status.key:
        return Why(step.name, status.key, outcome, source, message)
    before = next(((one.name, old) for one in past if (old := _parts(one.status, step.name)) is not None), None)
    if before is None:
        return Why(step.name, status.key, outcome, source, message)
    return _compared(run, step, status, Why(step.name, status.key, outcome, source, message, before[0]), before[1])


def _compared(run: PipelineRunStatus, step: Step, status: StepStatus, found: Why, before: dict[str, str]) -> Why:
    parts = _parts(run, step.name)
    if parts is None or not before:
        text = "its key was made by another release of Fairlead: what differs is not known"
        return Why(found.step, found.key, found.outcome, found.source, text, found.against)
    differs = tuple(one._replace(because=_because(run, step, one)) for one in differences(before, parts))
    message = found.message
    if not differs and status.cache is None:
        message = f"cache is off; its key is the same as in run {found.against}"
    return Why(found.step, found.key, found.outcome, found.source, message, found.against, differs)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    """The parts of two keys that are not the same, by name."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Difference(name, before.get(name, ""), after.get(name, ""))


def _parts(run: PipelineRunStatus, name: str) -> dict[str, str] | None:
    """The parts of a step's key; None: it has none there; empty: they are not those that its key was made of."""
    step = next((one for one in run.template.steps if one.name == name), None) if run.template else None
    status = next((one for one in run.steps if one.name == name), None)
    if step is None or status is None or not status.key:
        return None
    try:
        found = keys.parts(step, run, status.image)
    except (keys.NotKeyable, StopIteration):
        return {}
    return found if keys.key(found) == status.key else {}


def _because(run: PipelineRunStatus, step: Step, one: Difference) -> str:
    """What an input's other content follows from."""
    kind, _, name = one.part.partition(" ")
    source = types.inputs(step).get(name) if kind == "input" else None
    if source is None:
        return ""
    if source.dataset:
        pinned = next((one for one in run.datasets if one.name == source.dataset), None)
        return f"version {pinned.version} of Dataset {pinned.name} is read" if pinned else ""
    if source.after:
        other = next((one for one in run.after if one.pipeline == source.after.pipeline), None)
        return f"it is of run {other.run} of Pipeline {other.pipeline}" if other else ""
    maker = (source.output or "").partition(".")[0]
    made = next((one for one in run.steps if one.name == maker), None)
    taken = made is not None and made.cache is not None and made.cache.outcome in ("Hit", "Resumed")
    return f"step {maker} took the outputs of another run" if taken else f"step {maker} ran anew"


def told(one: Difference) -> str:
    """A difference in words."""
    before, after = _shown(one.before), _shown(one.after)
    because = f", because {one.because}" if one.because else ""
    if not one.before:
        return f"{one.part}: new, {after}{because}"
    if not one.after:
        return f"{one.part}: there is none any more, it was {before}"
    return f"{one.part}: {before} → {after}{because}"


def _shown(text: str) -> str:
    """A part's text for people: digests by their beginning."""
    if text.startswith("sha256:"):
        return f"{text[7:15]}… (a digest)"
    try:
        value = foreign.parse(text) if text else ""
    except foreign.Unreadable:
        return text
    if isinstance(value, str):
        return f"{value[7:15]}…" if value.startswith("sha256:") else text
    if isinstance(value, list) and len(value) > 1 and value[0] in ("version", "folder", "file"):
        return f"{str(value[1])[:8]}…"
    return text
