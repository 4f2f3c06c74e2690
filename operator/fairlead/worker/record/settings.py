"""What the recorder is told; `RecordTask` as plain values, for a process that does without pydantic."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.worker.record.names import POD_ENV, TASK_ENV


@dataclass(frozen=True)
class Settings:
    """See `fairlead.api.tasks.RecordTask`."""

    deployment: str
    version: str
    socket: str
    port: int
    spool: str
    probability: float
    every: float
    inputs: bool = False
    path: str | None = None
    store: Mapping[str, Any] | None = None
    profile: Mapping[str, Any] | None = None
    steer: str | None = None
    sparing: bool = False
    golden: Mapping[str, Any] | None = None
    pod: str = "unknown"
    boot: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Names this process: numbers of answers begin anew with each."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings of a task that was found to be valid."""
    return Settings(**json.loads(environment[TASK_ENV]), pod=environment.get(POD_ENV, "unknown"))
