"""What Fairlead's own container in a Job's pod has said, and where its answer lies.

What it says at its end is a digest; the answer is the document in the store that has it, and that names the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import ValidationError

from fairlead.api import answers, foreign
from fairlead.api.tasks import TASK_ENV, Place, TaskResult
from fairlead.plan.core import Json, World
from fairlead.plan.jobs import failures, likeness
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.requests import NOT_YET, Document, Failed, ReadDocument

FEW = 3
"""Answers that may be unreadable."""
UNREADABLE = "AnswerUnreadable"
SOON, LATER = 0.5, 15.0
"""Seconds until the store is asked again: one that is slow, and one that refuses."""
_DAMAGED = ("DigestMismatch", "ObjectMissing", "BadTask")
"""The store's errors that say that there is no such document."""


@dataclass(frozen=True)
class Reading:
    """The answer is given, and is still to be read from the store."""

    look_again: float
    """Seconds."""
    waiting: failures.Waiting | None = None
    """What stands in the way, if anything does."""


@dataclass(frozen=True)
class Unreadable:
    """The container has ended with an answer that nobody can read."""

    message: str


Said = TaskResult | Reading | Unreadable | None
"""None: it has said nothing yet, or has ended without a word."""


def said(world: World, found: Found, container: str) -> Said:
    """What a container has said at its end."""
    if found.pod is None or found.job is None:
        return None
    stopped = failures.terminated(found.pod, container)
    if stopped is None:
        return None
    text = stopped.get("message") or ""
    try:
        result = TaskResult.model_validate_json(text)
    except ValidationError:
        result = None
    if result is None:
        return _wordless(container, text, stopped["exitCode"])
    if result.error is not None or result.fetched is not None:
        return result
    if not _in_store(found.job):
        return result  # begun by a release that put all of it into the message
    if result.answer is None:
        return Unreadable(f"container {container} did not say where its answer is")
    return _read(world, found, container, result.answer)


def _wordless(container: str, text: str, code: int) -> Unreadable | None:
    if not text and code != 0:
        return None  # killed: it could not say anything
    what = f"an answer that can't be read ({len(text)} characters)" if text else "no answer"
    return Unreadable(f"container {container} ended with exit code {code} and {what}")


def _in_store(job: Json) -> bool:
    annotations = job["spec"]["template"]["metadata"].get("annotations") or {}
    return bool(annotations.get(answers.IN_STORE) == answers.STORE)


@dataclass(frozen=True)
class _Question:
    """What a container was asked."""

    verb: str
    task: Json
    place: Place

    @property
    def digest(self) -> str:
        return answers.task_digest(self.task)


def _question(job: Json, container: str) -> _Question:
    """From the Job's template, which nobody can change."""
    spec = likeness.named(job["spec"]["template"]["spec"])[container]
    text = next(one["value"] for one in spec["env"] if one["name"] == TASK_ENV).replace("$$", "$")
    task = foreign.parse(text)
    return _Question(spec["command"][-1], task, Place.model_validate(task["store"]))


def requests(found: Found) -> list[ReadDocument]:
    """What has to be read before the answer is known."""
    if found.pod is None or found.job is None or not _in_store(found.job):
        return []
    stopped = failures.terminated(found.pod, found.main)
    try:
        result = TaskResult.model_validate_json((stopped or {}).get("message") or "")
    except ValidationError:
        return []
    return [_request(found, _question(found.job, found.main), result.answer)] if result.answer else []


def _request(found: Found, asked: _Question, digest: str) -> ReadDocument:
    assert found.job is not None
    place = asked.place
    secret = PurePosixPath(place.credentials).name if place.credentials else None
    return ReadDocument(
        found.job["metadata"]["namespace"], place.bucket, answers.key(asked.verb, place.prefix, digest), digest,
        place.endpoint, place.region, secret,
    )  # fmt: skip


def _read(world: World, found: Found, container: str, digest: str) -> TaskResult | Reading | Unreadable:
    assert found.job is not None
    asked = _question(found.job, container)
    request = _request(found, asked, digest)
    answer, where = world.answer(request), f"s3://{request.bucket}/{request.key}"
    if isinstance(answer, Failed) and answer.reason in _DAMAGED:
        return Unreadable(f"container {container} names an answer that the store has not: {answer.message}")
    if isinstance(answer, Failed):
        return _reading(answer, where)
    assert isinstance(answer, Document)
    try:
        read = answers.parsed(asked.verb, answer.text, digest, asked.place)
    except ValueError as error:  # pydantic's are too
        return Unreadable(f"{where} is not an answer: {str(error).splitlines()[0]}")
    if read.task != asked.digest:
        return Unreadable(f"{where} answers another task than this Job's")
    return read.result


def _reading(failed: Failed, where: str) -> Reading:
    if failed.reason in NOT_YET:
        return Reading(SOON)
    text = f"the answer can't be read from {where}: {failed.message}"
    return Reading(LATER, failures.Waiting(failed.reason, text))
