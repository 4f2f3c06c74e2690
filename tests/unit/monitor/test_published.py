"""Public data with published answers. They lie beside the project (`../shared/data`); elsewhere these are skipped."""

from __future__ import annotations

import numpy as np
import pytest
from hack.bench import monitors_published, published, retrained

from fairlead.monitor import fairness
from fairlead.monitor.confusion import Confusion

pytestmark = pytest.mark.skipif(published.DATA is None, reason="there are no public data beside the project")


def test_compas_to_all_digits():
    """ProPublica 2016: false positives 44.85 and 23.45 per cent, false negatives 27.99 and 47.72."""
    slices = published.compas()
    assert [slices[race].n for race in monitors_published.RACES] == [3696, 2454]
    for metric, told in monitors_published.COMPAS.items():
        shares = [slices[race].share(metric) for race in monitors_published.RACES]
        assert [round(k / n, 4) for k, n in shares] == list(told)
    black, white = (slices[race] for race in monitors_published.RACES)
    assert [round((one.tp + one.tn) / one.n, 4) for one in (black, white)] == [0.6383, 0.6699]


def test_compas_is_unfair_and_its_small_groups_are_unknown():
    slices = published.compas()
    found = fairness.gap(slices, "fpr")
    assert isinstance(found, fairness.Gap)
    assert set(found.unknown) == {"Asian", "Native American", "Other"}
    assert fairness.verdict(found, 0.1)[0] == "unfair"
    two = fairness.gap({race: slices[race] for race in monitors_published.RACES}, "selection_rate")
    assert isinstance(two, fairness.Gap)
    assert (round(two.value, 3), round(two.ratio, 3)) == (0.240, 0.592)
    equal = fairness.gap({race: slices[race] for race in monitors_published.RACES}, "accuracy")
    assert fairness.verdict(equal, 0.1) == ("ok", None)
    assert sum(slices.values(), Confusion()).n == 7214


def test_california_housing_month_by_month():
    """The published estimates within .01 and their alerts; counts of 64 bins against single rows within .002."""
    rows, good = monitors_published.housing()
    assert good, rows
    raw = {row[0]: row[3] for row in rows}
    assert {month: raw[month] for month in monitors_published.HOUSING} == {
        month: f"{told:.6f}" for month, (told, _) in monitors_published.HOUSING.items()
    }


def test_a_band_of_single_rows_is_too_narrow_where_months_differ():
    """The months of the reference itself lie outside of it, and inside that of the months."""
    months = monitors_published.Months()
    own = monitors_published.figure(months.own, "auc")
    found = [monitors_published.figure(one, "auc") for one in months.windows]
    bands = [monitors_published.estimate.band(own, one.n) for one in found]
    outside = sum(not band.low <= one.value <= band.high for band, one in zip(bands, found, strict=True))
    assert outside >= 6
    wide = monitors_published.estimate.band_of(found)
    assert isinstance(wide, monitors_published.estimate.Interval)
    assert all(wide.low <= one.value <= wide.high for one in found)


def test_elec():
    rows, good = monitors_published.elec()
    assert good, rows


def test_interchanging_concepts_are_found_one_by_one():
    """The last 20 of 66; the bench has all."""
    delays, extra, _ = monitors_published.interchanging(20)
    assert len(delays) >= 19
    assert extra == 0
    assert np.median(delays) <= 12


def test_a_stream_without_a_change_is_silent():
    assert retrained.frozen(*published.sea(), monitors_published.SEA).alarms == []
