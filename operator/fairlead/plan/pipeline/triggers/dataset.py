"""A run for each new version of a Dataset. Of versions that came while none could start, the last one counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import DatasetTrigger, Pipeline
from fairlead.plan.core import DATASET, Context, Json, World
from fairlead.plan.pipeline.triggers.base import Due, Heed, Reference, Trigger
from fairlead.plan.read import NotReadable, read


def _named(mine: Json, dataset: Json) -> bool:
    return bool(mine.get("name") == dataset["metadata"]["name"])


class OfDataset(Trigger[DatasetTrigger]):
    """The key is a version."""

    field = "dataset"
    heeds = (Heed(DATASET, _named),)

    def label(self) -> str:
        """The Dataset's name."""
        return self.spec.name

    def references(self) -> Iterable[Reference]:
        """The Dataset."""
        return (Reference(DATASET, self.spec.name),)

    def due(self, handled: str | None, context: Context[Pipeline]) -> Due | None:
        """The current version."""
        version = current_version(context.world, self.spec.name)
        if not version or version == handled:
            return None
        last = f" (last run: {handled})" if handled else ""
        return Due(version, f"Dataset {self.spec.name} has version {version}{last}")

    def outlook(self, _now: float) -> str:
        """The next version."""
        return f"Dataset {self.spec.name} has a new version"

    def pins(self, handled: str) -> Mapping[str, str]:
        """The version that it saw, though there may be a newer one by now."""
        return {self.spec.name: handled}


def current_version(world: World, dataset: str) -> str:
    """A Dataset's current version, or an empty string: without one, and where it can't be read."""
    raw = world.get(DATASET, dataset)
    try:
        current = read(Dataset, DATASET, raw).status.current if raw else None
    except NotReadable:
        return ""
    return current.version if current else ""
