"""A Dataset's version that is older than those in its status: its manifest lies in the store under its name.

The name is the beginning of the digest of what the version consists of, so whoever fetches it can tell that it is that
version. The manifest itself may be large, and is read by the Jobs only.
"""

from __future__ import annotations

import re

from fairlead.api.dataset import Dataset
from fairlead.plan import store
from fairlead.plan.core import World
from fairlead.plan.requests import NOT_YET, Failed, FindObject, Presence

_VERSION = re.compile(r"[0-9a-f]{16}")


class NotThere(Exception):  # noqa: N818 - the house's names of errors
    """There is no such version."""


class Unknown(Exception):  # noqa: N818 - the house's names of errors
    """Nobody knows yet whether there is one."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def none_yet(name: str, dataset: Dataset) -> str:
    """That a Dataset has no version yet, and what it says itself of why."""
    why = dataset.status.message
    return f"Dataset {name} has no version yet" + (f": {why[:300]}" if why else "")


def listed(dataset: Dataset, version: str) -> bool:
    """Whether the Dataset's status has a version."""
    status = dataset.status
    return any(one.version == version for one in (*status.versions, status.current) if one is not None)


def is_version(name: str) -> bool:
    """Whether it can be the name of a version at all."""
    return _VERSION.fullmatch(name) is not None


def question(world: World, namespace: str, name: str, dataset: Dataset, version: str) -> FindObject | None:
    """What the store is to be asked; None: nothing, for the status has it, or it can't be a version. Raises Invalid
    without a store."""
    if listed(dataset, version) or not is_version(version):
        return None
    folder = store.dataset_folder(dataset.spec.store, world.config, namespace, name)
    reach, key = folder.reach, f"{folder.prefix}versions/{version}.json"
    return FindObject(namespace, folder.bucket, key, reach.endpoint, reach.region, reach.credentials)


def manifest(world: World, namespace: str, name: str, dataset: Dataset, version: str) -> str:
    """Where the manifest of a version lies that the status does not have. Raises NotThere, and Unknown as long as the
    store has not said that it is there; Invalid without a store."""
    asked = question(world, namespace, name, dataset, version)
    if asked is None:
        raise NotThere(f"{version} is no version: it has 16 digits of 0-9 and a-f")
    answer = world.answer(asked)
    if isinstance(answer, Failed):
        asking = "the store is being asked for it" if answer.reason in NOT_YET else answer.message
        raise Unknown(answer.reason, f"version {version} of Dataset {name} is not among its last ones: {asking}")
    if not (isinstance(answer, Presence) and answer.found):
        raise NotThere(f"neither the Dataset's status nor the store has version {version}")
    return uri(world, namespace, name, dataset, version)


def uri(world: World, namespace: str, name: str, dataset: Dataset, version: str) -> str:
    """Where a version's manifest lies, whether or not it is there. Raises Invalid without a store."""
    return f"{store.dataset_folder(dataset.spec.store, world.config, namespace, name).uri()}versions/{version}.json"
