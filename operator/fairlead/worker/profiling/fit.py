"""A profile as large as it may be: names of rare categories are given up first, where they are longest."""

from __future__ import annotations

import json

from fairlead.monitor.profile import SIZE, Category, Number, Profile
from fairlead.worker.errors import TaskFailed

SMALL, EACH = 62 << 10, 3 << 10
"""Bytes that a profile may have in any case, and for each feature where it has many."""


def fitted(profile: Profile) -> Profile:
    """The same, or with fewer names of categories. Raises TaskFailed (BadData) if it is too large without any."""
    allowed = min(max(SMALL, EACH * len(profile.features)), SIZE - (8 << 10))
    parts = [*profile.features, *([profile.prediction] if profile.prediction else [])]
    costs = [_cost(one) for one in parts]
    size = estimate = len(profile.dumped())
    while size > allowed:
        at = max(range(len(parts)), key=lambda i: costs[i], default=0)
        if not parts or not costs[at]:
            raise TaskFailed(
                "BadData", f"the profile has {size} bytes, and {allowed} are allowed for {len(profile.features)} "
                "features: give them shorter names, or profile fewer",
            )  # fmt: skip
        parts[at] = _less(parts[at])
        estimate += (after := _cost(parts[at])) - costs[at]
        costs[at] = after
        if estimate <= allowed or not any(costs):
            profile = _with(profile, parts)
            size = estimate = len(profile.dumped())
    return profile


def _with(profile: Profile, parts: list[Number | Category]) -> Profile:
    n = len(profile.features)
    return profile.model_copy(update={"features": parts[:n], "prediction": parts[n] if parts[n:] else None})


def _cost(feature: Number | Category) -> int:
    if isinstance(feature, Number) or not (feature.values or feature.known):
        return 0
    return len(json.dumps([*feature.values, *feature.known]))


def _less(feature: Number | Category) -> Category:
    """Half of the names that are only known; if there are none, half of those with a place."""
    assert isinstance(feature, Category)
    if feature.known:
        return feature.model_copy(update={"known": feature.known[: len(feature.known) // 2], "complete": False})
    keep = len(feature.values) // 2
    return feature.model_copy(update={
        "values": feature.values[:keep], "counts": feature.counts[:keep],
        "other": feature.other + sum(feature.counts[keep:]), "complete": False,
    })  # fmt: skip
