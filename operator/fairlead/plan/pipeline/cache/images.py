"""Which images names mean when a run starts: by their digests they are compared, and by their digests they run."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import StepCache, StepStatus
from fairlead.plan.pipeline.cache.look import NOT_CACHEABLE, WORDS
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.requests import NO_TURN, NOT_YET, Failed, ImageSeen, ReadImage

AGE = 3600.0
"""Seconds for which a run may be told the same once more: it asks for itself, until it has started."""


class Later(Exception):  # noqa: N818 - normal
    """A registry has not answered yet; the message says which image it was asked about."""


def asked(view: View, spec: PipelineSpec) -> Iterator[ReadImage]:
    """What registries are asked: only where something may be taken from earlier runs."""
    resumes = view.subject.body.spec.resume_from is not None
    if resumes or any(step.cache for step in spec.steps):
        names = {image for step in spec.steps for image in types.images(step) if "@" not in image}
        yield from (_question(view, name) for name in sorted(names))


def _question(view: View, name: str) -> ReadImage:
    return ReadImage(view.namespace, name, look=view.uid, age=AGE)


def resolved(view: View, spec: PipelineSpec) -> tuple[dict[str, str], list[StepStatus]]:
    """Digests by name, and the steps at their start: one whose image is not known says why it can't be compared. Raises
    Later."""
    found: dict[str, str] = {}
    failed: dict[str, str] = {}
    for request in asked(view, spec):
        answer = view.world.answer(request)
        if isinstance(answer, Failed) and answer.reason in (*NOT_YET, NO_TURN):
            raise Later(f"asking the registry which image {request.name} means")
        if isinstance(answer, ImageSeen):
            found[request.name] = answer.digest
        else:
            why = answer.message if isinstance(answer, Failed) else "its registry says something else"
            failed[request.name] = why
    return found, [_step(view, step, failed) for step in spec.steps]


def _step(view: View, step: Step, failed: dict[str, str]) -> StepStatus:
    why = next((f"{name}: {failed[name]}" for name in types.images(step) if name in failed), None)
    if why is None or not (step.cache or view.subject.body.spec.resume_from):
        return StepStatus(name=step.name)
    text = f"nobody knows which image {why}; write it with its digest, name@sha256:…"
    return StepStatus(name=step.name, cache=StepCache(outcome=NOT_CACHEABLE, message=text[:WORDS]))
