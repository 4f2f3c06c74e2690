"""Pages of counts, as recorders write them and as a tenant's own container may."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.record.made import profile, raw, tensor, widest
from tests.unit.signals import hostile
from tests.unit.signals.test_hostile_pages import Lag, holds_nothing_up, quiet, reason, resolver, serving, url

from fairlead.engine.resolve import Resolver
from fairlead.monitor.counts import Tally
from fairlead.monitor.profile import Profile
from fairlead.plan.requests import CountsPage, ReadCounts
from fairlead.signals.binned import LIMIT, parse
from fairlead.signals.http import COUNTS
from fairlead.worker.record.bins import Bins
from fairlead.worker.record.rows import Wanted

__all__ = ["Lag", "quiet", "resolver", "serving", "url"]
pytestmark = pytest.mark.usefixtures("unhurried", "own_garbage")


def recorder(made: Callable[[], Profile], requests: int = 3) -> Bins:
    """One that has counted; in this thread, to its end."""
    from fairlead.worker.binning import Binner

    whole = made()
    found = Bins("8c0e3d0a-boot", whole.digest, made)
    found._binner, found._reason, found._message = Binner(whole), "", ""
    for _ in range(requests):
        found.answered(0.5)
        for first in range(0, len(whole.features), 50):
            asked = [tensor(one.name, ["c1" if one.kind == "category" else 1.5]) for one in whole.features[first:][:50]]
            said = [tensor("predict", ["1"]), tensor("predict_proba", [0.2, 0.8], [1, 2])]
            found._count(found._binner, raw(asked, said), Wanted.of(whole))
    return found


def test_what_the_recorder_writes_is_read() -> None:
    bins = recorder(lambda: profile(2, 1))
    first = parse(bins.page(0.25))
    bins.answered(1.0)
    page = parse(bins.page(0.25, first.mark))
    assert (page.boot, page.profile, page.problem, page.chance) == (bins._boot, bins._digest, "", 0.25)
    assert (page.tally.rows, page.tally.requests, page.tally.profile) == (3, 7, bins._digest)
    assert page.tally.vectors["feature/n0"][1] == 3
    assert page.tally.vectors["slice/c0=c1/answers"] == page.tally.vectors["answers"]
    assert page.tally.sums["pair/n0*n1"][0] == 3.0
    assert page.since is not None
    assert (first.since, page.since.rows, page.since.requests) == (None, 0, 1)
    assert page.tally.since(first.tally) == page.since


def test_the_widest_page_is_read() -> None:
    bins = recorder(widest, 1)
    mark = parse(bins.page(1.0)).mark
    body = bins.page(1.0, mark)
    assert len(body) < LIMIT
    page = parse(body)
    assert page.since is not None
    assert len(page.tally.vectors) > 500


def test_a_recorder_without_a_profile_is_understood() -> None:
    page = parse(Bins("boot", "", None).page(1.0))
    assert (page.problem, page.profile, page.tally) == ("NoProfile", "", Tally(""))
    assert page.message


def test_what_a_later_recorder_says_besides_is_left_out() -> None:
    assert parse(hostile.counts(',"later":{"a":[1]}', ',"later":7')) == parse(hostile.counts())


@pytest.mark.parametrize("name", hostile.COUNTS)
async def test_a_hostile_page_is_a_named_failure(url: str, resolver: Resolver, name: str) -> None:
    async def ask() -> None:
        asked = ReadCounts(f"{url}{hostile.path(name)}", "", "hostile")
        found = reason((await resolver.resolve([asked]))[asked])
        assert found == ("TooLarge" if len(hostile.COUNTS[name]) > LIMIT else "BadAnswer")

    await holds_nothing_up(ask)


async def test_a_page_is_read_over_http(url: str, resolver: Resolver) -> None:
    asked = ReadCounts(f"{url}/counts", "0f&x=1", "team")
    found = (await resolver.resolve([asked]))[asked]
    assert isinstance(found, CountsPage)
    assert found.tally.vectors == {"feature/a": (1, 2)}


async def test_the_counts_of_all_pods_of_a_look_have_a_bound(url: str, resolver: Resolver) -> None:
    asked = [ReadCounts(f"{url}/wide?{number}", "", "hostile") for number in range(200)]
    tracemalloc.start()
    try:
        answers = await resolver.resolve(asked)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = Counter(reason(one) for one in answers.values())
    assert found["TooLarge"] > 0
    assert 0 < found["ok"] * len(hostile.WIDE) <= COUNTS
    assert peak < 150 << 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=10,
)  # fmt: skip
WHOLE = json.loads(hostile.counts())


@given(st.sampled_from([*WHOLE, *(f"tally/{name}" for name in WHOLE["tally"])]), JSON)
def test_nothing_but_a_named_failure_comes_of_what_a_page_says(where: str, value: object) -> None:
    body = json.loads(hostile.counts())
    inside, _, name = where.rpartition("/")
    (body["tally"] if inside else body)[name] = value
    try:
        page = parse(json.dumps(body))
    except ValueError:
        return
    assert min(page.tally.rows, page.tally.requests, page.tally.sampled, page.tally.outliers) >= 0
    assert all(min(one) >= 0 for one in page.tally.vectors.values())
