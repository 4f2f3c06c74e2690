"""What private repositories say to a Pipeline's triggers: asked by Jobs, no more often than a trigger wants, and kept
in the status until the next answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fairlead.api.code import CodeJob, CodeSeen
from fairlead.api.pipeline import Pipeline
from fairlead.plan.core import JOB, Context, Delete, Json, epoch
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Answered, Broken, Paused, Running
from fairlead.plan.pipeline import asking
from fairlead.plan.pipeline.asking import OfPipeline
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.triggers.base import WORDS, Private
from fairlead.plan.requests import Request


@dataclass
class Watched:
    """What is known after a look, and what follows from it."""

    seen: list[CodeSeen] = field(default_factory=list)
    create: list[Json] = field(default_factory=list)
    delete: list[Delete] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    """Seconds until something is due."""


def requests(context: Context[Pipeline]) -> Iterator[Request]:
    """What has to be read before answers are known."""
    for wanted, known in _known(context):
        if known.job is not None:
            yield from attempt.requests(_asked(context, wanted, known.job))


def look(context: Context[Pipeline]) -> Watched:
    """One look at all that Jobs are asked for."""
    found = Watched()
    for wanted, known in _known(context):
        found.seen.append(_looked(context, wanted, known, found))
    names = {one.job.name for one in found.seen if one.job}
    found.delete += attempt.leftovers(context.world.owned(JOB), OfPipeline.label, names)
    return found


def _known(context: Context[Pipeline]) -> Iterable[tuple[Private, CodeSeen]]:
    """What is wanted, and what is known of it; of what was asked otherwise before, nothing."""
    before = {one.asked: one for one in context.subject.body.status.code}
    wanted = {one.asked: one for one in triggers.private(context)}
    return [(one, before.get(asked) or CodeSeen(asked=asked)) for asked, one in wanted.items()]


def _asked(context: Context[Pipeline], wanted: Private, record: CodeJob) -> OfPipeline:
    spec = context.subject.body.spec
    question = asking.Question(context.name, spec, wanted.git, wanted.git.ref)
    return OfPipeline(context, record, question)


def _looked(context: Context[Pipeline], wanted: Private, known: CodeSeen, found: Watched) -> CodeSeen:
    if known.job is None:
        left = epoch(known.at) + wanted.every - context.now if known.at else 0.0
        if left > 0:
            found.again.append(left)
            return known
        return _made(context, wanted, known, None, found)
    one = _asked(context, wanted, known.job)
    seen = attempt.look(one)
    if isinstance(seen, Answered):
        found.again.append(wanted.every)
        return CodeSeen(asked=known.asked, commit=seen.answer.commit, tree=seen.answer.tree, at=context.stamp)
    if isinstance(seen, Broken):
        return _broken(context, wanted, known, one, seen, found)
    if isinstance(seen, Paused):
        if seen.left <= 0:
            return _made(context, wanted, known, known.job, found)
        found.again.append(seen.left)
        return known
    return _running(known, one, seen, found)


def _made(
    context: Context[Pipeline], wanted: Private, known: CodeSeen, last: CodeJob | None, found: Watched
) -> CodeSeen:  # fmt: skip
    """The next attempt. A new round has names of its own: the time at which the last one ended is in them."""
    record = asking.begun(context, last, f"{wanted.asked}{known.at or ''}")
    found.create.append(_asked(context, wanted, record).manifest())
    return known.model_copy(update={"job": record})


def _running(known: CodeSeen, one: OfPipeline, seen: Running, found: Watched) -> CodeSeen:
    if not seen.uid:
        found.create.append(one.manifest())
        return known
    if seen.look_again is not None:
        found.again.append(seen.look_again)
    changes: dict[str, object] = {"job": one.record.model_copy(update={"uid": seen.uid})}
    if seen.waiting is not None:  # it can't begin: what was known is old by now
        changes |= {"reason": seen.waiting.reason, "message": seen.waiting.message[:WORDS]}
    return known.model_copy(update=changes)


def _broken(
    context: Context[Pipeline], wanted: Private, known: CodeSeen, one: OfPipeline, seen: Broken, found: Watched
) -> CodeSeen:  # fmt: skip
    settled = attempt.settle(one, seen.failure)
    if seen.abandon and seen.found.job is not None:
        job = seen.found.job["metadata"]
        found.delete.append(Delete(JOB, job["name"], job["uid"], "Foreground"))
    told: dict[str, object] = {"reason": seen.failure.reason, "message": seen.failure.message[:WORDS]}
    if settled.pause is None:  # asked once more after `every`: somebody may have made it right
        found.again.append(wanted.every)
        return known.model_copy(update=told | {"job": None, "at": context.stamp})
    found.again.append(settled.pause)
    return known.model_copy(update=told | {"job": one.record.model_copy(update=settled.changes)})
