"""Many rows are counted where each of them would be counted alone; memory is what the profile needs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from math import inf, nan
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor.counts import ANSWERS, SCORES, Tally, feature_key, pair_key, slice_key, total
from fairlead.monitor.profile import Category, Number, Pair, Profile, Scores, Slice
from fairlead.worker import binning
from fairlead.worker.binning import Binner, Uneven
from fairlead.worker.places import Names, Numbers, Search, part

REALS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.one_of(st.sampled_from(["", "a", "1", "true", "x" * 300, "nan", "1e+15"]), st.text(max_size=3))
HUGE = st.sampled_from([10**400, -(10**400), 2**53 + 1, 2**63, 10**15, 10**18, 1e15, 0.0, -0.0, 1.7e308])
VALUES = st.one_of(
    st.none(), st.just(nan), st.just(inf), st.just(-inf), st.booleans(), st.integers(), HUGE, REALS, NAMES,
    st.lists(st.integers(), max_size=2), st.just({"a": [1]}), st.just(Decimal("1.5")), st.just(b"raw"),
    st.just(np.float64(1.5)), st.just(np.int64(3)), st.floats(-3, 3),
)  # fmt: skip
COLUMNS = st.one_of(
    st.lists(VALUES), st.lists(st.one_of(st.none(), st.floats(-3, 3), st.just(nan))), st.lists(st.integers(-3, 3)),
    st.lists(st.one_of(st.none(), NAMES)), st.lists(st.one_of(st.booleans(), st.none())), st.lists(HUGE),
)  # fmt: skip


@st.composite
def numeric(draw: st.DrawFn) -> Number:
    edges = sorted(draw(st.sets(st.floats(-3, 3) | HUGE.filter(lambda x: abs(x) < 1e308).map(float), max_size=5)))
    low, high = sorted([draw(REALS), draw(REALS)])
    edges = [edge for edge in edges if edge == edge]
    return Number(kind="number", name="x", edges=edges, counts=[1] * (len(edges) + 1), low=low, high=high)


@st.composite
def named(draw: st.DrawFn) -> Category:
    names = draw(st.lists(NAMES.filter(lambda name: len(name) <= 256), unique=True, max_size=6))
    cut = draw(st.integers(0, len(names)))
    return Category(kind="category", name="x", values=names[:cut], counts=[1] * cut, known=names[cut:],
                    complete=draw(st.booleans()))  # fmt: skip


@given(numeric(), COLUMNS)
def test_numbers_have_the_places_that_each_has_alone(feature: Number, values: list[Any]) -> None:
    places, found = Numbers(feature).read(values)
    assert places.tolist() == [feature.place(value) for value in values]
    bins = len(feature.counts)
    assert [one != one for one in found.tolist()] == [place >= bins + 2 for place in places.tolist()]


@given(named(), COLUMNS)
def test_names_have_the_places_that_each_has_alone(feature: Category, values: list[Any]) -> None:
    assert Names(feature).read(values).tolist() == [feature.place(value) for value in values]


KINDS = st.sampled_from(
    [np.float64, np.float32, np.float16, np.int8, np.int64, np.uint64, np.bool_, np.str_, np.object_]
)


@given(numeric(), named(), st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 3)), KINDS)
def test_arrays_of_numpy_are_counted_as_their_values(
    number: Number, name: Category, values: list[int], kind: Any
) -> None:
    most = {np.int8: 120, np.float16: 60_000}.get(kind, 2**63)
    array = np.array([value % most for value in values], dtype=np.object_).astype(kind)
    same_as_lists(number, name, array, array.tolist())


ARROW: Sequence[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.float64(), REALS | st.just(nan) | st.just(inf)), (pa.float32(), st.floats(width=32)),
    (pa.float16(), st.floats(-3, 3, width=16)), (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)), (pa.bool_(), st.booleans()), (pa.string(), NAMES),
    (pa.large_string(), NAMES), (pa.string_view(), NAMES), (pa.null(), st.none()), (pa.binary(), st.just(b"raw")),
    (pa.list_(pa.int64()), st.just([1])), (pa.timestamp("s"), st.just(1)), (pa.date32(), st.just(1)),
    (pa.dictionary(pa.int32(), pa.string()), NAMES), (pa.struct([("a", pa.int64())]), st.just({"a": 1})),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), ARROW, ids=lambda one: str(one)[:20])
@given(st.data())
def test_columns_of_arrow_are_counted_as_their_values(kind: Any, values: Any, data: st.DataObject) -> None:
    number, name = data.draw(numeric()), data.draw(named())
    try:
        array = pa.array(data.draw(st.lists(values | st.none())), type=kind)
    except UnicodeEncodeError:  # a lone surrogate is no text of Arrow
        return
    same_as_lists(number, name, pa.chunked_array([array]), array.to_pylist())


def same_as_lists(number: Number, name: Category, array: Any, values: list[Any]) -> None:
    cut = part(array, 0, len(values))
    assert Numbers(number).read(cut)[0].tolist() == [number.place(value) for value in values]
    assert Names(name).read(cut).tolist() == [name.place(value) for value in values]


@given(
    st.one_of(
        st.lists(REALS, min_size=1, max_size=40, unique=True),
        st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=40, unique=True),
        st.lists(st.floats(1.0, 1.0 + 1e-9), min_size=1, max_size=40, unique=True),
    ),
    st.lists(REALS, max_size=20),
)
def test_many_values_are_found_where_a_search_finds_them(edges: list[float], others: list[float]) -> None:
    rising = np.unique(np.array(edges) + 0.0)
    with np.errstate(over="ignore"):
        neighbours = [np.nextafter(rising, inf), np.nextafter(rising, -inf)]
    near = np.concatenate([rising, *neighbours, np.array(others), [0.0, -0.0]])
    values = np.resize(near[np.isfinite(near)], Search.MANY + 3)
    assert (Search(rising)(values) == np.searchsorted(rising, values, side="right")).all()


def test_a_value_that_is_no_number_disturbs_no_other() -> None:
    edges = np.linspace(-1.0, 1.0, 33)
    values = np.resize([0.5, nan, -0.5, inf, -inf], Search.MANY)
    found = Search(edges)(values)
    assert (found[::5] == 25).all()
    assert (found[2::5] == 9).all()
    assert ((found >= 0) & (found <= len(edges))).all()


def test_decimals_are_the_numbers_that_are_sent() -> None:
    number = Number(kind="number", name="x", edges=[2.0], counts=[1, 1], low=1.0, high=3.0)
    array = pa.array([Decimal("1.5"), None, Decimal("2.5")], type=pa.decimal128(5, 2))
    assert Numbers(number).read(array)[0].tolist() == [0, 4, 1]


def test_texts_that_are_no_utf8_are_texts_still() -> None:
    array = pa.array([b"\xff", b"a", None], type=pa.binary()).view(pa.string())
    name = Category(kind="category", name="x", values=["a"], counts=[1])
    assert Names(name).read(array).tolist() == [2, 0, 3]


# --- whole rows ----------------------------------------------------------------------------------------------------

AGE = Number(kind="number", name="age", edges=[30.0], counts=[5, 5], low=18.0, high=60.0, mean=35.0, sd=10.0)
PAY = Number(kind="number", name="pay", edges=[10.0, 20.0], counts=[5, 5, 5], low=0.0, high=90.0, mean=20.0, sd=5.0)
SEX = Category(kind="category", name="sex", values=["F", "M"], counts=[7, 5], known=["X"])
WON = Category(kind="category", name="won", values=["no", "yes"], counts=[8, 4])
PROFILE = Profile(
    task="classification", rows=12, features=[AGE, SEX, PAY], prediction=WON, positive="yes",
    scores=Scores(edges=[0.5], counts=[8, 4], right=[1, 3], predicted=[0, 4]),
    slices=[Slice(by="sex", values=["F", "M"], counts=[7, 5]), Slice(by="city", values=["Bonn"], counts=[3])],
    pairs=[Pair(a="age", b="pay", n=12, r=0.3)],
)  # fmt: skip
ROWS: dict[str, list[Any]] = {
    "age": [20, 40, None, 200, 55], "sex": ["F", "M", "X", "?", "F"], "pay": [5.0, 15.0, 25.0, nan, 1e300],
    "city": ["Bonn", "Bonn", "Rome", None, "Rome"], "news": [[], {}, 1, 2, 3],
}  # fmt: skip
SAID, SURE = ["no", "yes", "yes", "maybe", "no"], [0.1, 0.9, 0.5, nan, 0.4]


def counted(**changes: Any) -> Tally:
    binner = Binner(PROFILE)
    binner.add(**{"columns": ROWS, "answers": SAID, "scores": SURE, **changes})
    return binner.tally()


def test_rows_are_counted() -> None:
    found = counted(requests=2)
    assert (found.rows, found.requests, found.sampled, found.profile) == (5, 2, 2, PROFILE.digest)
    assert found.vectors[feature_key("age")] == (1, 2, 0, 1, 1, 0, 0)
    assert found.vectors[feature_key("sex")] == (2, 1, 1, 1, 0, 0)
    assert found.vectors[feature_key("pay")] == (1, 1, 1, 0, 1, 0, 1, 0)
    assert found.outliers == 2, "an age of 200 with a sex that nobody has seen is one row; a pay of 1e300 another"


def test_answers_and_scores_are_counted_by_slice() -> None:
    found = counted().vectors
    assert found[ANSWERS] == (2, 2, 0, 1, 0, 0)
    assert found[SCORES] == (2, 0, 0, 2, 1)
    assert found[slice_key("sex", "F", ANSWERS)] == (2, 0, 0, 0, 0, 0)
    assert found[slice_key("sex", "M", SCORES)] == (0, 0, 0, 1, 0)
    assert found[slice_key("city", "Bonn", ANSWERS)] == (1, 1, 0, 0, 0, 0), "a slice may be of a column of no feature"


def test_pairs_are_of_rows_that_have_both_and_are_cut() -> None:
    n, x, y, xx, yy, xy = counted().sums[pair_key("age", "pay")]
    assert (n, x, y) == pytest.approx((3, -1.5 + 0.5 + 2, -3 - 1 + 4))
    assert (xx, yy, xy) == pytest.approx((1.5**2 + 0.5**2 + 2**2, 9 + 1 + 16, 4.5 - 0.5 + 8))


def test_scores_without_answers_are_those_of_no_positive() -> None:
    found = counted(answers=None).vectors
    assert found[SCORES] == (2, 0, 2, 0, 1)
    assert ANSWERS not in found


@pytest.mark.parametrize("said", [[True, False, None], np.array([True, False]), pa.array([True, False, None])])
@pytest.mark.parametrize(("classes", "places"), [(["0", "1"], (1, 1)), (["true", "false"], (1, 1)), (["no"], (0,))])
def test_true_and_false_are_classes_as_an_evaluation_takes_them(
    said: Any, classes: list[str], places: tuple[int, ...]
) -> None:
    answers = Category(kind="category", name="won", values=classes, counts=[1] * len(classes))
    profile = PROFILE.model_copy(update={"prediction": answers, "positive": classes[-1], "scores": PROFILE.scores})
    binner = Binner(profile)
    binner.add({"age": [20] * len(said)}, said, [0.9] * len(said))
    found = binner.tally().vectors
    assert found[ANSWERS][: len(classes)] == places
    assert found[SCORES][3] == (1 if len(classes) == 2 else 0), "one of them is positive"


@pytest.mark.parametrize(("score", "place"), [(1.0 + 5e-7, 2), (1.1, 4), (-0.1, 4), (inf, 4), ("0.9", 4), (None, 4)])
def test_what_is_no_probability_is_counted_apart(score: Any, place: int) -> None:
    found = counted(columns={"age": [20]}, answers=["no"], scores=[score]).vectors[SCORES]
    assert [at for at, n in enumerate(found) if n] == [place]


def test_a_feature_that_is_not_there_is_missing_in_all_rows() -> None:
    found = counted(columns={"age": ROWS["age"]}).vectors
    assert found[feature_key("sex")] == (0, 0, 0, 0, 5, 0)
    assert slice_key("sex", "F", ANSWERS) not in found, "nobody knows of which slice they are"
    assert counted(columns={"other": [1, 2]}, answers=None, scores=None).rows == 2


def test_columns_of_different_lengths_are_refused_whole() -> None:
    binner = Binner(PROFILE)
    with pytest.raises(Uneven, match="4, 5"):
        binner.add({"age": [1] * 4, "sex": ["F"] * 5})
    assert binner.tally() == Binner(PROFILE).tally()


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 99))
def test_in_parts_of_any_size_the_counts_are_the_same(cuts: list[int], seed: int) -> None:
    rng = Random(seed)
    rows = {name: [rng.choice(values) for _ in range(600)] for name, values in ROWS.items()}
    said, sure = [rng.choice(SAID) for _ in range(600)], [rng.choice(SURE) for _ in range(600)]
    whole, parts = Binner(PROFILE), Binner(PROFILE)
    whole.add(rows, said, sure)
    bounds = sorted({0, 600, *(cut * 117 for cut in cuts), *(cut for cut in cuts)})
    for a, b in pairwise(bounds):
        parts.add({name: values[a:b] for name, values in rows.items()}, said[a:b], sure[a:b])
    one, other = whole.tally(), parts.tally()
    assert one.vectors == other.vectors
    assert (one.rows, one.outliers) == (other.rows, other.outliers)
    assert one.sums[pair_key("age", "pay")] == pytest.approx(other.sums[pair_key("age", "pay")])


def test_counts_grow_between_two_looks() -> None:
    binner = Binner(PROFILE)
    binner.add(ROWS, SAID, SURE)
    first = binner.tally()
    binner.add({"age": [20]})
    binner.add(ROWS, SAID)
    window = binner.tally().since(first)
    assert window.rows == 6
    assert window.vectors[ANSWERS] == first.vectors[ANSWERS]
    assert total([first, window], PROFILE.digest) == binner.tally()


def test_what_is_held_is_not_what_was_sent() -> None:
    binner = Binner(PROFILE)
    binner.add(ROWS, SAID, SURE)
    tracemalloc.start()
    try:
        for at in range(binning.FEW - 20):
            binner.add({"age": [[[0] * 20_000]], "sex": [str(at) + "x" * 200_000], "pay": [{"a": "x" * 200_000}]})
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 20
    assert binner.tally().vectors[feature_key("sex")][3] == binning.FEW - 20 + 1


def test_a_million_different_names_need_no_memory() -> None:
    binner = Binner(PROFILE)
    tracemalloc.start()
    try:
        for start in range(0, 10**6, 50_000):
            binner.add({"sex": [str(at) for at in range(start, start + 50_000)]})
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 20
    assert binner.tally().outliers == 10**6
