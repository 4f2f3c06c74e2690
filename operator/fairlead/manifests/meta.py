"""Names, labels and owners of what Fairlead creates."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

Json = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PREFIX = "fairlead.dev/"


def short_hash(*parts: str, length: int = 10) -> str:
    """A short, stable hash of the parts (hex)."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:length]


@lru_cache(maxsize=16384)
def child_name(parent: str, *parts: str, limit: int = 63) -> str:
    """`<parent>-<hash of all parts>`: deterministic, unique by the parts, and a valid DNS label."""
    digest = short_hash(parent, *parts)
    return f"{parent[: limit - len(digest) - 1].rstrip('-.')}-{digest}"


def labels(**extra: str) -> dict[str, str]:
    """Labels of a child: managed-by, and `fairlead.dev/<key>` for each keyword (underscores become dashes)."""
    found = {MANAGED_BY: "fairlead"}
    found |= {LABEL_PREFIX + key.replace("_", "-"): value for key, value in extra.items()}
    return found


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> Json:
    """A controlling owner."""
    return {
        "apiVersion": api_version, "kind": kind, "name": name, "uid": uid,
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
