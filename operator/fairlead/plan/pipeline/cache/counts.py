"""What the cache did in the runs of a pipeline that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fairlead.api.pipeline import CacheCounts
from fairlead.plan.core import Json

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
