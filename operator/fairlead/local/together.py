"""Pods that work together, as processes of one machine: what is told to their programs of each other."""

from __future__ import annotations

import re

from fairlead.manifests.workers import INDEX_ENV, PORT
from fairlead.plan.core import Json

LOCALHOST = "127.0.0.1"
_PORTS = ("MASTER_PORT", "PET_MASTER_PORT")


def here(container: Json, job: str, index: int, port: int) -> Json:
    """A container of one of a Job's pods: with its index, and this machine where another pod is named.

    Args:
        container: As the Job has it.
        job: Its name.
        index: Of the pod.
        port: Where the first one listens; a port that people have chosen stays.
    """
    hosts = re.compile(rf"{re.escape(job)}-[0-9]+\.workers-[0-9a-f]{{10}}")

    def value(one: Json) -> str:
        if one["name"] == INDEX_ENV:
            return str(index)
        said = str(one.get("value", ""))
        return str(port) if one["name"] in _PORTS and said == str(PORT) else hosts.sub(LOCALHOST, said)

    return container | {"env": [{"name": one["name"], "value": value(one)} for one in container["env"]]}
