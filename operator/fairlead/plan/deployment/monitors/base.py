"""What a monitor is to all the rest. Each has a file of its own, and a line in the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from fairlead.api.monitors import Monitored, Monitors
from fairlead.monitor.report import Report
from fairlead.plan.deployment.context import Look
from fairlead.plan.requests import Request

Standing = Literal["Ok", "Watch", "Drifting", "Bad", "Harmed", "Unfair", "Stale", "Unknown"]


@dataclass(frozen=True)
class Said:
    """What a monitor says."""

    state: Standing
    reason: str
    message: str


class Monitor(ABC):
    """One thing that is watched."""

    name: ClassVar[str]
    condition: ClassVar[str] = ""
    """The type of the condition that is true in the state `bad`; empty: there is none."""
    bad: ClassVar[Standing] = "Bad"
    counted: ClassVar[bool] = True
    """Whether it goes by what recorders have counted."""

    def wanted(self, spec: Monitors) -> bool:
        """Whether it is asked for."""
        return self.name not in spec.without

    @abstractmethod
    def says(self, look: Look, kept: Monitored, report: Report | None) -> Said | None:
        """What is known of the version now; None: nothing new. report: of the window that was closed just now."""

    def requests(self, _look: Look, _version: str) -> Sequence[Request]:
        """What it has to know from outside, when a window is due or it is not well."""
        return ()

    def due(self, _look: Look, _version: str) -> float | None:
        """Seconds until that changes by itself; None: it does not."""
        return None
