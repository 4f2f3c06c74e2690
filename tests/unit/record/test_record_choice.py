"""Which requests are counted, and how their share follows the traffic."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from random import Random

import pytest

from fairlead.manifests import proxy
from fairlead.worker.record import names
from fairlead.worker.record.choice import INTERVAL, LEAST, RATE, Choice, fraction
from fairlead.worker.record.runtime import CURRENT, LAYER, Runtime


def ids(count: int, seed: int = 1) -> list[str]:
    random = Random(seed)
    return [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(count)]


class Traffic:
    """Requests at a rate, as a proxy hands them over that has all of them, or those of `steered`."""

    def __init__(self, most: float = 1.0) -> None:
        self.now, self.handed = 0.0, 1.0
        self.choice = Choice(most, self.steer, clock=lambda: self.now)
        self._ids = iter(ids(400_000))

    def steer(self, chance: float) -> None:
        self.handed = min(one for one in names.SHARES if one >= chance * 256) / 256

    def go(self, rate: int, seconds: int) -> list[float]:
        """Chosen ones by second."""
        found = []
        for _ in range(seconds):
            arrived = [next(self._ids) for _ in range(rate)]
            taken = [self.choice.chosen(one, self.handed) for one in arrived if fraction(one) < self.handed]
            found.append(float(sum(one is not None for one in taken)))
            self.now += 1
            self.choice.look()
        return found


@pytest.mark.parametrize("rate", [50, 300, 3000])
def test_the_rate_comes_to_what_is_wanted(rate: int) -> None:
    traffic = Traffic()
    traffic.go(rate, 60)
    assert RATE / 2.5 <= sum(traffic.go(rate, 40)) / 40 <= 2.5 * RATE
    assert traffic.handed <= min(1.0, 8 * RATE / rate), "the proxy hands over little more"


def test_all_are_taken_where_there_are_few() -> None:
    assert sum(Traffic().go(10, 100)) == 1000


def test_a_rush_is_over() -> None:
    traffic = Traffic()
    rush = traffic.go(3000, 30)
    assert sum(rush) <= 2 * RATE * INTERVAL * 12, "it is halved before the interval is over"
    traffic.go(10, 60)
    assert traffic.choice.chance == 1.0
    traffic.now += 1000
    traffic.choice.look()
    assert (traffic.choice.chance, traffic.handed) == (1.0, 1.0)


def test_a_chance_is_never_above_the_proxy_s() -> None:
    choice = Choice(0.25)
    assert {choice.chosen(one, 0.25) for one in ids(200)} == {0.25, None}
    raised = Choice(1.0)
    assert {raised.chosen(one, 1 / 64) for one in ids(10)} == {1 / 64}, "it has not followed yet"


def test_versions_choose_the_same() -> None:
    """Whatever else they have seen; and of different chances the smaller one's are among the larger one's."""
    some = ids(4000)
    large, small = Choice(0.5, clock=lambda: 0.0), Choice(1 / 64, clock=lambda: 0.0)
    taken = [{one for one in some if fraction(one) < which.chance} for which in (large, small)]
    assert taken[1] < taken[0]
    assert abs(len(taken[0]) - 2000) < 200


@pytest.mark.parametrize("share", names.SHARES)
def test_the_proxy_takes_the_same_ones(share: int) -> None:
    pattern = re.compile(proxy.sampled(share))
    for one in [*ids(500, share), *(one.replace("-", "").upper() for one in ids(500, share + 1))]:
        assert bool(pattern.fullmatch(one)) == (fraction(one) < share / 256)


def test_ids_of_any_kind_have_a_number() -> None:
    found = [fraction(one) for one in ("", "r-1", "\ud800", "x" * 10_000, *(f"order {n}" for n in range(1000)))]
    assert all(0 <= one < 1 for one in found)
    assert 400 < sum(one < 0.5 for one in found) < 600


def test_there_is_a_least_chance() -> None:
    choice = Choice(clock=lambda: 0.0)
    for _ in range(100):
        choice._set(choice.chance / 2)
    assert choice.chance == LEAST


def test_both_sides_speak_of_the_same_settings() -> None:
    assert (names.SHARES, names.PARTS, names.SETTING) == (proxy.SHARES, proxy.PARTS, proxy.SETTING)
    assert (CURRENT, LAYER) == (proxy.CURRENT, proxy.LAYER)
    assert names.BODY_LIMIT == proxy.BODY_LIMIT


def test_settings_are_kept_over_a_restart(tmp_path: Path) -> None:
    runtime = Runtime(str(tmp_path / "runtime"))
    assert runtime.chance == 1.0
    for chance, share in ((1 / 8, 64), (1 / 64, 4), (LEAST, 1), (0.3, 256), (1 / 16, 16)):
        runtime.steer(chance)
        again = Runtime(str(tmp_path / "runtime"))
        assert (runtime.chance, again.chance) == (share / 256, share / 256)
        set_ = {one.name: one.read_text() for one in (tmp_path / "runtime" / CURRENT / LAYER).iterdir()}
        assert set_ == {f"share_{one}": "100" if one == share else "0" for one in names.SHARES}
    assert len(list((tmp_path / "runtime").iterdir())) == 2, "old ones are gone"


def test_a_disk_that_is_full_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    runtime = Runtime(str(tmp_path / "file" / "runtime"))
    runtime.steer(1 / 64)
    assert runtime.chance == 1.0
