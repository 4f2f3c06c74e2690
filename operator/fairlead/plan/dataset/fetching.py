"""How a pod brings a version of a Dataset: from where it is kept, or, pinned by reference, from its source."""

from __future__ import annotations

from fairlead.api.config import OperatorConfig
from fairlead.api.dataset import DatasetSpec
from fairlead.api.tasks import FetchItem
from fairlead.plan import store
from fairlead.plan.sources import registry as sources


def fetched(
    spec: DatasetSpec | None, config: OperatorConfig, namespace: str, uri: str, sha256: str, dest: str
) -> tuple[FetchItem, tuple[str | None, ...]]:
    """What brings it, and the Secrets that this needs. Raises Invalid without a store.

    Args:
        spec: None: the Dataset is gone; its versions stay in the operator's store.
        config: The installation's.
        namespace: The Dataset's.
        uri: Of the version's manifest.
        sha256: The version's digest, or as much of it as is known.
        dest: Folder in the pod.
    """
    keeps = store.store(spec.store if spec else None, config, namespace).reach
    access, origin = keeps.access(), None
    secrets = [keeps.credentials]
    if spec is not None and spec.pin == "reference":
        source = sources.of(spec.source, config)
        secrets.append(source.secret)
        origin = source.access() if source.access() != access else None
    item = FetchItem(access=access, source=origin, manifest=True, uri=uri, sha256=sha256, dest=dest)
    return item, tuple(secrets)
