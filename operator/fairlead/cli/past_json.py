"""A stream's windows as JSON, one after the other; what isn't a finite number is null."""

from __future__ import annotations

import json
import sys
from math import isfinite
from typing import TYPE_CHECKING, Any

from fairlead.cli.past_summary import Summary
from fairlead.monitor.report import FeatureReport, PairReport, Report, ShareReport

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past
    from fairlead.worker.past.judge import Judged

Json = dict[str, Any]


def tell(past: Past) -> None:
    """Print one object: a window is written as soon as it is judged."""
    summary, before = Summary(past), '{"windows": ['
    for judged in past.judgement.windows():
        summary.add(judged)
        sys.stdout.write(f"{before}\n{_dumped(window(past, judged))}")
        before = ","
    opened = before if before != "," else ""
    sys.stdout.write(f'{opened}\n], "end": {_dumped(end(summary))}}}\n')


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
    if report.unknown is not None:
        found["unknown"] = {"reason": report.unknown.reason, "remedy": report.unknown.remedy}
    return found | _parts(report) | {
        "alarms": [{"monitor": one.monitor, "what": one.what, "logEvidence": one.log_evidence, "bound": one.bound}
                   for one in report.alarms],
    }  # fmt: skip


def _parts(report: Report) -> Json:
    return {
        "drift": {name: _feature(one) for name, one in report.drift.items()},
        "outputs": {name: _feature(one) for name, one in report.outputs.items()},
        "pairs": {name: _pair(one) for name, one in report.pairs.items()},
        "data": {name: _share(one) for name, one in report.data.items()},
        "outliers": _share(report.outliers) if report.outliers else None,
    }


def _feature(one: FeatureReport) -> Json:
    return {"psi": one.psi, "tv": one.tv, "ks": one.ks, "rows": one.rows} | _standing(one)


def _pair(one: PairReport) -> Json:
    return {"r": one.r, "moved": one.moved} | _standing(one)


def _share(one: ShareReport) -> Json:
    return {"share": one.share, "reference": one.reference, "tolerated": one.tolerated} | _standing(one)


def _standing(one: FeatureReport | PairReport | ShareReport) -> Json:
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
        "harmed": summary.harmed(), "harmPrecision": summary.precision(), "losses": losses, "labels": labels,
        "absent": past.stream.absent, "notes": list(past.notes),
        "unknown": [{"what": what, "reason": reason, "remedy": remedy, "windows": windows}
                    for (what, reason, remedy), windows in summary.unknown.items()],
        "said": list(summary.said()),
    }  # fmt: skip
