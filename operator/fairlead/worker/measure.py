"""measure: score one model for a step of a run, by the code of an evaluation; its metrics are the step's own.

Nothing goes to the store from here: what the step leaves is published as any step's, so a result that is taken from an
earlier run has its metrics too.
"""

from __future__ import annotations

import json
import logging
import math
import platform
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fairlead import __version__
from fairlead.api import logged
from fairlead.api.evaluating import OUTPUT
from fairlead.api.modelversion import Gate
from fairlead.api.tasks import MeasureTask
from fairlead.worker import bootstrap, digests, gaps, gates, measured_page, scoring, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.evaluate import Asked, ask, table_of
from fairlead.worker.formats.words import line

log = logging.getLogger(__name__)

_NAME = 63
"""Characters of a metric's name."""


def measure(task: MeasureTask) -> str:
    """Ask the model's server for all rows, score its answers, and write what was found to the step's outputs. Returns
    the document's digest. Raises TaskFailed; nothing is written then."""
    (subject,) = task.subjects
    with (
        tempfile.TemporaryDirectory(prefix="fairlead-") as spill,
        tables.connect(Path(spill), Path(task.data)) as database,
    ):
        table = table_of(task, database)
        asked = Asked(subject, task, table.features(sorted(task.features)), task.where)
        rows, _ = ask(task, table, [asked])
        if asked.problem:
            raise TaskFailed("ServerFailed", f"the model can't be measured: {asked.problem}")
        scored = scoring.score(task, rows, {subject.subject: asked}, None)[subject.subject]
        classes = scoring.classes_of(task, rows, None)
    if scored.problems:
        raise TaskFailed("BadData", _problems(scored.problems))
    answered = gaps.Answered(rows.truth, scoring.joined(asked, classes), classes, rows.slices)
    judged = [gaps.judge(gate, answered) for gate in task.gates]
    if endless := [metric for metric, value in scored.values.items() if not math.isfinite(value)]:
        raise TaskFailed("BadData", f"{', '.join(endless)} can't be measured: together the losses are too large")
    values = {**_values(scored), **_gaps(task.gates, judged), "rows": str(len(rows.truth))}
    content = _content(task, rows, scored, judged)
    body = digests.canonical(content)
    _write(Path(task.outputs), values, body, measured_page.page(content))
    log.info("measured", extra={"metrics": values})
    return digests.of_bytes(body)


def _problems(found: Mapping[str, str]) -> str:
    """Why metrics can't be computed, those with the same reason together."""
    names: dict[str, list[str]] = {}
    for metric, why in found.items():
        names.setdefault(why, []).append(metric)
    return line("; ".join(f"{', '.join(metrics)} can't be measured: {why}" for why, metrics in names.items()))


def _values(scored: gates.Scored) -> dict[str, str]:
    return {metric: repr(value) for metric, value in scored.values.items()}


def _gaps(asked: Sequence[Gate], judged: Sequence[gaps.Judged]) -> dict[str, str]:
    """The gaps that are known, by the name that they have as metrics. One whose name would be too long is in the
    document only."""
    found: dict[str, str] = {}
    for gate, one in zip(asked, judged, strict=True):
        name, again = gap_name(gate), 2
        while name in found:
            name, again = f"{gap_name(gate)}_{again}", again + 1
        if one.result.value and len(name) <= _NAME:
            found[name] = one.result.value
    return found


def gap_name(gate: Gate) -> str:
    """`tpr_gap_by_region`."""
    return f"{gate.metric}_by_{re.sub(r'[^A-Za-z0-9_]', '_', str(gate.by))}"


def _content(
    task: MeasureTask, rows: scoring.Rows, scored: gates.Scored, judged: Sequence[gaps.Judged]
) -> dict[str, Any]:
    """All that was found. No times in it: the same model and rows have the same document."""
    (subject,) = task.subjects
    return {
        "model": {"name": subject.name, "sha256": subject.sha256}, "task": task.task, "target": task.target,
        "features": task.features,
        "data": {"sha256": task.data_sha256, "rows": len(rows.truth), "leftOut": rows.left_out,
                 "reading": rows.reading},
        "values": {m: gates.number(v) for m, v in scored.values.items()},
        "intervals": {m: [gates.number(x) for x in bootstrap.interval(s)] for m, s in scored.samples.items()},
        "gaps": [one.report | {"message": one.result.message} for one in judged],
        "bootstrap": {"resamples": bootstrap.RESAMPLES, "seed": str(scoring.seed(task)), "level": str(bootstrap.LEVEL),
                      "interval": "percentile"},
        "software": {"fairlead": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }  # fmt: skip


def _write(outputs: Path, values: Mapping[str, str], body: bytes, page: str) -> None:
    """What `publish` finds: the page, the document as an artifact, and the metrics last."""
    folder = outputs / logged.FOLDER
    (folder / logged.ARTIFACTS).mkdir(parents=True, exist_ok=True)
    (outputs / f"{OUTPUT}.html").write_text(page, encoding="utf-8")
    (folder / logged.ARTIFACTS / f"{OUTPUT}.json").write_bytes(body)
    lines = (f'{{"name":{json.dumps(name)},"value":{value}}}\n' for name, value in values.items())
    (folder / logged.METRICS).write_text("".join(lines), encoding="utf-8")
