"""Candidates that need GPUs take their turn, so that two of them never wait for each other.

A candidate's pods come on top of those that serve, and GPUs are scarce. So a candidate that needs some first asks for
a place, in its status, and has no pods until it has got one. Places are given in the order in which they were asked
for, in each namespace: to the first that waits, as soon as no one before it is still starting and, with `surge.gpus`,
as what all candidates ask for stays within that. Whoever has a place and can't be scheduled for `surge.wait` gives it
up, lets its GPUs go, and asks again later, each time after twice as long: so nobody holds for ever a part of what
somebody else needs.

What others have is read from the cache, which may be a moment old: a place is given a second after it was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fairlead.api.candidate import Candidate, GpuPlace
from fairlead.api.replicas import Replicas
from fairlead.manifests.meta import child_name
from fairlead.plan.core import DEPLOYMENT, LABEL_PREFIX, POD, Event, Json, epoch, rfc3339
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.serving import pods, sizes, strangers
from fairlead.plan.deployment.serving.pods import Problem

SETTLE = 1.0
"""Seconds between asking for a place and getting it."""
LONGEST = 3600.0
"""Seconds after which one that gave its place up asks again at the latest, but for a spread of a quarter."""
REASON = "WaitingForGpus"


@dataclass(frozen=True)
class Claim:
    """What a candidate of the namespace asks for. `starting`: it has a place, but not all of its pods have a node."""

    deployment: str
    version: str
    since: float
    gpus: int
    resource: str
    surge: bool
    """Whether it comes on top of a version that serves."""
    held: bool
    starting: bool

    def __str__(self) -> str:
        how = "starts" if self.starting else "has them" if self.held else "waits"
        return f"{self.version} of {self.deployment} ({self.gpus}, {how})"


class Size(NamedTuple):
    """Pods of a candidate: those that it shall have now, and those that it will have before it is live."""

    now: int
    most: int


def waits(candidate: Candidate) -> bool:
    """Whether it has no place (yet), and so no pods."""
    return candidate.place is not None and candidate.place.state == "Waiting"


def take_turn(look: Look, state: State) -> tuple[State, Problem | None]:
    """The state with the candidate's place; and why it waits."""
    candidate = state.candidate
    assert candidate
    wanted = _needs(look, candidate)
    if wanted is None:
        return state, None
    if candidate.place is None:
        asked = GpuPlace(since=look.stamp, gpus=wanted.gpus)
        least = sizes.needed(look, candidate.version)
        if _all_at_home(look, look.name, candidate.version, least):  # it starts over with its pods
            return _placed(state, candidate, asked.model_copy(update={"state": "Held", "held_since": look.stamp})), None
        return _placed(state, candidate, asked), Problem(REASON, f"{candidate.version} asks for {_many(wanted)}")
    if candidate.place.state == "Held":
        return _given_up(look, state, candidate, candidate.place, wanted)
    return _given(look, state, candidate, candidate.place, wanted)


def _given(
    look: Look, state: State, candidate: Candidate, place: GpuPlace, wanted: Claim
) -> tuple[State, Problem | None]:  # fmt: skip
    """A place for one that waits, if it is its turn."""
    until = epoch(place.until) if place.until else epoch(place.since) + SETTLE
    if look.now < until:
        why = f"no node had room for it; it asks again at {place.until}" if place.until else "it has just asked"
        return state, Problem(REASON, f"{candidate.version} waits for {_many(wanted)}: {why}")
    ahead = _ahead(look, wanted)
    if ahead:
        return state, Problem(REASON, f"{candidate.version} waits for {_many(wanted)}: {ahead}")
    held = place.model_copy(update={"state": "Held", "until": None, "gpus": wanted.gpus, "held_since": look.stamp})
    return _placed(state, candidate, held), None


def _ahead(look: Look, wanted: Claim) -> str:
    """Who or what is before it, in words; nothing if it is its turn."""
    most = look.world.config.surge.gpus if wanted.surge else None
    if most is not None and wanted.gpus > most:
        return (
            f"candidates of a namespace may ask for {most} at a time (surge.gpus of the installation): raise it, or "
            "ask for fewer replicas or GPUs"
        )
    own = look.name, wanted.version
    others = [one for one in _claims(look) if (one.deployment, one.version) != own and one.resource == wanted.resource]
    before = [one for one in others if (one.since, one.deployment) < (wanted.since, look.name)]
    # what is more than may ever be asked for holds up nobody
    first = [one for one in before if one.starting or not (one.held or (most is not None and one.gpus > most))]
    if first:
        return f"ahead of it are {', '.join(map(str, first[:5]))}"
    taken = sum(one.gpus for one in others if one.held and one.surge)
    if most is not None and taken + wanted.gpus > most:
        names = ", ".join(str(one) for one in others[:5] if one.held)
        return f"of the {most} that candidates of a namespace may ask for at a time, {taken} are taken by {names}"
    return ""


def _given_up(
    look: Look, state: State, candidate: Candidate, place: GpuPlace, wanted: Claim
) -> tuple[State, Problem | None]:  # fmt: skip
    """One that has a place goes on, unless its pods have been without a node for too long."""
    wait = look.world.config.surge.wait
    if not wanted.starting or look.now < _homeless_since(look, candidate, place) + wait:
        return state, None
    tries = place.tries + 1
    pause = min(LONGEST, wait * 2.0 ** min(tries - 1, 16)) * (1 + _spread(look.subject.meta.uid, tries) / 4)
    until = rfc3339(look.now + pause)
    back = GpuPlace(since=look.stamp, gpus=wanted.gpus, tries=tries, until=until)
    said = f"no node had room for {candidate.version} for {wait:g} s, so it lets its GPUs go; it asks again at {until}"
    return _placed(state.having(Event("GpusGivenUp", said, warning=True)), candidate, back), Problem(REASON, said)


def _homeless_since(look: Look, candidate: Candidate, place: GpuPlace) -> float:
    """Since when some of its pods have had no node, or have not been made (epoch seconds)."""
    found = [
        epoch(condition["lastTransitionTime"])
        for pod in pods.of(look, candidate.version)
        for condition in (pod.raw.get("status") or {}).get("conditions") or []
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        and condition["status"] == "False" and condition.get("lastTransitionTime")
    ]  # fmt: skip
    begun = [place.held_since or place.since, *([candidate.last_window_at] if candidate.last_window_at else [])]
    return max([*map(epoch, begun), min(found, default=0.0)])


def _spread(uid: str, tries: int) -> float:
    """A share in [0, 1) that differs between Deployments: those of different namespaces see nothing of each other."""
    return int.from_bytes(hashlib.sha256(f"{uid}/{tries}".encode()).digest()[:4], "big") / 2**32


def _placed(state: State, candidate: Candidate, place: GpuPlace) -> State:
    return state.having(candidate=candidate.model_copy(update={"place": place}))


def _many(wanted: Claim) -> str:
    return f"{wanted.gpus} {wanted.resource}"


# --- who asks for what ---------------------------------------------------------------------------------------------


def _needs(look: Look, candidate: Candidate) -> Claim | None:
    """What the candidate asks for; None if it needs no GPUs."""
    place = candidate.place
    since = epoch(place.since) if place else look.now
    held = place is not None and place.state == "Held"
    status = look.subject.body.status
    size = Size(sizes.pods_of(look, status, candidate.version), sizes.whole(look, status))
    return _claim(look, look.name, candidate.version, size, since, held, bool(candidate.against))


def _claims(look: Look) -> Iterator[Claim]:
    """What all candidates of the namespace ask for; not those that have given up for now, nor what another Deployment
    says in a form that can't be read."""
    for raw in look.world.select(DEPLOYMENT):
        try:
            yield from _claims_of(look, raw)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _claims_of(look: Look, raw: Json) -> list[Claim]:
    status = raw.get("status") or {}
    candidates = [status.get("candidate") or {}, *((status.get("experiment") or {}).get("arms") or [])]
    found = (_claimed(look, raw, candidate) for candidate in candidates)
    return [one for one in found if one is not None]


def _claimed(look: Look, raw: Json, candidate: Json) -> Claim | None:
    place = candidate.get("place")
    if not place or (place.get("until") and epoch(place["until"]) > look.now):
        return None
    wanted, kept = Replicas.model_validate(raw["spec"].get("replicas") or {}), (raw.get("status") or {}).get("scaling")
    most = max(wanted.asked, int(kept["whole"])) if kept else wanted.asked
    size = Size(min(int(candidate.get("pods") or most), most), most)
    return _claim(
        look, raw["metadata"]["name"], candidate["version"], size, epoch(place["since"]),
        place.get("state") == "Held", bool(candidate.get("against")),
    )  # fmt: skip


def _claim(
    look: Look, deployment: str, version: str, size: Size, since: float, held: bool, surge: bool
) -> Claim | None:  # fmt: skip
    found = versions.read(look, version)
    gpu = found.spec.server.resources.gpu if found else None
    if gpu is None:
        return None
    starting = held and not _all_at_home(look, deployment, version, size.now)
    return Claim(deployment, version, since, size.most * gpu.count, gpu.requested, surge, held, starting)


def _all_at_home(look: Look, deployment: str, version: str, replicas: int) -> bool:
    """Whether so many pods of its own have a node."""
    labels = {f"{LABEL_PREFIX}deployment": deployment, f"{LABEL_PREFIX}version": version}
    made = strangers.makers(look.world, child_name(deployment, version), labels)
    own, _ = strangers.split(made, look.world.select(POD, labels), look.now)
    return sum(map(_at_home, own)) >= replicas


def _at_home(pod: Json) -> bool:
    return bool(pod["spec"].get("nodeName")) and not pod["metadata"].get("deletionTimestamp")
