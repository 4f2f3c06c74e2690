"""A task's answer: what is long goes into the store under its digest, and the termination message says which."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fairlead.api.fetching import RESULT_LIMIT, Place, Said
from fairlead.api.schema import Model
from fairlead.worker import digests
from fairlead.worker.access import place

if TYPE_CHECKING:
    from fairlead.api.tasks import TaskResult

Json = dict[str, Any]
MARK = "…"
"""Where a text was cut."""


def keep(verb: str, task: Model, where: Place, result: TaskResult) -> Said:
    """Write the answer into the store, and return what the message says of it. Raises StoreError."""
    from fairlead.api import answers

    answered = answers.Answered(task=answers.task_digest(task), result=result)
    body = digests.canonical(answered.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    digest = digests.of_bytes(body)
    place(where).put_if_absent(answers.key(verb, where.prefix, digest), body)
    return Said(answer=digest)


def encode(result: Said) -> bytes:
    """A termination message of at most RESULT_LIMIT bytes: an error's text is cut where it is too long."""
    value = result.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body = _body(value)
    while len(body) > RESULT_LIMIT:
        text = value["error"]["message"].removesuffix(MARK)
        value["error"]["message"] = _cut(text, max(1, len(body) - RESULT_LIMIT))
        body = _body(value)
    return body


def _body(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _cut(text: str, by: int) -> str:
    """The text without its last bytes, and a mark."""
    return text.encode()[: -by - len(MARK.encode())].decode(errors="ignore") + MARK
