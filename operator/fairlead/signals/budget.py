"""How much work somebody else's answer may cost."""

from __future__ import annotations

import time
from collections.abc import Callable

from fairlead.signals.errors import SignalError


class TooSlow(SignalError):  # noqa: N818 - the house's names of errors
    """An answer has cost more work than it may."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(
            "TooSlow",
            f"{what} takes more than {1000 * seconds:.0f} ms to read. Let it have fewer series of what is asked for, "
            "with shorter labels, and the patterns of server.metrics fewer repeats.",
        )


class Budget:
    """Seconds of the processor's time, from now on, of the thread that has made it. Made and spent in one thread."""

    def __init__(self, seconds: float, what: str = "the answer", clock: Callable[[], float] = time.thread_time) -> None:
        self._seconds, self._what, self._clock = seconds, what, clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Raise TooSlow if it is spent."""
        if self._clock() > self._end:
            raise TooSlow(self._what, self._seconds)


class Allowance:
    """Bytes of answers that may be taken in for one look at one object, from all of its pods together. remedy: what to
    do where they are more."""

    def __init__(self, size: int, remedy: str) -> None:
        self._size = self._left = size
        self._remedy = remedy

    def take(self, size: int) -> None:
        """Raise SignalError if there is no room for so many more."""
        if size > self._left:
            raise SignalError(
                "TooLarge",
                f"the pods' answers have more than {self._size >> 20} MiB since the last look. {self._remedy}",
            )
        self._left -= size
