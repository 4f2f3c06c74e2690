"""The figures of the live version's quality that Prometheus is told of."""

from __future__ import annotations

from math import inf, nan

import pytest

from fairlead.api.monitors import Figure
from fairlead.monitor.estimate import Estimate
from fairlead.monitor.estimate import Figure as Estimated
from fairlead.monitor.realised import Value
from fairlead.monitor.report import Report
from fairlead.monitor.unknown import Unknown
from fairlead.plan.deployment.monitors import figures
from fairlead.verdict.proportion import Interval

NONE = Unknown("no row has a label yet", "wait")


def guess(**values: float) -> Estimate:
    return Estimate(100, {name: Estimated(value, 100, 1.0, 0.0) for name, value in values.items()})


def truth(**values: float) -> dict[str, Value | Unknown]:
    return {name: Value(value, Interval(value, value), 100) for name, value in values.items()}


def told(found: list[Figure]) -> dict[str, tuple[str, str]]:
    return {one.metric: (one.source, one.value) for one in found}


def test_labels_are_worth_more_than_estimates() -> None:
    report = Report(0.0, estimated=guess(rmse=9.0, mape=0.5, mae=1.0), realised=truth(rmse=8.0, rmse_zero=2.0))
    assert told(figures.after(report, [])) == {
        "mape": ("estimated", "0.5"), "rmse": ("realised", "8"), "rmse_zero": ("realised", "2"),
    }  # fmt: skip


def test_without_new_labels_what_they_said_last_still_holds() -> None:
    before = figures.after(Report(0.0, estimated=guess(rmse=9.0), realised=truth(rmse=8.0)), [])
    later = figures.after(Report(1.0, estimated=guess(rmse=7.0, mape=0.4), realised=NONE), before)
    assert told(later) == {"rmse": ("realised", "8"), "mape": ("estimated", "0.4")}


def test_an_estimate_does_not_outlive_its_window() -> None:
    before = figures.after(Report(0.0, estimated=guess(accuracy=0.9), realised=NONE), [])
    assert figures.after(Report(1.0, estimated=NONE, realised=NONE), before) == []


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_not_told(value: float) -> None:
    report = Report(0.0, estimated=guess(rmse=value), realised={"mape": NONE, "rmse_zero": truth(a=value)["a"]})
    assert figures.after(report, []) == []


def test_they_are_few_whatever_a_report_has() -> None:
    report = Report(0.0, estimated=guess(**dict.fromkeys(figures.SHOWN, 1.0)), realised=None)
    assert len(figures.after(report, [])) == figures.MOST
