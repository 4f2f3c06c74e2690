"""What answers are explained against, and what contributions are compared with: made once a version, and kept.

Rows of the version's evaluation (its baseline's reference, else the held-out ones) stand for what it learnt from; where
there are none, or they have other columns than requests, the first requests do. A part of them is the background, which
all explanations of the version have in common; the others are explained, as requests are.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.api import foreign
from fairlead.api.explain import Mean, Reference, WatchedFeature
from fairlead.api.tasks import ExplainTask
from fairlead.monitor import attributions
from fairlead.monitor.attributions import Interval
from fairlead.store.s3 import Bucket
from fairlead.worker import tables, tensors
from fairlead.worker.errors import TaskFailed
from fairlead.worker.explaining import bodies
from fairlead.worker.explaining.bodies import FEATURES, Form, Part
from fairlead.worker.explaining.shapley import Floats
from fairlead.worker.formats.words import line
from fairlead.worker.rows import Table

VERSION = 1
MOST, LEAST = 32, 8
"""Background rows."""
ASKED = 4_000
"""Rows that the model is asked about for one explained row: of wide rows the background is smaller, so that it stays
so."""
MANY = 1_000
"""Rows that are explained for the reference, at most, and"""
TIMES = 4
"""as a multiple of those of a window."""
SIZE = 8 << 20
"""Bytes of the document."""
OTHERS = "(all others)"


@dataclass(frozen=True)
class Background:
    """Rows that answers are explained against, in the form that requests have."""

    form: Form
    rows: list[list[Any]]


def pairs(features: int) -> int:
    """Background rows, and so pairs of orders."""
    return max(LEAST, min(MOST, ASKED // (2 * max(1, features - 1))))


# --- the rows ------------------------------------------------------------------------------------------------------


def evaluation_rows(task: ExplainTask, form: Form, many: int) -> list[list[Any]] | str:
    """So many of the evaluation's rows in the form of requests, drawn at random; or why there are none."""
    if task.reference is None:
        return "the version has no evaluation whose rows could be read"
    if any(one.shape not in ((), (1,)) for one in form.parts):
        return "requests have several features in one tensor, and nobody says which is which column"
    names = [one.name for one in form.parts]
    try:
        rows = _drawn(task, Path(task.reference), names, many)
    except TaskFailed as why:
        return f"the evaluation's rows can't stand for requests: {line(str(why), 200)}"
    unfit = [row for row in rows if not bodies.fits(form, row)]
    return "the evaluation's rows have text where requests have numbers, or the other way round" if unfit else rows


def _drawn(task: ExplainTask, folder: Path, names: Sequence[str], many: int) -> list[list[Any]]:
    with tempfile.TemporaryDirectory(prefix="fairlead-") as spill, tables.connect(Path(spill), folder) as database:
        table = Table(database, folder, task.reference_format, task.target, names)
        kinds = {name: table.types[name].scalar(name, "a feature that is explained") for name in names}
        random = np.random.default_rng(int(_digest(task.version)[:16], 16))
        chosen = np.sort(random.choice(table.known, size=min(many, table.known), replace=False))
        found, first = list[list[Any]](), 0
        for batch in table.batches(10_000):
            mine = chosen[(chosen >= first) & (chosen < first + batch.num_rows)] - first
            part = batch.take(mine)
            columns = [tensors.plain(name, kinds[name], part.column(name)) for name in names]
            found += [[_sent(value) for value in row] for row in zip(*columns, strict=True)]
            first += batch.num_rows
    return [found[at] for at in random.permutation(len(found))]


def _sent(value: Any) -> Any:
    """As a request has it."""
    if isinstance(value, Decimal):
        value = float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digest(text: str) -> str:
    """In hex."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- the document --------------------------------------------------------------------------------------------------


def kept(store: Bucket, prefix: str, background: Background) -> tuple[str, str]:
    """Key below the prefix, and digest, of the background, which is written."""
    body = json.dumps(
        {
            "version": VERSION, "parameters": background.form.parameters,
            "parts": [asdict(one) for one in background.form.parts], "rows": background.rows,
        }, separators=(",", ":"), allow_nan=False,
    ).encode()  # fmt: skip
    digest = hashlib.sha256(body).hexdigest()
    key = f"backgrounds/{digest}.json"
    store.put_if_absent(f"{prefix}{key}", body)
    return key, digest


def read(store: Bucket, prefix: str, made: Reference) -> Background:
    """The background that was kept. Raises StoreError, and TaskFailed for another one."""
    where = store.uri(f"{prefix}{made.key}")
    body = store.read(f"{prefix}{made.key}", SIZE)
    if hashlib.sha256(body).hexdigest() != made.sha256:
        raise TaskFailed("DigestMismatch", f"{where} was changed: it is made anew")
    try:
        found = foreign.parse(body, length=SIZE, parts=2 * MOST * FEATURES)
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}")
        parts = tuple(
            Part(one["name"], one["datatype"], tuple(one["shape"]), one["parameters"]) for one in found["parts"]
        )
        return Background(Form(parts, found["parameters"]), found["rows"])
    except (ValueError, LookupError, TypeError) as bad:
        raise TaskFailed("CorruptFile", f"{where} is no background of this release ({bad}): it is made anew") from None


# --- what contributions are compared with --------------------------------------------------------------------------


def shares(values: Floats) -> tuple[Floats, Floats]:
    """Of contributions (n, features): shares and ways (`monitor/attributions.py`), both (n, features) in [0, 1]."""
    total = np.abs(values).sum(axis=1, keepdims=True)
    parts = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    return np.clip(np.abs(parts), 0, 1), np.clip((1 + parts) / 2, 0, 1)


def watched(names: Sequence[str], values: Floats) -> list[WatchedFeature]:
    """The features that contribute most to the reference's rows, and all others together."""
    of, ways = shares(values)
    order = np.argsort(-of.mean(axis=0), kind="stable")
    top, rest = order[: attributions.WATCHED], order[attributions.WATCHED :]
    beta = attributions.beta(len(top) + (len(rest) > 0))
    found = [
        WatchedFeature(name=names[at], share=_mean(of[:, at], beta), way=_mean(ways[:, at], beta)) for at in top
    ]  # fmt: skip
    if len(rest):
        share, way = _together(of, ways, rest)
        found.append(WatchedFeature(name=OTHERS, share=_mean(share, beta), way=_mean(way, beta)))
    return found


def columns(names: Sequence[str], values: Floats, wanted: Sequence[str]) -> dict[str, tuple[Floats, Floats]]:
    """Shares and ways of a window's rows, of the features that are watched."""
    of, ways = shares(values)
    places = {name: at for at, name in enumerate(names)}
    found = {name: (of[:, places[name]], ways[:, places[name]]) for name in wanted if name in places}
    if OTHERS in wanted and OTHERS not in found:
        rest = np.array([at for name, at in places.items() if name not in wanted], dtype=np.intp)
        found[OTHERS] = _together(of, ways, rest)
    return found


def _together(of: Floats, ways: Floats, rest: Any) -> tuple[Floats, Floats]:
    parts = (2 * ways[:, rest] - 1).sum(axis=1)
    return np.clip(of[:, rest].sum(axis=1), 0, 1), np.clip((1 + parts) / 2, 0, 1)


def _mean(values: Floats, beta: float) -> Mean:
    found: Interval = attributions.interval(values.tolist(), beta)
    return Mean(low=found.low, mean=found.mean, high=found.high)
