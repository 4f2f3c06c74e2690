"""What the results of a Component can follow from, as one digest."""

from __future__ import annotations

import hashlib

from fairlead.api.component import ComponentSpec
from fairlead.api.items import canonical

_FOR_PEOPLE = {"version", "description", "allowed_namespaces"}


def digest(spec: ComponentSpec) -> str:
    """SHA-256 of everything but what is written for people, and for whom it is.

    Two versions with the same digest do the same."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_FOR_PEOPLE)
    for part in ("params", "inputs", "outputs"):
        for one in said.get(part, {}).values():
            one.pop("description", None)
    return hashlib.sha256(canonical(said)).hexdigest()
