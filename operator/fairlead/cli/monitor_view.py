"""What is shown of a model's windows, whoever has judged them: a cluster's monitors, or `fairlead monitor` on files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.cli.past_summary import figures, unknown
from fairlead.cli.text import amount
from fairlead.monitor.fairness import Gap
from fairlead.monitor.report import FeatureReport, Report, ShareReport

Series = list[float | None]
"""A value a window; None: not known."""
_METRICS = {"classification": ("accuracy", "auc", "f1"), "regression": ("mae", "rmse")}


@dataclass(frozen=True)
class Seen:
    """A window."""

    at: str
    """When it ended, or which row was its last."""
    rows: int
    report: Report
    unread: Mapping[str, int]
    """Requests that were chosen and not counted, by reason."""


@dataclass(frozen=True)
class View:
    """All that is shown."""

    title: str
    note: str
    task: str
    windows: Sequence[Seen]
    """The last ones, in their order."""
    monitors: Sequence[Sequence[str]] = ()
    """What each says: its name, state, since when, reason, message."""
    said: Sequence[str] = ()
    """Sentences."""

    @property
    def last(self) -> Seen | None:
        """The last window that says something."""
        return next((one for one in reversed(self.windows) if one.report.unknown is None), None)


@dataclass(frozen=True)
class Thing:
    """Something that is watched, as it stood after the last window that says something."""

    name: str
    kind: str
    """`feature`, `output`, `pair`, `data` or `rows`."""
    state: str
    size: str
    """How large the difference is, beyond chance."""
    share: float
    """Its evidence, in logs, as a share of that of an alarm."""
    measure: str
    """What `trend` has."""
    trend: Series = field(default_factory=list)
    why: str = ""
    """What is to be known besides."""


# --- over all windows ------------------------------------------------------------------------------------------------


def series(view: View) -> dict[str, Series]:
    """What has a line over the windows: those of which anything is known."""
    found: dict[str, Series] = {"rows": [float(one.rows) for one in view.windows]}
    for kind, head in (("estimated", "est."), ("realised", "real")):
        for metric in _METRICS.get(view.task, ()):
            found[f"{head} {metric}"] = [_figure(one.report, kind, metric) for one in view.windows]
        found[f"{head} loss"] = [_share(one.report.losses.get(kind)) for one in view.windows]
    found["outliers"] = [_share(one.report.outliers) for one in view.windows]
    found["worst PSI"] = [_worst(one.report) for one in view.windows]
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def _figure(report: Report, kind: str, metric: str) -> float | None:
    known = figures(report.estimated if kind == "estimated" else report.realised)
    return known[metric][0] if metric in known else None


def _share(one: ShareReport | None) -> float | None:
    return one.share if one else None


def _worst(report: Report) -> float | None:
    known = [one.psi for one in (*report.drift.values(), *report.outputs.values()) if one.psi is not None]
    return max(known, default=None)


def alarms(view: View) -> list[tuple[str, str]]:
    """(window, what began with it)."""
    return [(seen.at, f"{one.monitor}: {one.what}") for seen in view.windows for one in seen.report.alarms]


# --- how all stands --------------------------------------------------------------------------------------------------


def things(view: View) -> list[Thing]:
    """All that is watched of requests and answers: first what is nearest to an alarm."""
    if view.last is None:
        return []
    found = [
        *_features(view, "drift", "feature"), *_features(view, "outputs", "output"), *_pairs(view), *_data(view),
    ]  # fmt: skip
    if view.last.report.outliers is not None:
        trend = [_share(one.report.outliers) for one in view.windows]
        found.append(_of_share("outliers", "rows", view.last.report.outliers, trend))
    order = ("Drifting", "Watch", "Ok", "Unknown")
    return sorted(found, key=lambda one: (order.index(one.state), -one.share, one.name))


def _features(view: View, of: str, kind: str) -> Iterator[Thing]:
    assert view.last is not None
    last: Mapping[str, FeatureReport] = getattr(view.last.report, of)
    for name, one in last.items():
        known = one.psi is not None and one.tv is not None
        size = f"{one.tv:.1%} elsewhere, PSI {one.psi:.3f}" if known else ""
        over = [getattr(seen.report, of).get(name) for seen in view.windows]
        trend = [each.psi if each else None for each in over]
        yield Thing(name, kind, one.state, size, share(one.log_evidence, one.bound), "PSI", trend, one.reason)


def _pairs(view: View) -> Iterator[Thing]:
    assert view.last is not None
    for name, one in view.last.report.pairs.items():
        over = [seen.report.pairs.get(name) for seen in view.windows]
        size = f"correlation {one.r:+.3f}" if one.r is not None else ""
        trend = [each.r if each else None for each in over]
        yield Thing(name, "pair", one.state, size, share(one.log_evidence, one.bound), "correlation", trend, one.reason)


def _data(view: View) -> Iterator[Thing]:
    assert view.last is not None
    for name, one in view.last.report.data.items():
        yield _of_share(name, "data", one, [_share(seen.report.data.get(name)) for seen in view.windows])


def _of_share(name: str, kind: str, one: ShareReport, trend: Series) -> Thing:
    most = f", {one.tolerated:.1%} tolerated" if one.tolerated is not None else ""
    size = f"{one.share:.2%} of rows{most}" if one.share is not None else ""
    return Thing(name, kind, one.state, size, share(one.log_evidence, one.bound), "share of rows", trend, one.reason)


def share(log_evidence: float, bound: float) -> float:
    """Evidence as a share of that of an alarm, both in logs. Against it, or none: 0."""
    return max(0.0, log_evidence) / bound if bound > 0 else 0.0


def quality(view: View) -> list[list[str]]:
    """[metric, estimated with its band, real with its band] of the last windows that say so."""
    found: dict[str, dict[str, str]] = {}
    for seen in view.windows:
        known = {"estimated": figures(seen.report.estimated), "realised": figures(seen.report.realised)}
        for kind, of in known.items():
            for metric, (value, low, high) in of.items():
                found.setdefault(metric, {})[kind] = f"{value:.4g} [{low:.4g}, {high:.4g}]"
    return [[metric, *(of.get(kind, "-") for kind in ("estimated", "realised"))] for metric, of in found.items()]


def losses(view: View) -> list[list[str]]:
    """[which loss, mean, at first, tolerated, evidence, state] after the last window."""
    if not view.windows:
        return []
    return [_loss(name, one) for name, one in view.windows[-1].report.losses.items()]


def _loss(name: str, one: ShareReport) -> list[str]:
    first = one.reference if one.share is not None else None
    stands = "Harmed" if one.state == "Drifting" else one.state
    far = f"{share(one.log_evidence, one.bound):.0%}"
    return [f"{name} loss", _percent(one.share), _percent(first), _percent(one.tolerated), far, stands]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


@dataclass(frozen=True)
class Group:
    """A slice under a rule of fairness; without a name the gap between all of them."""

    rule: str
    name: str
    value: str
    interval: str
    note: str


def groups(view: View) -> list[Group]:
    """The slices and their gaps, after the last window."""
    rules = view.windows[-1].report.fairness if view.windows else {}
    found = []
    for rule, one in rules.items():
        stands = "Unfair" if one.state == "Drifting" else one.state
        if not isinstance(one.gap, Gap):
            found.append(Group(rule, "", "-", "-", f"{stands}: {one.reason}"))
            continue
        among = one.gap.interval
        told = f"{stands}, {one.most:.0%} tolerated" + (f": {one.reason}" if one.reason else "")
        found.append(Group(rule, "", f"gap {one.gap.value:.1%}", f"[{among.low:.1%}, {among.high:.1%}]", told))
        for name, value in one.gap.slices.items():
            among = value.interval
            found.append(
                Group(
                    "",
                    name,
                    f"{value.value:.1%}",
                    f"[{among.low:.1%}, {among.high:.1%}]",
                    f"{amount(value.n, 'row')}",
                )
            )
        found += [Group("", name, "-", "-", why.reason) for name, why in one.gap.unknown.items()]
    return found


# --- what is not known -----------------------------------------------------------------------------------------------


def unread(view: View) -> list[tuple[str, int]]:
    """Requests of all windows that were not understood, by reason: the most frequent first."""
    found: Counter[str] = Counter()
    for seen in view.windows:
        found.update(seen.unread)
    return [(why, many) for why, many in found.most_common() if many]


def not_known(view: View) -> list[tuple[str, str, int, str]]:
    """(reason, remedy, how much, the first of it), after the last window."""
    found: dict[tuple[str, str], list[str]] = {}
    for what, why in unknown(view.windows[-1].report) if view.windows else ():
        found.setdefault((why.reason, why.remedy), []).append(what)
    return [(reason, remedy, len(names), names[0]) for (reason, remedy), names in found.items()]
