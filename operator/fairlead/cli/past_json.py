"""A stream's windows as JSON, one after the other; what isn't a finite number is null."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from fairlead.cli import session
from fairlead.cli.past_summary import Summary, figures
from fairlead.monitor.report import FairnessReport, FeatureReport, PairReport, Report, ShareReport
from fairlead.monitor.unknown import Unknown

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged

Json = dict[str, Any]


def tell(past: Past) -> None:
    """Print one object: a window is written as soon as it is judged."""
    summary = Summary(past)
    session.tell('{"windows": [')
    for judged in past.judgement.windows():
        summary.add(judged)
        session.tell(f"{',' if judged.index else ''}{_dumped(window(past, judged))}")
    session.tell(f'], "end": {_dumped(end(summary))}}}')


def _dumped(value: Any) -> str:
    return json.dumps(finite(value), allow_nan=False)


def finite(value: Any) -> Any:
    """Without numbers that JSON doesn't have."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def window(past: Past, judged: Judged) -> Json:
    """One window."""
    report = judged.report
    found: Json = {
        "index": judged.index, "rows": judged.tally.rows,
        "from": moment(past, judged.at), "to": moment(past, judged.to), "labels": judged.labels.n,
    }  # fmt: skip
    return found | parts(report)


def parts(report: Report) -> Json:
    """All that a report says."""
    why = report.unknown
    return {
        **({"unknown": {"reason": why.reason, "remedy": why.remedy}} if why else {}),
        **_quality(report),
        "drift": {name: _feature(one) for name, one in report.drift.items()},
        "outputs": {name: _feature(one) for name, one in report.outputs.items()},
        "pairs": {name: _pair(one) for name, one in report.pairs.items()},
        "data": {name: _share(one) for name, one in report.data.items()},
        "outliers": _share(report.outliers) if report.outliers else None,
        "alarms": [{"monitor": one.monitor, "what": one.what, "logEvidence": one.log_evidence, "bound": one.bound}
                   for one in report.alarms],
    }  # fmt: skip


def _quality(report: Report) -> Json:
    known = {"estimated": figures(report.estimated), "realised": figures(report.realised)}
    values = {kind: {name: one[0] for name, one in of.items()} for kind, of in known.items()}
    return {
        **values,
        "bands": {kind: {name: [low, high] for name, (_, low, high) in of.items()} for kind, of in known.items()},
        "losses": {name: _share(one) for name, one in report.losses.items()},
        "fairness": {name: _gap(one) for name, one in report.fairness.items()},
    }


def _gap(one: FairnessReport) -> Json:
    found: Json = {"most": one.most} | _standing(one)
    if isinstance(one.gap, Unknown):
        return found
    among, ratio = one.gap.interval, one.gap.ratio_interval
    return found | {
        "gap": one.gap.value, "low": among.low, "high": among.high, "ratio": one.gap.ratio, "ratioLow": ratio.low,
        "ratioHigh": ratio.high, "slices": {name: value.value for name, value in one.gap.slices.items()},
    }  # fmt: skip


def _feature(one: FeatureReport) -> Json:
    return {"psi": one.psi, "tv": one.tv, "ks": one.ks, "rows": one.rows} | _standing(one)


def _pair(one: PairReport) -> Json:
    return {"r": one.r, "moved": one.moved} | _standing(one)


def _share(one: ShareReport) -> Json:
    return {"share": one.share, "reference": one.reference, "tolerated": one.tolerated} | _standing(one)


def _standing(one: FeatureReport | PairReport | ShareReport | FairnessReport) -> Json:
    found: Json = {"logEvidence": one.log_evidence, "bound": one.bound, "state": one.state}
    why = {"reason": one.reason, "remedy": one.remedy}
    return found | {name: text for name, text in why.items() if text}


def moment(past: Past, at: int) -> str | int:
    """A time, or the number of a row where rows have no times."""
    from fairlead.worker.past.windows import said

    return said(at) if past.stream.clock else at


def end(summary: Summary) -> Json:
    """All windows together."""
    past = summary.past
    losses = []
    for number in range(summary.windows):
        loss, real = past.judgement.lost(number)
        if loss is not None:
            losses.append({"window": number, "n": loss.n, "loss": loss.value, "low": loss.interval.low,
                           "high": loss.interval.high, "real": real})  # fmt: skip
    labels: Json | None = None
    if past.labels is not None:
        labels = {**vars(past.labels.told), "counted": summary.labels, "later": past.judgement.later,
                  "unread": summary.unread}  # fmt: skip
    return {
        "windows": summary.windows, "rows": summary.rows, "withoutTime": past.stream.times.unread,
        "alarms": [{"window": one.window, "monitor": one.alarm.monitor, "what": one.alarm.what, "true": one.true}
                   for one in summary.raised()],
        "harmed": summary.harmed(), "harmPrecision": summary.precision(),
        "harmPrecisionBy": {monitor: summary.precision(monitor) for monitor in summary.monitors()},
        "saidHarmed": sorted(summary.harmful), "losses": losses, "labels": labels,
        "absent": past.stream.absent, "notes": list(past.notes),
        "unknown": [{"what": what, "reason": reason, "remedy": remedy, "windows": windows}
                    for (what, remedy), (reason, windows) in summary.unknown.items()],
        "said": list(summary.said()),
    }  # fmt: skip
