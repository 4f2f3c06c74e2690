"""The Component that a step names: one that comes with Fairlead, or an object that its namespace may use."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.component import Component, ComponentRef, ComponentSpec
from fairlead.plan.component.check import check
from fairlead.plan.core import COMPONENT, Invalid, Json, World
from fairlead.plan.pipeline.components import catalog
from fairlead.plan.read import NotReadable, read

MISSING, VERSION, INVALID, IMAGE = "ComponentMissing", "ComponentVersion", "ComponentInvalid", "ComponentWithoutImage"
REASON = "Component"
"""What all reasons begin with for which a step's Component can't be used for now."""


@dataclass
class NotUsable(Exception):  # noqa: N818 - the house's names of errors
    """It can't be used as things are; the step itself may be right."""

    reason: str
    """One of these, or ComponentUnreadable."""
    message: str
    stalled: bool = False
    """It does not pass by itself: whoever wrote the Pipeline has to change it."""


@dataclass(frozen=True)
class Found:
    """A Component as it is now."""

    name: str
    spec: ComponentSpec
    builtin: bool = False
    namespace: str = ""
    """Empty: the Pipeline's own."""

    @property
    def words(self) -> str:
        """What people call it."""
        where = f" of namespace {self.namespace}" if self.namespace else ""
        return f"the builtin {self.name}" if self.builtin else f"Component {self.name}{where}"


def find(ref: ComponentRef, world: World, namespace: str, path: str) -> Found:
    """The Component that a step of this namespace names. path: of the field `component`. Raises Invalid for one that
    there can't be, NotUsable for one that is not there, not granted, or not of the version."""
    found = _builtin(ref.builtin, world, f"{path}.builtin") if ref.builtin else _object(ref, world, namespace)
    has, wanted = found.spec.version, ref.version
    if wanted is not None and has != wanted and not has.startswith(f"{wanted}."):
        raise NotUsable(VERSION, f"{path}.version: {found.words} has version {has}, not {wanted}: name {has}, if the "
                        "step is right with what has changed, or let its owner bring the other back under another name",
                        stalled=True)  # fmt: skip
    return found


def _builtin(name: str, world: World, path: str) -> Found:
    images = world.config.images
    known = catalog.builtins(images)
    if name in known:
        return Found(name, known[name], builtin=True)
    if name in catalog.without_image(images):
        raise NotUsable(IMAGE, f"the builtin {name} trains, and this installation has no image for that: set "
                        "images.trainer in its values")  # fmt: skip
    raise Invalid(path, f"there is no builtin {name!r}; there are {', '.join(known) or 'none'}: kubectl fairlead "
                  "components lists them")  # fmt: skip


def _object(ref: ComponentRef, world: World, namespace: str) -> Found:
    """Of another namespace's nobody learns more than whether it may be used here."""
    name, other = ref.name or "", "" if ref.namespace in (None, namespace) else ref.namespace or ""
    raw = world.elsewhere(COMPONENT, other, name) if other else world.get(COMPONENT, name)
    if other and not granted(raw, namespace):
        raise NotUsable(MISSING, f"there is no Component {name} of namespace {other} that this namespace may use: let "
                        f"its owner make it, or add {namespace} to its spec.allowedNamespaces")  # fmt: skip
    if raw is None:
        raise NotUsable(MISSING, f"there is no Component {name} in this namespace; create it")
    try:
        found = Found(name, read(Component, COMPONENT, raw, "spec").spec, namespace=other)
        check(found.spec)
    except NotReadable as why:
        raise NotUsable(why.reason, why.message) from None
    except Invalid as why:
        text = f"Component {name}{f' of namespace {other}' if other else ''} can't be used: {why}"
        raise NotUsable(INVALID, text) from None
    return found


def granted(raw: Json | None, namespace: str) -> bool:
    """Whether a Component (as JSON; None: there is none) may be used in another namespace."""
    allowed = ((raw or {}).get("spec") or {}).get("allowedNamespaces") or ()
    return namespace in allowed or "*" in allowed
