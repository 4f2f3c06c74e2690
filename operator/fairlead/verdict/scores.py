"""Do the answers themselves lie where the live version's lie? Without labels, and though no request fails.

The live version's first answers in a rollout say what is usual: for numbers their quantiles, for labels which there
are. Later answers of *both* versions are held against that: how many are not usual is counted in each, and test A says
whether the candidate has more of them. What is usual was fixed before, so under equal distributions both shares are
equal, whatever they are; a drift of the requests moves both.

Answers that are all alike can lie well within what is usual. So the candidate's first answers say where it has many
more than the live version (its favourite: a tenth of the range, or a label), and from then on those count too, again in
both versions. A favourite that is one by chance costs power, and no false alarm: it is chosen on answers that are not
judged by it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

KNOWN = 200
"""Answers of the live version that say what is usual."""
OWN = 50
"""Answers of the candidate that say what it likes."""
EXCESS = 0.2
"""By so much a favourite's share is larger than the live version's."""
LABELS = 50
"""The most frequent ones."""
OUT = ""
"""The place of an answer that is not usual."""
_TAILS = (0.05, 0.95)


def bounds(values: Sequence[float]) -> tuple[float, ...]:
    """The 5 % quantile of an arm's values, the nine deciles, and the 95 % quantile. values: finite, at least one."""
    ordered = sorted(values)
    return tuple(_quantile(ordered, q) for q in (_TAILS[0], *(tenth / 10 for tenth in range(1, 10)), _TAILS[1]))


def _quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that a share of at least q does not exceed."""
    return ordered[min(len(ordered) - 1, max(0, -int(-q * len(ordered) // 1) - 1))]


def tenth(found: Sequence[float], value: float) -> str:
    """Where a number lies: `1` to `10`, or OUT. found: the quantiles that `bounds` gives."""
    if not found[0] <= value <= found[-1]:
        return OUT
    return str(1 + bisect_right(found[1:-1], value))


def labels(told: Iterable[str]) -> tuple[str, ...]:
    """The labels that are usual, in alphabetical order."""
    often = Counter(told).most_common(LABELS)
    return tuple(sorted(label for label, _ in often))


def favourite(live: Mapping[str, int], own: Mapping[str, int]) -> str:
    """The place where the candidate has many more answers than the live version, or OUT if there is none.

    live, own: answers by place."""
    if not own or not live:
        return OUT
    both = sorted({*live, *own} - {OUT})
    all_live, all_own = sum(live.values()), sum(own.values())
    excess = {place: own.get(place, 0) / all_own - live.get(place, 0) / all_live for place in both}
    best = max(both, key=lambda place: excess[place], default=OUT)
    return best if best != OUT and excess[best] >= EXCESS else OUT
