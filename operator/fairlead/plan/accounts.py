"""As which ServiceAccounts served models may run: those that the namespace's owner has labelled so.

Who may write ModelVersions must not get the rights of each account of the namespace by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.server import Server
from fairlead.plan.core import SERVE, World
from fairlead.plan.requests import NOT_YET, AccountSeen, Failed, ReadAccount

AGAIN = 5.0
"""Seconds until one that may not be used is asked for again: nothing tells of a label."""
NOT_GRANTED = "ServiceAccountNotGranted"


def requests(namespace: str, servers: Iterable[Server]) -> list[ReadAccount]:
    """The questions whether these servers may run as they want to."""
    names = dict.fromkeys(server.service_account for server in servers if server.service_account)
    return [ReadAccount(namespace, name) for name in names]


def refused(world: World, namespace: str, name: str) -> tuple[str, str] | None:
    """Why pods can't run as an account: reason, and what to do about it; None if they may."""
    answer = world.answer(ReadAccount(namespace, name))
    if isinstance(answer, AccountSeen):
        if answer.granted:
            return None
        label = f"kubectl label serviceaccount {name} -n {namespace} {SERVE}=true"
        if answer.exists:
            return (
                NOT_GRANTED,
                f"ServiceAccount {name} is not for served models; who owns the namespace allows it: {label}",
            )
        return "ServiceAccountMissing", f"there is no ServiceAccount {name} in {namespace}; create it, then: {label}"
    asked = isinstance(answer, Failed) and answer.reason not in NOT_YET
    why = answer.message if isinstance(answer, Failed) and asked else "it has not been asked yet"
    return "ServiceAccountUnknown", f"it isn't known whether pods may run as ServiceAccount {name}: {why}"
