"""What a version must have to be chosen here, and what one lacks.

The Deployment, its Namespace and the installation each ask for something; in each field the strictest holds. What can't
be read is never taken for "nothing is asked for": then no version goes live, and none that is on its way is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.requirement import Requirement
from fairlead.plan.core import LABEL_PREFIX, Json
from fairlead.plan.deployment.context import Look
from fairlead.plan.requests import NOT_YET, Failed, NamespaceSeen, ReadNamespace

PREFIX = f"{LABEL_PREFIX}require-"
FIELDS = {"approvals": "a whole number from 0 to 10", "gates": "true or false", "not-author": "true or false"}
"""Annotations of a Namespace, after the prefix, and what they must be."""
NOTHING = Requirement()
UNMET, UNKNOWN = "RequirementUnmet", "RequirementUnknown"
AGAIN = 60.0
"""Seconds after which a Deployment whose versions lack something looks at its Namespace again: no event tells of it."""


@dataclass(frozen=True)
class Lacking:
    """Why a version may not go live, and what to do about it."""

    reason: str
    message: str

    @property
    def told(self) -> tuple[str, str]:
        """As people are told."""
        return self.reason, self.message

    @property
    def certain(self) -> bool:
        """Whether it is known that it lacks something, not only unknown whether it does."""
        return self.reason == UNMET


class Unreadable(Exception):  # noqa: N818 - normal
    """What a Namespace asks for can't be read; the message says why, and what to do."""


def namespace(look: Look) -> ReadNamespace:
    """The question what the Namespace asks for."""
    return ReadNamespace(look.namespace)


# --- what is asked for ---------------------------------------------------------------------------------------------


def wanted(look: Look) -> Requirement | Lacking:
    """What each version must have here; Lacking if it isn't known."""
    found: Requirement | Lacking = look.once("requirement", lambda: _wanted(look))
    return found


def _wanted(look: Look) -> Requirement | Lacking:
    own = look.spec.model.require.stricter(look.world.config.require)
    answer = look.world.answer(namespace(look))
    try:
        if isinstance(answer, NamespaceSeen):
            return own.stricter(floor(answer.annotations))
        asked = isinstance(answer, Failed) and answer.reason not in NOT_YET
        why = answer.message if isinstance(answer, Failed) and asked else "it has not been asked yet"
        raise Unreadable(f"it isn't known what Namespace {look.namespace} asks of versions: {why}")
    except Unreadable as unreadable:
        return Lacking(UNKNOWN, str(unreadable))


def floor(annotations: tuple[tuple[str, str], ...]) -> Requirement:
    """What a Namespace's annotations ask for. Raises Unreadable for one that is misspelt or has another value."""
    found: dict[str, str] = {}
    for name, value in annotations:
        if not name.startswith(PREFIX):
            continue
        field = name.removeprefix(PREFIX)
        if field not in FIELDS:
            raise Unreadable(f"the Namespace's annotation {name} is unknown; there are "
                             f"{', '.join(PREFIX + one for one in FIELDS)}")  # fmt: skip
        if not _valid(field, value):
            raise Unreadable(f"the Namespace's annotation {name} is {value[:40]!r}; it must be {FIELDS[field]}")
        found[field.replace("-", "_")] = value
    return Requirement.model_validate(found)


def _valid(field: str, value: str) -> bool:
    if field != "approvals":
        return value in ("true", "false")
    try:
        Requirement.model_validate({"approvals": value})
    except ValidationError:
        return False
    return value.isdecimal()


# --- what a version has --------------------------------------------------------------------------------------------


def lacking(look: Look, raw: Json) -> Lacking | None:
    """What a ModelVersion lacks to go live here; None if nothing. It is asked of every version that is chosen; one that
    was live here may stay or become the way back."""
    asked = wanted(look)
    if isinstance(asked, Lacking):
        return asked
    if asked == NOTHING:
        return None
    name = raw["metadata"]["name"]
    if not (raw.get("status") or {}).get("evidence"):
        return Lacking(UNKNOWN, f"{name} has no evidence yet, and spec.model.require, the Namespace or the "
                       "installation asks for some")  # fmt: skip
    found = [_author(raw, asked), _approvals(look, raw, asked), _gates(look, raw, asked)]
    words = [one for one in found if one]
    if not words:
        return None
    return Lacking(UNMET, f"{name} may not go live here yet: {'; '.join(words)} (asked for by {_whose(look)})")


def _whose(look: Look) -> str:
    """Who asks for something."""
    answer = look.world.answer(namespace(look))
    asking = [
        ("spec.model.require", look.spec.model.require),
        (f"Namespace {look.namespace}", floor(answer.annotations) if isinstance(answer, NamespaceSeen) else NOTHING),
        ("the installation", look.world.config.require),
    ]
    return ", ".join(name for name, asked in asking if asked != NOTHING)


def authors(raw: Json) -> set[str]:
    """Whose work a version is: who made it or started its run, and who wrote the Pipeline."""
    spec = raw["spec"]
    return {one for one in (spec.get("author"), (spec.get("lineage") or {}).get("author")) if one}


def _author(raw: Json, asked: Requirement) -> str:
    if not asked.not_author or raw["spec"].get("author"):
        return ""
    pipeline = (raw["spec"].get("lineage") or {}).get("pipeline")
    remedy = f"set spec.author of Pipeline {pipeline} and start a run by kubectl fairlead run" if pipeline else \
        "make it anew with your name in spec.author"  # fmt: skip
    return f"it has no author, so nobody knows whose approval would be its own: {remedy}"


def _approvals(look: Look, raw: Json, asked: Requirement) -> str:
    """Approvals of the present evidence; what the version asks for itself must not be met by its author either."""
    spec = raw["spec"]
    needed = asked.approvals
    if asked.not_author:
        needed = max(needed, int((spec.get("approval") or {}).get("required", 1)) if spec.get("approval") else 0)
    digest = raw["status"]["evidence"].get("digest")
    people = {one["user"] for one in spec.get("approvals") or [] if one.get("evidence") == digest}
    own = people & authors(raw) if asked.not_author else set()
    if len(people - own) >= needed:
        return ""
    void = f", not counting its author {', '.join(sorted(own))}" if own else ""
    return f"{len(people - own)} of {needed} approvals{void}: kubectl fairlead approve {raw['metadata']['name']} " \
        f"-n {look.namespace}"  # fmt: skip


def _gates(look: Look, raw: Json, asked: Requirement) -> str:
    if not asked.gates:
        return ""
    gates = (raw["spec"].get("evaluation") or {}).get("gates") or []
    seen = raw["status"]["evidence"].get("gates") or []
    anew = "make a new version with spec.evaluation.gates"
    if not gates or not seen:
        return f"it has passed no gate: {anew}"
    first = look.subject.body.status.live is None
    bad = [one for one in seen if one["verdict"] != "Passed" and not (first and one["verdict"] == "Skipped")]
    if bad or len(seen) < len(gates):
        told = bad[0] if bad else {"gate": "a gate", "verdict": "missing"}
        return f"{told['gate']} was not passed ({told['verdict'].lower()}): make the version anew to have it evaluated"
    if not any(one["verdict"] == "Passed" for one in seen):
        return f"all its gates were skipped, since there is no champion: {anew}, one with max, min or against: baseline"
    return ""


def waits(status: DeploymentStatus) -> bool:
    """Whether a version is kept from going live by what is asked for, as far as people were told."""
    return any(one.reason in (UNMET, UNKNOWN) for one in status.conditions)
