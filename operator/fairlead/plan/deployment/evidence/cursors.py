"""How far each source has been read: the book that makes every unit count once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from fairlead.api.evidence import Cursor
from fairlead.verdict.counters import Advance, advance_all
from fairlead.verdict.guards import decode, encode_all


def is_read(source: str, restarts: Mapping[tuple[str, str], int]) -> bool:
    """Whether a pod's counters are read by this name, or will be. restarts: by (arm, uid)."""
    arm, uid, process, *_ = source.split("/")
    now = restarts.get((arm, uid))
    return now is not None and int(process) >= now


AHEAD = 2
"""Falls of a pod's counters that are told apart from restarts: after the second one they are not believed any more."""


def _process(source: str) -> int:
    return int(source.split("/")[2])


class Book:
    """The cursors of a rollout, open for one look."""

    def __init__(self, cursors: Iterable[Cursor]) -> None:
        self._at: dict[str, tuple[float, ...]] = {c.source: tuple(map(decode, c.values)) for c in cursors}

    def __contains__(self, source: str) -> bool:
        return source in self._at

    def __len__(self) -> int:
        return len(self._at)

    def at(self, source: str, default: float) -> float:
        """The value that a source of one counter was read up to."""
        return self._at.get(source, (default,))[0]

    def begin(self, source: str, values: Sequence[float]) -> None:
        """What was counted up to here is not evidence."""
        self._at[source] = tuple(values)

    def read(self, source: str, values: Sequence[float], *, from_zero: bool, parts: bool = True) -> Advance:
        """What a source has added since it was last read. `from_zero`: a new one began to count when we watched."""
        found = advance_all(self._at.get(source), values, from_zero=from_zero, parts=parts)
        self._at[source] = found.cursor
        return found

    def read_process(
        self, pod: str, restarts: int, values: Sequence[float], *, from_zero: bool, part: str = ""
    ) -> Advance:
        """What a pod's process has added; after each restart its counters have another name. A restart may show in the
        counters before the pod's status tells of it: then the name that they will have goes on from here. There are
        `AHEAD` such names at most."""
        ahead = restarts + 1
        while f"{pod}/{ahead}{part}" in self:
            ahead += 1
        found = self.read(f"{pod}/{restarts}{part}", values, from_zero=from_zero)
        for later in range(restarts + 1, min(ahead + found.reset, restarts + 1 + AHEAD)):
            self.begin(f"{pod}/{later}{part}", found.cursor)
        return found

    def falls(self, pod: str, restarts: int) -> int:
        """How often a pod's counters have fallen without a restart that its status tells of."""
        return max((_process(source) - restarts for source, _ in self.ahead(pod, restarts, 1)), default=0)

    def ahead(self, pod: str, restarts: int, least: int) -> list[tuple[str, int]]:
        """The names, and how many values they have, by which a pod's counters will be read after at least so many
        restarts more."""
        mine = [(source, len(values)) for source, values in self._at.items() if source.startswith(f"{pod}/")]
        return [(source, size) for source, size in mine if _process(source) >= restarts + least]

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Drop the sources that will never be read again."""
        self._at = {source: values for source, values in self._at.items() if wanted(source)}

    def copy(self) -> Book:
        """For reading on approval."""
        other = Book(())
        other._at = dict(self._at)
        return other

    def replace(self, other: Book) -> None:
        """What was read on approval counts."""
        self._at = other._at

    def outcomes(self, more: set[str]) -> int:
        """How many series there would be with these."""
        return len({source for source in self._at if source[0].isdigit()} | more)

    def close(self) -> list[Cursor]:
        """As status keeps them."""
        return [Cursor(source=source, values=encode_all(self._at[source])) for source in sorted(self._at)]
