"""The versions that a Deployment uses, pinned to the objects that they were when they were chosen.

What is served follows from the pins. A ModelVersion that is deleted takes nothing away, and one that is made again
under an old name gets nothing: it has no part in what was seen, decided and approved of the other one.
"""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pinned import RECORDS, Pinned
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import MODEL_VERSION, Event, Json, epoch
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.model import identity

CONDITION = "VersionReplaced"
SKEW = 5.0
"""Seconds by which the API server's clock and the operator's may differ."""


def of(look: Look) -> dict[str, Pinned]:
    """The pins by name, as they are at the beginning of a look."""
    return look.once("pins", lambda: _of(look))


def _of(look: Look) -> dict[str, Pinned]:
    status = look.subject.body.status
    found = {one.name: one for one in status.versions}
    for name, since in _used(status).items():
        if name not in found:
            one = _late(look.world.get(MODEL_VERSION, name), identity.named(status.served, name), name, since)
            found |= {name: one} if one else {}
    return found


def _late(raw: Json | None, noted: Pinned | None, name: str, since: str) -> Pinned | None:
    """The pin of a version that has none yet. An object that was made later than it was chosen can't be it, nor can one
    with other bytes than those that were live (`noted`)."""
    if raw is None:
        return None
    if noted and noted.uid:
        return noted if identity.is_other(noted, raw) else identity.pin(raw)
    made = raw["metadata"].get("creationTimestamp")
    return Pinned(name=name) if made and epoch(made) > epoch(since) + SKEW else identity.pin(raw)


def _used(status: DeploymentStatus) -> dict[str, str]:
    """The versions that have, had, or may get requests, with when each was there for sure; the live one first."""
    found: dict[str, str] = {}
    live, kept, back = status.live, status.watch, status.way_back
    if live:
        found[live.version] = live.since
        if status.previous:
            found.setdefault(status.previous, live.since)
    if kept:
        found.setdefault(kept.against, kept.since)
    if back:
        found.setdefault(back.version, back.since)
    for one in [*([status.candidate] if status.candidate else []), *phase.arms(status)]:
        found.setdefault(one.version, one.since)
    return found


def is_it(look: Look, raw: Json) -> bool:
    """Whether an object is the version that this Deployment knows by its name, or it knows none by it."""
    return identity.is_it(of(look).get(raw["metadata"]["name"]), raw)


def others(look: Look, status: DeploymentStatus) -> list[str]:
    """The versions in use whose name another object has by now, with other bytes or another server."""
    found = []
    for name in _used(status):
        one, raw = of(look).get(name), look.world.get(MODEL_VERSION, name)
        if one and raw and identity.is_other(one, raw):
            found.append(name)
    return found


# --- what is written -----------------------------------------------------------------------------------------------


def kept(look: Look, state: State) -> State:
    """The state with the pins of what it uses, and of what leaves: until its pods are gone its name is taken."""
    before, used = _used(look.subject.body.status), _used(state.status)
    lived, lives = look.subject.body.status.live, state.status.live
    if lives and (lived is None or lived.version != lives.version):
        before.pop(lives.version, None)  # as one of many on their way there may have been no room for its record
    found = _within({name: _pin(look, name, name in before) for name in used})
    for one in state.status.retiring:
        known = of(look).get(one.version)
        if known and one.version not in used:
            found[one.version] = known.model_copy(update={"record": ""})
    pins = [one for _, one in sorted(found.items()) if one]
    if pins != state.status.versions:
        state = state.having(versions=pins)
    return _told(look, state)


def _within(found: dict[str, Pinned | None]) -> dict[str, Pinned | None]:
    """The pins, of which the first ones keep their records, so that the status stays small."""
    left, kept = RECORDS, dict[str, Pinned | None]()
    for name, one in found.items():
        size = len(one.record.encode()) if one else 0
        kept[name] = one.model_copy(update={"record": ""}) if one and size > left else one
        left -= size if size <= left else 0
    return kept


def _pin(look: Look, name: str, used_before: bool) -> Pinned | None:
    known, raw = of(look).get(name), look.world.get(MODEL_VERSION, name)
    if raw is None:
        return known
    if known is None:
        return identity.pin(raw)
    if known.uid == identity.uid_of(raw):
        kept = known if used_before or known.record else identity.pin(raw)
        return kept and identity.completed(look.world, kept, raw)
    # the same bytes under another uid, proven once more: applied again from a backup, for example
    again = identity.pin(raw) if (raw.get("status") or {}).get("phase") == "Approved" else None
    if again is None or again.digest != known.digest:
        return known
    return again.model_copy(update={"created": known.created or again.created})


def _told(look: Look, state: State) -> State:
    found = others(look, state.status)
    known = any(c.type == CONDITION and c.status == "True" for c in state.status.conditions)
    return state.having(Event(CONDITION, _words(look, found), warning=True)) if found and not known else state


def tell(look: Look, told: Conditions, status: DeploymentStatus) -> None:
    """The condition while another object has the name of a version in use."""
    found = others(look, status)
    if found:
        told.set(CONDITION, True, CONDITION, _words(look, found))
    else:
        told.drop(CONDITION)


def _words(look: Look, names: list[str]) -> str:
    unknown = [name for name in names if not of(look)[name].record]
    kept_as = (
        f"nobody recorded all of what {', '.join(unknown)} was, so its pods stay as they are" if unknown
        else "what was chosen then goes on being served"
    )  # fmt: skip
    return (
        f"ModelVersion {', '.join(names)} was deleted and made again with other bytes or another server since this "
        f"Deployment chose it; {kept_as}, and the new object gets no requests: make it under a new name"
    )
