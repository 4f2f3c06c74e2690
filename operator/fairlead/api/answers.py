"""How a worker answers: by a document in the store, of which its termination message has the digest.

The kubelet shares 12 KiB of messages among all containers of a pod, also those that somebody injects, so a message has
room for a digest and for little more. The document names the task that it answers. An evaluation's is its report; the
others are an `Answered` in the folder `answers` of the task's place.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from fairlead.api import foreign
from fairlead.api.modelversion import GateResult, GoldenRef, ProfileRef, Score
from fairlead.api.schema import Model
from fairlead.api.tasks import EvaluateResult, Place, TaskResult

Json = dict[str, Any]

IN_STORE = "fairlead.dev/answers"
"""Annotation of a Job's pod: where its answer is found."""
STORE = "store"
"""Its value. Jobs of releases before had none, and said all in their message."""
SCORES = 5000
"""Of a report, and gates: of each slice some."""
REPORT = "taskDigest"
"""Member of a report: the digest of the task that it answers."""


class Answered(Model):
    """An answer, and what was asked."""

    task: str
    """Digest of the task."""
    result: TaskResult


class _Data(Model):
    sha256: str
    rows: int


def canonical(value: Any) -> bytes:
    """JSON with one form for each value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def task_digest(task: Model | Json) -> str:
    """SHA-256 of a task, as a worker is told it."""
    value = task.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(task, Model) else task
    return hashlib.sha256(canonical(value)).hexdigest()


def key(verb: str, prefix: str, digest: str) -> str:
    """The key of an answer's document. `prefix`: of the task's place."""
    folder = prefix.strip("/") if verb == "evaluate" else f"{prefix.strip('/')}/answers"
    return f"{folder}/{digest}.json".lstrip("/")


def _profile(report: Json) -> tuple[ProfileRef | None, str]:
    """Of a report of this release, and why there is none. One that can't be read is none: no proof depends on it."""
    try:
        found = report.get("profile")
        return None if found is None else ProfileRef.model_validate(found), str(report.get("noProfile") or "")
    except ValidationError:
        return None, "the report's profile can't be read by this release"


def _golden(report: Json) -> tuple[GoldenRef | None, str]:
    """Rows that new pods are asked for, and why there are none. As with the profile, no proof depends on them."""
    try:
        found = report.get("golden")
        return None if found is None else GoldenRef.model_validate(found), str(report.get("noGolden") or "")
    except ValidationError:
        return None, "the report's golden rows can't be read by this release"


def parsed(verb: str, text: str, digest: str, place: Place) -> Answered:
    """A document. Raises ValueError if it is none."""
    if verb != "evaluate":
        return Answered.model_validate(foreign.parse(text, parts=foreign.FEW))
    report = foreign.parse(text, finite=False)
    if not isinstance(report, dict):
        raise ValueError("not a report")
    lists = [report.get(name) or [] for name in ("scores", "gates")]
    if not all(isinstance(one, list) and len(one) <= SCORES for one in lists):
        raise ValueError(f"not a report: its scores and gates are lists of at most {SCORES}")
    data = _Data.model_validate(report.get("data"))
    (profile, why), (kept, none) = _profile(report), _golden(report)
    result = EvaluateResult(
        digest=digest, report=f"s3://{place.bucket}/{key(verb, place.prefix, digest)}", data=data.sha256,
        rows=data.rows, scores=[Score.model_validate(one) for one in lists[0]],
        gates=[GateResult.model_validate(one) for one in lists[1]],
        sample=str(report.get("sample") or ""), profile=profile, no_profile=why,
        golden=kept, no_golden=none,
    )  # fmt: skip
    return Answered(task=str(report.get(REPORT) or ""), result=TaskResult(evaluate=result))
