"""What the cache did in the runs of a pipeline that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fairlead.api.pipeline import CacheCounts
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Json
from fairlead.plan.pipeline.cache.audit import MISMATCH

_HITS, _AUDITS = ("Hit", "Resumed"), ("Agreed", "Mismatch")


def counted(runs: Iterable[Json]) -> CacheCounts | None:
    """How many steps were hits, and were audited; None: no step has asked."""
    found = Counter(
        str(cache.get("outcome"))
        for run in runs for step in (run.get("status") or {}).get("steps") or () if (cache := step.get("cache"))
    )  # fmt: skip
    if not found:
        return None
    hits, audits = (sum(found[word] for word in words) for words in (_HITS, _AUDITS))
    return CacheCounts(hits=hits, audits=audits, mismatches=found["Mismatch"])


def tell(conditions: Conditions, runs: Iterable[Json]) -> None:
    """The condition CacheMismatch, for as long as a run is kept with a step that has made other outputs of the same;
    the newest is told."""
    found = [
        f"run {run['metadata']['name']}, step {step['name']}: {step['cache'].get('message', '')}"
        for run in runs for step in (run.get("status") or {}).get("steps") or ()
        if (step.get("cache") or {}).get("outcome") == "Mismatch"
    ]  # fmt: skip
    if found:
        conditions.set(MISMATCH, True, "OutputsDiffer", found[-1])
    else:
        conditions.drop(MISMATCH)
