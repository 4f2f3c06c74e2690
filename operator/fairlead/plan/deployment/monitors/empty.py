"""Windows in which nothing came that could be compared with the profile: that is no drift, and no bad value either."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.plan.deployment.serving.pods import Problem

NAMELESS = "features"
"""How recorders call requests without any feature of the profile (`worker.record.rows`)."""
RENAMED = (
    "no row has any of the features that {version} learnt from: they are called otherwise; send them by the profile's "
    "names, or make a profile of what is sent"
)
VALUELESS = (
    "no row has a value of any feature that is one: all are missing, NaN, or of another type than in the profile; see "
    "what the callers send"
)


def found(version: str, profile: Profile, tally: Tally) -> Problem | None:
    """Why nothing that came can be compared: it is called otherwise, or is no value; None: something can."""
    if tally.unread.get(NAMELESS, 0) > tally.sampled / 2:
        return Problem("FeaturesRenamed", RENAMED.format(version=version))
    vectors = [(one, tally.vectors.get(feature_key(one.name), ())) for one in profile.features]
    known = [(one, vector) for one, vector in vectors if len(vector) == one.length]
    if not known or not tally.rows or not all(_without_values(one, vector) for one, vector in known):
        return None
    if all(vector[one.place(None)] == sum(vector) for one, vector in known):
        return Problem("FeaturesRenamed", RENAMED.format(version=version))
    return Problem("NoUsableValues", VALUELESS)


def _without_values(one: Number | Category, vector: Sequence[int]) -> bool:
    """Whether all of a feature's values are missing, NaN, or of another type, though the reference's were not."""
    behind = len(one.counts) + 2
    had = sum(one.reference[:behind]) > 0
    return had and sum(vector) > 0 and not any(vector[:behind])
