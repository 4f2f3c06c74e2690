"""What Fairlead's own programs in Jobs may use: how much they try to is decided by the data, which is a tenant's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.schema import Cores, Model

Bytes = Annotated[str, Field(max_length=8, pattern=r"^([1-9][0-9]{0,5}Mi|[1-9][0-9]{0,4}Gi|[1-9][0-9]?Ti)$")]
"""A number of bytes that a node may have: `512Mi`, `8Gi`, `1Ti`."""

SCRATCH_ENV = "SCRATCH"
"""Variable with the bytes of the node's disk that a worker may write; absent where they are not limited."""
_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}


class JobResources(Model):
    """What Fairlead's own program in a Job needs. Each is request and limit alike, but for `cpu`, a request only."""

    cpu: Cores | None = None
    """Cores. Default `50m`; more are used where the node has them idle."""
    memory: Bytes | None = None
    """Default: `jobs.memory` of the installation is the limit."""
    scratch: Bytes | None = None
    """Room on the node's disk for files and for what a query does not keep in memory. Default: the limit is five times
    the data's size, where that is known, and at least `jobs.scratch` of the installation."""


def size(text: str) -> int:
    """Bytes of `512Mi`, `8Gi`, `1Ti`."""
    return int(text[:-2]) * _UNITS[text[-2:]]
