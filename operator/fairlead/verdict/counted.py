"""What two versions answered in the same stretch of time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """Counts of one version."""

    requests: int = 0
    failures: int = 0

    def __add__(self, other: Arm) -> Arm:
        return Arm(self.requests + other.requests, self.failures + other.failures)

    @property
    def rate(self) -> float | None:
        """Share of failures; None without requests."""
        return self.failures / self.requests if self.requests else None


@dataclass(frozen=True)
class Window:
    """What both versions answered in the same stretch of time."""

    stable: Arm
    candidate: Arm
