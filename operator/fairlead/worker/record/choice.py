"""Which of the answers that the proxy hands over are counted, and how large a share it hands over.

A request is chosen by its id alone: it is a number in [0, 1), and those below the chance are taken. So all pods and
versions choose alike, and what one with a smaller chance takes, one with a larger chance takes too.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable

RATE = 20.0
"""Answers a second that are wanted of a pod."""
INTERVAL = 10.0
"""Seconds between two looks at the rate. Sooner, when as many have come as twice the rate would bring."""
LEAST = 2.0**-16
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def fraction(request_id: str) -> float:
    """A request's number in [0, 1). Of a UUID its last two digits count most, as the proxy takes them (see
    `manifests.proxy.sampled`), and the eight before them next."""
    if _UUID.fullmatch(request_id):
        return (int(request_id[-2:], 16) + int(request_id[-10:-2], 16) / 2**32) / 256
    return zlib.crc32(request_id.encode("utf-8", "replace")) / 2**32


class Choice:
    """Halves and doubles its chance, so that the chosen ones come RATE / 2 to 2 RATE times a second.

    most: the chance at most. steer: is told the chance whenever it has changed.
    """

    def __init__(
        self, most: float = 1.0, steer: Callable[[float], None] = lambda _: None, begin: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._most, self._steer, self._clock = most, steer, clock
        self.chance = most if begin is None else min(most, begin)
        self._count, self._since = 0, clock()

    def chosen(self, request_id: str, handed: float) -> float | None:
        """With which chance a request is taken that the proxy has chosen with the chance `handed`; None: it is not."""
        if fraction(request_id) >= self.chance:
            return None
        chance = min(self.chance, handed)
        self._count += 1
        if self._count >= 2 * RATE * INTERVAL:
            self._set(self.chance / 2)
        return chance

    def look(self) -> None:
        """Change the chance if an interval is over. To be called about each second."""
        passed = self._clock() - self._since
        if passed < INTERVAL:
            return
        rate, chance = self._count / passed, self.chance
        while rate <= RATE / 2 and chance < self._most:
            rate, chance = max(2 * rate, LEAST), 2 * chance
        self._set(chance)

    def _set(self, chance: float) -> None:
        self._count, self._since = 0, self._clock()
        chance = min(self._most, max(LEAST, chance))
        if chance != self.chance:
            self.chance = chance
            self._steer(chance)
