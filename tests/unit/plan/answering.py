"""How workers answer in small worlds: what they say goes into a store, and the message has the digest.

Tests write what a worker says as one JSON; an evaluation's digest stays as they write it, so that approvals can name
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fairlead.api import answers
from fairlead.api.tasks import Place, TaskResult
from fairlead.plan.requests import Answer, Document, Failed, ReadDocument
from fairlead.worker import digests

Json = dict[str, Any]
LONG = ("snapshot", "publish", "evaluate", "join", "observe", "explain", "resolve", "items")


class Answers:
    """The store's documents with answers, by key."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.says: Failed | None = None
        """What the store says instead of answering."""

    def keep(self, job: Json, statuses: Iterable[Json]) -> list[Json]:
        """The statuses of a pod's containers as the kubelet has them."""
        return [self._status(job, one) for one in statuses]

    def _status(self, job: Json, status: Json) -> Json:
        stopped = status.get("state", {}).get("terminated")
        if not stopped or not stopped.get("message"):
            return status
        said = self.message(job, status["name"], stopped["message"])
        return {**status, "state": {"terminated": {**stopped, "message": said}}}

    def message(self, job: Json, container: str, said: str) -> str:
        """A termination message for what is said; what is no answer, or short, stays as it is."""
        try:
            value = json.loads(said)
        except ValueError:
            return said
        verb = next((name for name in LONG if isinstance(value, dict) and name in value), None)
        spec = _container(job, container)
        if verb is None or spec is None:
            return said
        task = json.loads(next(e["value"] for e in spec["env"] if e["name"] == "FAIRLEAD_TASK").replace("$$", "$"))
        digest, body = _document(verb, task, value)
        self.documents[answers.key(verb, Place.model_validate(task["store"]).prefix, digest)] = body
        return json.dumps({"answer": digest})

    def answer(self, request: ReadDocument) -> Answer:
        """What the store says."""
        if self.says is not None:
            return self.says
        if request.key not in self.documents:
            return Failed("ObjectMissing", f"there is no {request.key}")
        return Document(self.documents[request.key])


def _container(job: Json, name: str) -> Json | None:
    spec = job["spec"]["template"]["spec"]
    every = [*spec.get("initContainers", []), *spec["containers"]]
    return next((one for one in every if one["name"] == name), None)


def _document(verb: str, task: Json, value: Json) -> tuple[str, str]:
    asked = answers.task_digest(task)
    if verb == "evaluate":
        said = value["evaluate"]
        data = {"sha256": said.get("data", ""), "rows": said["rows"]}
        report = {k: said[k] for k in ("scores", "gates", "sample", "profile", "noProfile") if k in said}
        return said["digest"], json.dumps({answers.REPORT: asked, "data": data, **report})
    found = answers.Answered(task=asked, result=TaskResult.model_validate(value))
    body = found.model_dump_json(by_alias=True, exclude_defaults=True)
    return digests.of_bytes(body.encode()), body
