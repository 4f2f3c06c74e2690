"""As which ServiceAccounts a Deployment's versions run. It is asked before a version's workload is made, and not of one
that is there: a label that goes takes nothing down."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.modelversion import ModelVersion
from fairlead.plan import accounts
from fairlead.plan.core import WORKLOAD
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.requests import ReadAccount


def requests(look: Look, status: DeploymentStatus, serving: Iterable[str]) -> list[ReadAccount]:
    """The questions that decide whether pods of these versions, and of the way back, can be made."""
    found = {name: versions.read(look, name) for name in (*serving, status.previous or "") if name}
    return accounts.requests(
        look.namespace, [one.spec.server for name, one in found.items() if one and not _runs(look, name, one)]
    )


def refused(look: Look, name: str, version: ModelVersion) -> tuple[str, str] | None:
    """Why a version's workload can't be made as it wants to run: reason, and what to do about it."""
    account = version.spec.server.service_account
    if account is None or _runs(look, name, version):
        return None
    return accounts.refused(look.world, look.namespace, account)


def waits(look: Look, serving: Iterable[str]) -> bool:
    """Whether one of these versions waits for the word of the namespace's owner."""
    found = ((name, versions.read(look, name)) for name in serving)
    return any(version is not None and refused(look, name, version) is not None for name, version in found)


def _runs(look: Look, name: str, version: ModelVersion) -> bool:
    """Whether its workload is there, and runs as the account already."""
    workload = look.world.get(WORKLOAD, look.child(name))
    if workload is None:
        return False
    return bool(
        workload["spec"]["template"]["spec"].get("serviceAccountName") == version.spec.server.service_account
    )  # fmt: skip
