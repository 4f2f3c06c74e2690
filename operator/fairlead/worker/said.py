"""One kept answer, with its request and its label: what of it is understood.

An answer is JSON as the log keeps it: what `spec.record.output.path` names, by default the first output's data; or the
whole answer, in which an output `predict_proba` may stand besides. A label is of one row, so an answer to several rows
is not understood; how many a request has, its body says, where it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.api import foreign
from fairlead.monitor.profile import Profile
from fairlead.worker.record import rows
from fairlead.worker.record.names import BODY_LIMIT
from fairlead.worker.record.rows import Unread, Wanted


@dataclass(frozen=True)
class Said:
    """Of one request."""

    id: str
    label: str
    """As it is written."""
    read: bool
    """Whether the answer is one to one row."""
    answer: Any = None
    score: float | None = None
    """See `monitor.profile.Scores`."""
    slices: Mapping[str, Any] = field(default_factory=dict)
    """By column: from the request, or else from the labels."""
    body: str | None = None
    """The request's; None: it was not kept."""


def said(
    profile: Profile, wanted: Wanted, id_: str, label: str, kept: Mapping[str, Any], beside: Mapping[str, Any]
) -> Said:
    """kept: `output` and `input` of the log; beside: columns of the labels."""
    columns, count = _request(kept["input"], wanted)
    found = None if count not in (None, 1) else answer(kept["output"], count == 1, wanted)
    if found is not None and found[1] is not None and profile.task == "regression":
        found = None  # several numbers are no probabilities there
    slices = {**beside, **{name: values[0] for name, values in columns.items() if count == 1}}
    if found is None:
        return Said(id_, label, False, slices=slices, body=kept["input"])
    return Said(id_, label, True, *found, slices=slices, body=kept["input"])


def _request(body: str | None, wanted: Wanted) -> tuple[dict[str, list[Any]], int | None]:
    """Its columns, and how many rows it has; None: nobody knows."""
    if body is None:
        return {}, None
    try:
        return rows.features(body, wanted)
    except Unread:
        return {}, None


def answer(output: str, single: bool, wanted: Wanted) -> tuple[Any, float | None] | None:
    """The answer to one row, and its score if there is one; None: it is not understood. single: it is known that the
    request has one row; if not, several numbers may be answers to several rows, unless they stand together in one."""
    try:
        found = foreign.parse(output, length=BODY_LIMIT, parts=rows.PARTS, depth=rows.DEPTH, finite=False)
        if isinstance(found, dict):
            answers, scores = rows.outputs(found, 1, wanted)
            return answers[0], scores[0] if scores else None
        values = rows.flat(found) if isinstance(found, list) else [found]
        if len(values) == 1:
            return (values[0], None) if values[0] is not None else None
        if not values or not wanted.classes or not (single or (len(found) == 1 and isinstance(found[0], list))):
            return None
        answers, scores = rows.of_table(values, 1, wanted)
        return answers[0], scores[0]
    except (Unread, ValueError):
        return None
