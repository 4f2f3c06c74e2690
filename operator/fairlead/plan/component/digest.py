"""What the results of a Component can follow from, as one digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fairlead.api.component import ComponentSpec

_FOR_PEOPLE = {"version", "description", "allowed_namespaces"}


def digest(spec: ComponentSpec) -> str:
    """SHA-256 of everything but what is written for people, and for whom it is.

    Two versions with the same digest do the same."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_FOR_PEOPLE)
    for part in ("params", "inputs", "outputs"):
        for one in said.get(part, {}).values():
            one.pop("description", None)
    return hashlib.sha256(_canonical(said)).hexdigest()


def _canonical(said: Any) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
