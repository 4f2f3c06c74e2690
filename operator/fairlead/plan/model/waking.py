"""ModelVersions as a kind: when one is settled, who is woken by what, and what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from fairlead.api import halves
from fairlead.api.pinned import Pinned
from fairlead.plan.core import MODEL_VERSION, Gauge, Json, Peers, World
from fairlead.plan.jobs import attempt
from fairlead.plan.model import findings, identity, usage
from fairlead.plan.standing import has_standing

FINAL = ("Approved", "Rejected", "Revoked")
UNVERIFIED = "unverified"
"""Key of the versions that are approved, and whose bytes in the store nobody has verified yet."""
PROVES = "modelversion"
"""Label of pods that prove a version, without its prefix."""


def final(raw: Json) -> bool:
    """Whether it is approved, rejected or revoked, by its spec as it is."""
    status = raw.get("status") or {}
    current = status.get("observedGeneration") == raw["metadata"].get("generation")
    return status.get("phase") in FINAL and current


def unverified(raw: Json) -> bool:
    """Whether a version is approved, and each of its pods verifies its bytes, as nobody has done so yet."""
    status = raw.get("status") or {}
    said = status.get("conditions") if isinstance(status, dict) else None
    known = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    unknown = any(one.get("type") == "Verified" and one.get("status") == "Unknown" for one in known)
    return unknown and status.get("phase") == "Approved"


def settled(raw: Json) -> bool:
    """Approved, rejected and revoked versions cost nothing until their spec changes, or where they are used, once their
    bytes are verified."""
    return final(raw) and not unverified(raw) and has_standing(raw.get("status") or {})


def _waiting(raw: Json) -> bool:
    return (raw.get("status") or {}).get("phase") not in FINAL


# --- how they are found --------------------------------------------------------------------------------------------


def index(raw: Json) -> Iterator[str]:
    """The model, and who uses it; of a version that is not proven yet besides, whom it waits for."""
    model = (raw.get("spec") or {}).get("model")
    if not model:
        return
    yield f"model/{model}"
    yield from usage.keys(raw)
    if _waiting(raw):
        yield f"waits/{model}"
        for name in _datasets(raw):
            yield f"waits-for/{name}"
    if raw["spec"].get("artifact") and unverified(raw):
        yield UNVERIFIED


def of_model(world: World, model: str) -> list[Json]:
    """All versions of a model, sorted by name."""
    return world.indexed(MODEL_VERSION, f"model/{model}")


def waiting_of(world: World, model: str) -> list[Json]:
    """The versions of a model that are not approved, rejected or revoked yet, sorted by name."""
    return world.indexed(MODEL_VERSION, f"waits/{model}")


# --- who is woken --------------------------------------------------------------------------------------------------


def live(deployment: Json) -> str:
    """The version that a Deployment serves: all that versions are compared by. Empty if there is none."""
    return str(((deployment.get("status") or {}).get("live") or {}).get("version", ""))


def pinned(deployment: Json, name: str) -> Pinned | None:
    """What a Deployment has recorded of a version that it uses."""
    for one in halves.own(deployment, "versions") or []:
        try:
            if one["name"] == name:
                return Pinned.model_validate(one)
        except (ValidationError, KeyError, TypeError):
            continue  # of another Fairlead's form: then the name stands for whatever has it now
    return None


def heeded(deployment: Json) -> object:
    """What versions go by in a Deployment: what it serves, which versions it has and what part each of them has in it,
    and what their pods have found."""
    mine = [one.get("uid") for one in halves.own(deployment, "versions") or []]
    return live(deployment), mine, halves.own(deployment, "findings"), usage.parts(deployment)


def by_deployment(deployment: Json, versions: Peers) -> list[str]:
    """The versions that wait and are compared with what this Deployment serves, those whose bytes its pods verify or
    might have verified, and those that it uses."""
    found = [one.version for one in findings.recorded(deployment)]
    found += [one["metadata"]["name"] for one in versions.indexed(UNVERIFIED)]
    found += usage.by_deployment(deployment, versions)
    return list(dict.fromkeys([*_compared(deployment, versions), *found]))


def _compared(deployment: Json, versions: Peers) -> list[str]:
    name = live(deployment)
    served = pinned(deployment, name)
    recorded = identity.unpin(served) if served else None
    by_name = None if recorded or not name else versions.get(name)
    model = recorded.spec.model if recorded else by_name["spec"]["model"] if by_name else ""
    return [v["metadata"]["name"] for v in versions.indexed(f"waits/{model}")] if model else []


def by_dataset(dataset: Json, versions: Peers) -> list[str]:
    """The versions that wait for rows of this Dataset."""
    return [v["metadata"]["name"] for v in versions.indexed(f"waits-for/{dataset['metadata']['name']}")]


def _datasets(version: Json) -> set[str]:
    evaluation = version["spec"].get("evaluation") or {}
    read = [evaluation.get("data"), (evaluation.get("baseline") or {}).get("reference")]
    return {r["dataset"]["name"] for r in read if r and r.get("dataset")}


def by_pod(pod: Json, _versions: Iterable[Json]) -> list[str]:
    """The version that a pod proves."""
    return attempt.wakes(pod, PROVES)


def gauges(raw: Json) -> Iterable[Gauge]:
    """Which phase a version is in."""
    status = raw.get("status") or {}
    labels = {
        "namespace": raw["metadata"].get("namespace", ""), "version": raw["metadata"]["name"],
        "model": raw["spec"]["model"], "phase": status.get("phase") or "Pending",
    }  # fmt: skip
    yield Gauge("fairlead_modelversion_phase", "The phase that a ModelVersion is in: always 1.", labels, 1.0)
