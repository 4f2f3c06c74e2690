"""Finished runs of a Pipeline are cleared away: those beyond the counts, and those that ended too long ago.

A run stays while something live speaks of what it has made, while something running speaks of it, and while a log of
it is still to be kept; and so does what can't be told. The newest that has ended stays in any case: by it the Pipeline
says how it stands. Nothing is deleted in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.pipeline import History
from fairlead.api.units import seconds
from fairlead.plan.core import (
    DEPLOYMENT,
    LABEL_PREFIX,
    MODEL_VERSION,
    PIPELINE_RUN,
    Delete,
    Json,
    World,
    epoch,
)
from fairlead.plan.model import references
from fairlead.plan.pipeline import logs, produce
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.history import KEEP

SOON = 60.0
"""Seconds until a look at what stayed for a reason of which no event tells."""


@dataclass
class Old:
    """What is to go now."""

    gone: list[Json] = field(default_factory=list)
    """Oldest first."""
    again: float | None = None
    """Seconds until the next one may."""

    @property
    def deletions(self) -> list[Delete]:
        """Each of exactly this run."""
        return [Delete(PIPELINE_RUN, raw["metadata"]["name"], raw["metadata"]["uid"]) for raw in self.gone]


def sweep(world: World, runs: Sequence[Json], rules: History, now: float) -> Old:
    """What has become too much of a pipeline's runs, oldest first. Runs made by hand without our label are their
    maker's."""
    mine = [run for run in runs if LABEL_PREFIX + "pipeline" in (run["metadata"].get("labels") or {})]
    ended = [run for run in mine if "deletionTimestamp" not in run["metadata"] and _phase(run) in TERMINAL]
    found, needs = Old(), _Needs(world)
    for run in _candidates(ended, rules, now, found):
        if not needs.keeps(run):
            found.gone.append(run)
        elif logs.awaited(run["status"]):
            found.again = min(SOON, found.again or SOON)
    return found


def _candidates(ended: Sequence[Json], rules: History, now: float, found: Old) -> Iterator[Json]:
    """Those that are too many, or too old."""
    succeeded = [run for run in ended if _phase(run) == "Completed"]
    failed = [run for run in ended if _phase(run) != "Completed"]
    many = [*_beyond(succeeded, rules.succeeded), *_beyond(failed, rules.failed)]
    extra = {run["metadata"]["uid"] for run in many}
    for run in ended:
        left = _left(run, rules, now) if run is not ended[-1] else None
        if run["metadata"]["uid"] in extra or (left is not None and left <= 0):
            yield run
        elif left is not None:
            found.again = left if found.again is None else min(found.again, left)


def _beyond(runs: Sequence[Json], limit: int) -> Sequence[Json]:
    return runs[: max(0, len(runs) - limit)]


def _left(run: Json, rules: History, now: float) -> float | None:
    """Seconds until a run has been over for as long as runs are kept; None: its age is no matter, or is not known."""
    at = run["status"].get("finishedAt")
    return epoch(at) + seconds(rules.ttl) - now if rules.ttl and at else None


def _phase(run: Json) -> str:
    return str((run.get("status") or {}).get("phase", ""))


# --- what keeps a run ----------------------------------------------------------------------------------------------


class _Needs:
    """What needs old runs; read only if there are any."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._references: references.References | None = None
        self._running: frozenset[str] | None = None

    def keeps(self, run: Json) -> bool:
        """Whether it has to stay."""
        meta = run["metadata"]
        notes = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
        if KEEP in notes or logs.awaited(run["status"]):
            return True
        try:
            return meta["name"] in self._spoken_of() or any(self._is_needed(run, one) for one in self._models(run))
        except references.STRANGE:
            return True

    def _models(self, run: Json) -> list[str]:
        return [str(one) for one in run["status"].get("models") or ()]

    def _is_needed(self, run: Json, name: str) -> bool:
        """Whether a Deployment needs a version that the run has made. Who is not shown may need any."""
        raw = self._world.get(MODEL_VERSION, name)
        if raw is None or produce.made_by(raw) != run["metadata"]["uid"]:
            return False
        if not self._world.served(DEPLOYMENT):
            return True
        if self._references is None:
            self._references = references.of(self._world)
        return bool(self._references.keeps(raw))

    def _spoken_of(self) -> frozenset[str]:
        """Texts of runs that are not over that may be a run's name."""
        if self._running is None:
            active = [run for run in self._world.select(PIPELINE_RUN) if _phase(run) not in TERMINAL]
            parts = [
                part for run in active for part in (run.get("spec"), {**(run.get("status") or {}), "template": None})
            ]
            self._running = frozenset(word for part in parts for word in _words(part))
        return self._running


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _words(one)
    elif isinstance(value, list):
        for one in value:
            yield from _words(one)
