"""The places of a route: which backend stands where, so that nobody changes places while weights move.

A rule has a fixed number of places. Who is alone, or among few, leaves the places that nobody needs to the one with the
largest share: he has his own place with the rest of his share, and a single part in each spare one. No place is ever
without a share: a gateway may forget what is behind such a one, and learns of what is behind a place later than of its
share (Envoy Gateway 1.9 answers 500 meanwhile). Where places come to a route that is in use, that has begun before they
are needed, and a part is too small to be hit in that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairlead.manifests.meta import Json

FIRST = 2
"""Places that each route has from its beginning."""
FINE = 1_000
"""Parts of a percent where there are more."""


@dataclass(frozen=True)
class Backend:
    """A version that can be reached."""

    version: str
    service: str
    port: int


Shared = Sequence[tuple[Backend, int]]


def placed(
    shared: Shared, before: Sequence[Json], count: int, marked: Callable[[Json], bool]
) -> list[tuple[Backend, int]]:  # fmt: skip
    """`count` places with their weights. before: the places as they stand in the cluster; who has one keeps it.
    marked: says of a place whether its weight is a share of copies, not of requests.

    Weights add up to what they add up to in `shared`, or to `FINE` times as much with more than `FIRST` places; the
    largest must be above `FIRST`."""
    found: dict[int, tuple[Backend, int]] = {}
    fine = FINE if count > FIRST else 1
    late = []
    for backend, weight in shared:
        place = _place_of(backend, before, count, marked)
        if place is None or place in found:
            late.append((backend, weight * fine))
        else:
            found[place] = backend, weight * fine
    free = [place for place in range(count) if place not in found]
    found |= dict(zip(free, late, strict=False))
    spare = [place for place in range(count) if place not in found]
    main = max(found, key=lambda place: (found[place][1], -place))
    heaviest, parts = found[main]
    found |= {main: (heaviest, parts - len(spare))} | dict.fromkeys(spare, (heaviest, 1))
    return [found[place] for place in range(count)]


def _place_of(
    backend: Backend, before: Sequence[Json], count: int, marked: Callable[[Json], bool]
) -> int | None:  # fmt: skip
    """Where a backend stands in the cluster's route; of several places, where nothing is marked, or it has most."""
    mine = [place for place, ref in enumerate(before[:count]) if ref["name"] == backend.service]
    return max(mine, key=lambda at: (not marked(before[at]), int(before[at].get("weight", 1))), default=None)


def asked_for(named: Sequence[Backend], shared: Shared) -> list[Backend]:
    """Who is reached by asking, in the order of the places. A place whose version has no share yet is kept for it."""
    found = [backend for backend, _ in shared]
    others = [backend for backend in named if backend not in found]
    for place, backend in zip(_spare(shared), others, strict=False):
        found[place] = backend
    return found


def _spare(shared: Shared) -> list[int]:
    """The places that only repeat another one."""
    own: dict[Backend, int] = {}
    for place, (backend, weight) in enumerate(shared):
        if backend not in own or weight > shared[own[backend]][1]:
            own[backend] = place
    return [place for place, (backend, _) in enumerate(shared) if own[backend] != place]
