"""Public streams: what has no change is silent, and what has a season alarms by a change, not by the winter."""

from __future__ import annotations

import pytest
from hack.bench import monitors_seasons, published
from hack.bench.monitors_seasons import CHANGES, begun, seasonal, weather

pytestmark = pytest.mark.skipif(published.DATA is None, reason="there are no public data beside the project")
SEASONAL = {"temperature", "dew point", "maximum", "minimum", "pressure", "wind", "largest wind"}


def test_the_inputs_of_sea_never_change() -> None:
    found = monitors_seasons.sea()
    assert (found.alarms, found.drifting) == ([], 0.0)


def test_no_winter_of_25_years_is_an_alarm() -> None:
    """Visibility rose over the decades: by the end it is unlike all of the reference, and that is said."""
    rows = weather()
    found = seasonal(rows, known=True)
    assert not SEASONAL & set(found.since(0))
    assert found.drifting < 0.1
    assert seasonal(rows, known=False).drifting > 0.9


@pytest.mark.parametrize(
    ("change", "what"),
    [("temperatures in °C", "temperature"), ("pressure in mm of mercury", "pressure"), ("wind in m/s", "largest wind")],
)
def test_a_change_of_units_is_one_also_with_seasons(change: str, what: str) -> None:
    rows = weather()
    assert what in seasonal(rows, True, CHANGES[change]).since(begun(rows))
