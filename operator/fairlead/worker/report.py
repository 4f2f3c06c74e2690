"""The evaluation's report: the evidence that an approval speaks of."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairlead import __version__
from fairlead.api import answers
from fairlead.api.modelversion import GateResult, GoldenRef, ProfileRef, Score
from fairlead.api.tasks import EvaluateResult, EvaluateTask
from fairlead.store.layout import join
from fairlead.worker import bootstrap, digests, gates, scoring
from fairlead.worker.access import place

log = logging.getLogger(__name__)


def store(
    task: EvaluateTask, rows: scoring.Rows, scored: Mapping[str, gates.Scored], judged: list[GateResult], sample: str,
    profile: ProfileRef | str, gaps: Sequence[Mapping[str, Any]] = (), golden: GoldenRef | str = "",
) -> EvaluateResult:  # fmt: skip
    """Keep the report under its digest, and say where. profile: or why there is none; gaps: what the verdicts on gaps
    stand on, by slice; golden: what new pods are asked for, or why nothing is. Raises StoreError."""
    versions: dict[str, str] = {s.subject: s.version for s in task.subjects}
    scores = [
        Score(subject=s, version=versions.get(s, ""), values={m: gates.number(v) for m, v in found.values.items()})
        for s, found in scored.items()
    ]
    content = _content(task, rows, scored, scores, judged, sample, profile)
    rest: dict[str, Any] = {"gaps": list(gaps)} if gaps else {}
    if isinstance(golden, str):
        rest |= {"noGolden": golden} if golden else {}
    else:
        rest["golden"] = golden.model_dump(mode="json", by_alias=True)
    body = digests.canonical(content | rest)
    digest, bucket = digests.of_bytes(body), place(task.store)
    key = join(task.store.prefix, f"{digest}.json")
    bucket.put_if_absent(key, body)
    log.info("reported", extra={"report": bucket.uri(key), "gates": [f"{g.gate}: {g.verdict}" for g in judged]})
    return EvaluateResult(
        digest=digest,
        report=bucket.uri(key),
        data=task.data_sha256,
        rows=len(rows.truth),
        scores=scores,
        gates=judged,
        sample=sample,
        profile=None if isinstance(profile, str) else profile,
        no_profile=profile if isinstance(profile, str) else "",
        golden=None if isinstance(golden, str) else golden,
        no_golden=golden if isinstance(golden, str) else "",
    )


def _content(
    task: EvaluateTask, rows: scoring.Rows, scored: Mapping[str, gates.Scored], scores: list[Score],
    judged: list[GateResult], sample: str, profile: ProfileRef | str,
) -> dict[str, Any]:  # fmt: skip
    """All that an approval speaks of. No times in it: the same evidence has the same digest. The task's digest covers
    the digests of all bytes that were scored."""
    intervals = {
        subject: {m: [gates.number(x) for x in bootstrap.interval(s)] for m, s in found.samples.items()}
        for subject, found in scored.items()
    }
    return {
        answers.REPORT: answers.task_digest(task), "models": {s.subject: s.sha256 for s in task.subjects},
        "version": task.version, "task": task.task, "target": task.target, "features": task.features,
        "data": {"sha256": task.data_sha256, "rows": len(rows.truth), "leftOut": rows.left_out,
                 "reading": rows.reading},
        "baseline": {"by": task.by, "sha256": task.reference_sha256} if task.reference else None,
        "scores": [s.model_dump(mode="json", by_alias=True) for s in scores],
        "intervals": intervals,
        "problems": {subject: dict(found.problems) for subject, found in scored.items() if found.problems},
        "gates": [g.model_dump(mode="json", by_alias=True) for g in judged],
        "bootstrap": {"resamples": bootstrap.RESAMPLES, "seed": str(scoring.seed(task)), "level": str(bootstrap.LEVEL),
                      "interval": "percentile", "paired": True},
        "sample": sample,
        **({"noProfile": profile} if isinstance(profile, str) else
           {"profile": profile.model_dump(mode="json", by_alias=True, exclude_defaults=True)}),
        "software": {"fairlead": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }  # fmt: skip
