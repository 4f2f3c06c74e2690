"""Rows outside of what the profile knows: the model never learnt from the like.

A row is outside if any of its numbers lies below or above all of the reference's, if any of its categories is one that
the reference did not have, or if a value is of another type. That is told from the places of its values alone, so it is
the same wherever rows are binned. Missing values are no outliers: `monitor.data` counts them.

How many rows of a world that has not changed are outside? Of a number, m rows of the reference and a new one are
exchangeable: the new one is the smallest or the largest with a probability of 2/(m+1). So a row is outside with a
probability of at most the sum of such shares over the features (`data.natural`), on average over references; the
tolerance, which is larger by far, is added.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.monitor.profile import Category, Number, Profile


def outside(profile: Profile, places: Mapping[str, int]) -> bool:
    """Whether a row is outside. places: of its values, by feature (`place`); features that aren't named don't count."""
    for name, place in places.items():
        feature = profile.feature(name)
        if feature is not None and place in outer(feature):
            return True
    return False


def outer(feature: Number | Category) -> tuple[int, ...]:
    """The places of a vector whose rows are outside: below, above and wrong; of categories unseen and wrong."""
    bins = len(feature.counts)
    return (bins, bins + 1, bins + 4) if isinstance(feature, Number) else (bins + 1, bins + 3)
