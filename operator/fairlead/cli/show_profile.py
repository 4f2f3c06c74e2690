"""A profile as people look at it: a line and a histogram a feature, and how right the answers were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.histogram import heights, sparkline
from fairlead.cli.text import amount, count, short, size
from fairlead.monitor.profile import Category, Number, Profile, Scores

_CELLS, _NAMES, _PAIRS = 32, 3, 5
_LONG = 40


def blocks(profile: Profile, left_out: Mapping[str, str] | None = None, notes: Sequence[str] = ()) -> list[Block]:
    """The view. left_out: columns that are not profiled, and why. notes: what is not known, and why."""
    body = size(len(profile.dumped()))
    shown: list[Block] = [
        Title(f"profile {short(profile.digest)}", "", f"{profile.task}, {body}"),
        Lines(_rows(profile)),
    ]
    rows = [_line(one) for one in profile.features]
    if rows:
        shown.append(Table(["FEATURE", "RANGE OR MOST FREQUENT", "MISSING", "UNUSABLE", "ROWS BY VALUE"], rows))
    if profile.prediction is not None:
        shown.append(Table(["ANSWERS", "RANGE OR MOST FREQUENT", "MISSING", "UNUSABLE", "ROWS BY VALUE"],
                           [_line(profile.prediction)]))  # fmt: skip
    if profile.quality:
        shown.append(
            Table(["METRIC", "HELD-OUT ROWS"], [[name, f"{v:.5g}"] for name, v in sorted(profile.quality.items())])
        )
    if profile.scores:
        shown.append(_calibration(profile.scores, profile.positive))
    if profile.slices:
        rows = [[f"{one.by}={value}", count(n)] for one in profile.slices
                for value, n in zip(one.values, one.counts, strict=True)]  # fmt: skip
        shown.append(Table(["SLICE", "HELD-OUT ROWS"], rows))
    if profile.pairs:
        rows = [[one.a, one.b, f"{one.r:+.3f}"] for one in profile.pairs[:_PAIRS]]
        more = len(profile.pairs) - len(rows)
        rows += [[f"and {more} more", "", ""]] if more else []
        shown.append(Table(["PAIR", "", "CORRELATION"], rows))
    told = [f"not profiled: {cut(name)} is {why}" for name, why in (left_out or {}).items()] + list(notes)
    return [*shown, Lines(told)] if told else shown


def _rows(profile: Profile) -> list[str]:
    stands = profile.held_out and profile.data and profile.data == profile.reference
    found = [f"{amount(len(profile.features), 'feature')} of {amount(profile.rows, 'row')}"]
    if profile.held_out:
        found.append(f"answers to {count(profile.held_out)} held-out rows")
    if stands:
        found.append("both are the same rows: the held-out ones stand for what the model learnt from")
    return found


def _line(feature: Number | Category) -> list[str]:
    wrong = feature.wrong + (feature.unusable if isinstance(feature, Number) else 0)
    spark = sparkline(heights(feature, _CELLS))
    return [cut(feature.name), words(feature), _some(feature.missing), _some(wrong), spark]


def words(feature: Number | Category) -> str:
    """The range of a number; the most frequent names of a category."""
    if isinstance(feature, Number):
        if not any(feature.counts):
            return "no value"
        return f"{feature.low:.5g} … {feature.high:.5g}, mean {feature.mean:.5g}"
    total = sum(feature.counts) + feature.other or 1
    most = [f"{cut(v, 20)} {100 * n / total:.0f} %" for v, n in zip(feature.values, feature.counts, strict=True)]
    more = len(feature.values) + len(feature.known) - _NAMES
    rest = [f"{'' if feature.complete else 'over '}{count(more)} more"] if more > 0 else []
    return ", ".join(most[:_NAMES] + rest) or ("no value" if feature.complete else "too many names to tell")


def _some(n: int) -> str:
    return count(n) if n else "-"


def cut(text: str, most: int = _LONG) -> str:
    """A name, not longer than a column of a table should be."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _calibration(scores: Scores, positive: str) -> Table:
    """A row for each of about eight groups of bins."""
    step = max(1, len(scores.counts) // 8)
    bounds = ["0", *(f"{edge:.3g}" for edge in scores.edges), "1"]
    rows = []
    for at in range(0, len(scores.counts), step):
        n, k = sum(scores.counts[at : at + step]), sum(scores.right[at : at + step])
        end = bounds[min(len(bounds) - 1, at + step)]
        rows.append([f"{bounds[at]} … {end}", count(n), f"{100 * k / n:.1f} %" if n else "-"])
    return Table(["SCORE", "HELD-OUT ROWS", f"ARE {positive}" if positive else "ARE RIGHT"], rows)
