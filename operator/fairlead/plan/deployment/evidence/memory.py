"""What must survive the loss of a status: one small document in the store, read again when a status is empty.

Backups leave `status` out. What is live, what was taken back, and which overrides were carried out can't be found out
from the objects that are applied again: without it a version that did harm would be tried once more, and by the order
in which objects happen to be made an old one could go live. So each change of it becomes a document of its own,
numbered and written once; the newest one counts.

A version that evidence lets go live does so when the store has it. Rollbacks, and what people decide, wait for nothing:
they are saved right after, and `status.memory.due` says so until then.
"""

from __future__ import annotations

import re

from pydantic import ValidationError

from fairlead.api import foreign
from fairlead.api.deploymentstatus import DeploymentStatus, Live
from fairlead.api.memory import Memory, Recollection
from fairlead.plan import standing, store
from fairlead.plan.conditions import AVAILABLE, Conditions
from fairlead.plan.core import LABEL_PREFIX, Event, Plan, epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ledger
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.model.waking import of_model
from fairlead.plan.requests import NOT_YET, Failed, Newest, ReadNewest, Request, Saved, SaveDocument

CONDITION = "StateSaved"
ANEW = f"{LABEL_PREFIX}begin-anew"
"""Annotation: what the store has of an earlier Deployment of this name shall not count."""
AGAIN, SOON = 10.0, 0.5
"""Seconds between tries, and between looks while the store has not answered."""
GRACE = 60.0
"""Seconds that a new Deployment waits for somebody to allow Fairlead to read the store: a restore brings Secrets and
RoleBindings in any order."""
OLDER = 200
STANDS_ON = (
    "live", "previous", "way_back", "experiment", "refused", "history", "heeded", "retried", "versions", "served",
    "memory",
)  # fmt: skip
"""Fields of a status that the document is made of."""
_NUMBER = re.compile(r"([0-9]{1,9})\.json$")


# --- when a status is empty ----------------------------------------------------------------------------------------


def unread(look: Look) -> ReadNewest | None:
    """The question what was here before, for a status that knows nothing; None for any other."""
    status = look.subject.body.status
    if status.memory or status.live or status.candidate or status.history or status.experiment:
        return None
    folder = _folder(look)
    return None if folder is None or look.subject.meta.annotations.get(ANEW) else folder.newest(look.namespace)


def recall(look: Look) -> Plan | None:
    """The plan for a status that knows nothing, until it is known what was here before; None: go on."""
    request = unread(look)
    answer = look.world.answer(request) if request else None
    if request is None or (isinstance(answer, Newest) and not answer.key):
        return None
    if isinstance(answer, Newest):
        try:
            return _restored(look, Recollection.model_validate(foreign.parse(answer.text, parts=foreign.FEW)))
        except ValueError as error:
            why = f"{error.error_count()} errors" if isinstance(error, ValidationError) else error
            wrong = f"s3://{request.bucket}/{answer.key} is not what Fairlead writes ({why})"
            return _waiting(look, Failed("BadDocument", f"{wrong}; move it away, then the one before it counts"))
    assert isinstance(answer, Failed)
    allowed = answer.reason not in ledger.NOT_SET_UP or look.now < look.subject.meta.created + GRACE
    return _waiting(look, answer) if allowed else None


def _waiting(look: Look, why: Failed) -> Plan:
    status = look.subject.body.status
    if why.reason in NOT_YET:
        return Plan(status, requeue_after=SOON)
    told = Conditions(status.conditions, look.now, look.subject.meta.generation)
    message = (
        "the store can't be asked what was live here, so nothing goes live by itself, also where this Deployment is "
        f"new: {why.message}"
    )
    told.set(AVAILABLE, None, "RestoreUnknown", message)
    standing.tell(told, standing.reconciling("RestoreUnknown", message))
    changed = {**told.said(), "phase": "Pending", "message": message[:1024]}
    generation = look.subject.meta.generation
    return Plan(status.model_copy(update={**changed, "observed_generation": generation}), requeue_after=AGAIN)


def _restored(look: Look, found: Recollection) -> Plan:
    status = look.subject.body.status.model_copy(update={
        "live": Live(version=found.live, since=look.stamp) if found.live else None,
        "previous": found.previous, "way_back": found.way_back, "experiment": found.experiment,
        "refused": found.refused, "history": found.history, "heeded": found.heeded, "retried": found.retried,
        "versions": found.versions, "served": found.served, "older": found.older, "memory": Memory(),
    })  # fmt: skip
    refused = f"; not tried again: {', '.join(found.refused)}" if found.refused else ""
    words = f"its status was empty: as the store says, {found.live or 'nothing'} is live{refused}"
    return Plan(status, events=[Event("Restored", words)], requeue_after=0.0)


# --- what is saved -------------------------------------------------------------------------------------------------


def requests(look: Look, status: DeploymentStatus) -> list[Request]:
    """What the store is to be asked, or told, now."""
    kept, folder = status.memory, _folder(look)
    if kept is None or not kept.due or folder is None:
        return []
    pause = ledger.RARELY if kept.failing in ledger.NOT_SET_UP else AGAIN
    if kept.tried and look.now < epoch(kept.tried) + pause:
        return []
    if kept.number is None:
        return [folder.newest(look.namespace)]
    body = _recollection(look, status).model_dump_json(by_alias=True, exclude_none=True)
    return [folder.saving(look.namespace, f"{kept.number + 1:09}.json", body)]


def next_try(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until the store is to be asked again; None if there is nothing to be said."""
    kept = status.memory
    if kept is None or not kept.due or _folder(look) is None:
        return None
    pause = ledger.RARELY if kept.failing in ledger.NOT_SET_UP else AGAIN
    return epoch(kept.tried) + pause - look.now if kept.tried else SOON


def settled(look: Look, state: State) -> State:
    """The state after the store's answers."""
    kept = state.status.memory
    for request in requests(look, state.status):
        assert kept
        answer = look.world.answer(request)
        if isinstance(request, SaveDocument) and isinstance(answer, Saved):
            fresh: dict[str, object] = {"number": (kept.number or 0) + 1, "due": False}
        elif isinstance(answer, Newest):
            fresh = {"number": _number(answer.key)}
        elif isinstance(answer, Failed) and answer.reason == "ObjectChanged":
            fresh = {"number": None}  # a leader that died was faster: after its documents comes this one
        elif isinstance(answer, Failed) and answer.reason not in NOT_YET:
            told = {"failing": answer.reason, "message": answer.message[:1024], "tried": look.stamp}
            return state.having(memory=kept.model_copy(update=told))
        else:
            continue
        return state.having(memory=kept.model_copy(update={**fresh, "failing": "", "message": "", "tried": None}))
    return state


def _number(key: str) -> int:
    found = _NUMBER.search(key)
    return int(found[1]) if found else 0


def promised(look: Look, state: State, version: str) -> State | None:
    """The state that waits until the store knows that a version goes live; None: it may."""
    kept = state.status.memory
    if kept is None or _folder(look) is None or kept.failing in ledger.NOT_SET_UP:
        return None
    if kept.promise != version:
        return state.having(memory=kept.model_copy(update={"promise": version, "due": True}))
    return state if kept.due else None


def in_the_way(state: State) -> Problem | None:
    """Why what is promised still waits, if the store says why."""
    kept = state.status.memory
    if kept is None or not kept.promise or not kept.failing:
        return None
    return Problem(kept.failing, f"{kept.promise} goes live when the store knows of it: {kept.message}")


def failing(status: DeploymentStatus, version: str) -> bool:
    """Whether a version would go live if the store took what it must know."""
    kept = status.memory
    return kept is not None and kept.promise == version and kept.due and bool(kept.failing)


def noted(look: Look, state: State) -> State:
    """The state that says whether the store has all of it."""
    if _folder(look) is None:
        return state
    status, before = state.status, look.subject.body.status
    kept = status.memory or Memory(due=status.live is not None)
    if kept.promise and kept.promise not in _on_their_way(status):
        kept = kept.model_copy(update={"promise": ""})
    after = status.model_copy(update={"memory": kept})
    if any(getattr(before, one) != getattr(after, one) for one in STANDS_ON) and _facts(before) != _facts(after):
        kept = kept.model_copy(update={"due": True})
    return state if kept == status.memory else state.having(memory=kept)


def tell(look: Look, told: Conditions, status: DeploymentStatus) -> None:
    """The condition: whether the store has it."""
    kept = status.memory
    if kept is None or _folder(look) is None or (kept.number is None and not kept.failing):
        told.drop(CONDITION)
    elif kept.failing:
        words = f"what must survive the loss of this status is not in the store: {kept.message}"
        told.set(CONDITION, False, kept.failing, words)
    elif not kept.due:
        told.set(CONDITION, True, "Saved", "the store knows what is live, the way back, and what was refused")


# --- the document --------------------------------------------------------------------------------------------------


def _folder(look: Look) -> store.Location | None:
    return look.once("memory", lambda: store.memory_folder(look.world.config, look.namespace, look.name))


def _on_their_way(status: DeploymentStatus) -> list[str]:
    arms = status.experiment.arms if status.experiment else []
    return [one.version for one in [*([status.candidate] if status.candidate else []), *arms]]


def _facts(status: DeploymentStatus) -> Recollection:
    """The document, without what follows from the cluster."""
    live, previous, back = status.live.version if status.live else None, status.previous, status.way_back
    promise = status.memory.promise if status.memory else ""
    if promise and live:
        live, previous = promise, back.version if back and back.leaves == live else live
    named = {live, previous, back.version if back and not promise else None}
    over = status.experiment if status.experiment and status.experiment.phase == "Ended" else None
    return Recollection(
        deployment="", live=live, previous=previous,
        way_back=back.model_copy(update={"warmed": []}) if back and not promise else None,
        experiment=over.model_copy(update={"arms": [], "cursors": []}) if over else None,
        refused=status.refused, history=status.history, heeded=status.heeded, retried=status.retried,
        versions=[one for one in status.versions if one.name in named], served=status.served,
    )  # fmt: skip


def _recollection(look: Look, status: DeploymentStatus) -> Recollection:
    facts = _facts(status)
    return facts.model_copy(update={
        "deployment": f"{look.namespace}/{look.name}", "older": _older(look, status, facts.live or ""),
    })  # fmt: skip


def _older(look: Look, status: DeploymentStatus, live: str) -> list[str]:
    """The newest of those that are older than the live one: it can go on from these only."""
    found, since = versions.read(look, live), versions.age(look, live)
    if found is None or since is None:
        return status.older
    mine = of_model(look.world, found.spec.model)
    ages = {raw["metadata"]["name"]: versions.age_of(look, raw) for raw in mine}
    before = sorted((name for name, age in ages.items() if age < since), key=lambda name: ages[name])
    gone = [name for name in status.older if name not in before and name != live]
    return [*gone, *before][-OLDER:]
