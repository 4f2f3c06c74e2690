"""Whose an object is, and whether one that has lost its owner is ours.

Labels, annotations and names can be given to anything by anybody who may write in the namespace. Who has set which
fields the API server notes itself. So an object is taken back only if nobody else has set anything of it but metadata
and status: applied again, it is exactly what was wanted, whoever has made it.
"""

from __future__ import annotations

import json
from typing import Any

from fairlead.engine.cache import controller_of
from fairlead.engine.compare import APPLIED
from fairlead.plan.core import MANAGER, Kind, Meta

Json = dict[str, Any]

CREATED_BY = "fairlead.dev/created-by-uid"
"""Annotation of a child that outlives its maker and so has no ownerReference to it."""
_FREE = frozenset({"f:metadata", "f:status"})


class Taken(Exception):  # noqa: N818 - reads as what it is
    """An object is not the subject's. `by`: who else has set fields of one that has our marks; none: it hasn't any."""

    def __init__(self, owner: str = "", by: tuple[str, ...] = ()) -> None:
        super().__init__(owner or ", ".join(by))
        self.owner, self.by = owner, by

    def told(self, kind: Kind, subject: Meta, wanted: Json) -> str:
        """What a person must know: nothing that serves is in danger, and what to do."""
        name = wanted["metadata"]["name"]
        if self.by:
            back = json.dumps({"metadata": {"ownerReferences": wanted["metadata"]["ownerReferences"]}})
            return (
                f"{kind.kind} {name} has lost its owner, and {', '.join(self.by)} set fields of it that Fairlead did "
                f"not: it is left as it is. If that is meant, give it back as it is: kubectl -n {subject.namespace} "
                f"patch {_resource(kind)} {name} --type=merge -p '{back}'"
            )
        whose = f"belongs to {self.owner}" if self.owner else f"was not made for {subject.name}"
        return (
            f"{kind.kind} {name} is there already and {whose}: it is left as it is, and all else goes on without it. "
            "Whoever made it must give it another name"
        )


def _resource(kind: Kind) -> str:
    """The kind as kubectl knows it for sure."""
    group = kind.api_version.rpartition("/")[0]
    return f"{kind.plural}.{group}" if group else kind.plural


def is_of(subject: Meta, live: Json) -> bool:
    """Whether an object is a child of the subject."""
    return (controller_of(live) or (live["metadata"].get("annotations") or {}).get(CREATED_BY)) == subject.uid


def lost_by(subject: Meta, wanted: Json, live: Json) -> Json:
    """The object (with its managed fields), if it is a child of the subject that has lost its owner. Raises Taken.

    wanted: the object as it is to be applied."""
    meta = live["metadata"]
    for one in meta.get("ownerReferences") or ():
        if one.get("uid") != subject.uid:
            raise Taken(owner=f"{one.get('kind')} {one.get('name')}")
    had, wish = meta.get("labels") or {}, wanted["metadata"].get("labels") or {}
    annotations = meta.get("annotations") or {}
    if annotations.get(CREATED_BY) or APPLIED not in annotations or any(had.get(k) != v for k, v in wish.items()):
        raise Taken
    ours, others = _writers(live)
    if others:
        raise Taken(by=others)
    if not ours:
        raise Taken
    return live


def _writers(live: Json) -> tuple[bool, tuple[str, ...]]:
    """Whether Fairlead has applied what the object consists of, and who else has set any of it."""
    ours, others = False, set()
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("subresource") or not set(entry.get("fieldsV1") or ()) - _FREE:
            continue
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            ours = True
        else:
            others.add(str(entry.get("manager") or "somebody"))
    return ours, tuple(sorted(others))
