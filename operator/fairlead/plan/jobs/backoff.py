"""How long the next attempt at a Job is waited for: longer after each one that failed."""

from __future__ import annotations

from dataclasses import dataclass

_DOUBLINGS = 30
"""More of them than any pause has room for, and few enough for a float."""


@dataclass(frozen=True)
class Backoff:
    """Pauses in seconds: the first, the longest, and by what each is longer than the one before it."""

    first: float
    longest: float
    factor: float = 2.0

    def after(self, attempts: int) -> float:
        """Seconds until another attempt after so many (at least one) that failed."""
        return float(min(self.longest, self.first * self.factor ** min(attempts - 1, _DOUBLINGS)))


USUAL = Backoff(5.0, 300.0)
LIMITED = Backoff(60.0, 86400.0, 6.0)
"""After attempts that came to a limit of their Job, as another one would, too, unless something is changed: a minute,
six minutes, 36 … a day."""
