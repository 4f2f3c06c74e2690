"""Contributions are Shapley values: against their definition, by their axioms, on trees and on linear models."""

from __future__ import annotations

import itertools
import math
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression

from fairlead.worker.explaining import shapley
from fairlead.worker.explaining.shapley import Contributions


def exact(ask: Any, row: Any, background: Any) -> Any:
    """By the definition: the weighted mean over all subsets of the other features."""
    d = len(row)
    worth = {}
    for size in range(d + 1):
        for chosen in itertools.combinations(range(d), size):
            mixed = background.copy()
            mixed[:, list(chosen)] = row[list(chosen)]
            worth[chosen] = ask(mixed).mean()
    found = np.zeros(d)
    for chosen, value in worth.items():
        weight = 1 / (d * math.comb(d - 1, len(chosen))) if len(chosen) < d else 0.0
        for other in set(range(d)) - set(chosen):
            found[other] += weight * (worth[tuple(sorted((*chosen, other)))] - value)
    return found


def sampled(ask: Any, row: Any, background: Any, seed: int = 0) -> Contributions:
    random = np.random.default_rng(seed)
    return shapley.contributions(ask, row, background, ask(background), float(ask(row[None])[0]), random)


def rows(many: int, features: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(many, features)).astype(object)


def test_of_a_linear_model_they_are_exact() -> None:
    x = rows(200, 6).astype(float)
    model = LinearRegression().fit(x, x @ np.array([3.0, -2.0, 0.5, 0.0, 1.0, 4.0]) + 7)
    ask = lambda mixed: model.predict(mixed.astype(float))  # noqa: E731
    background, row = rows(32, 6, 2), rows(1, 6, 3)[0]
    found = sampled(ask, row, background)
    wanted = model.coef_ * (row - background.mean(axis=0)).astype(float)
    assert found.values == pytest.approx(wanted, abs=1e-9)
    assert found.asked <= shapley.most_asked(6, 32) == 320


def test_where_features_interact_in_pairs_they_are_exact_too() -> None:
    ask = lambda m: (m[:, 0] * m[:, 1] - 2 * m[:, 2] * m[:, 3] + m[:, 1] ** 2).astype(float)  # noqa: E731
    background, row = rows(16, 4), rows(1, 4, 5)[0]
    assert sampled(ask, row, background).values == pytest.approx(exact(ask, row, background), abs=1e-9)


@pytest.fixture(scope="module")
def trees() -> tuple[Any, Any]:
    """Of five features with interactions: the score of a forest, and boosted trees."""
    x = rows(400, 5, 6).astype(float)
    y = x[:, 0] * x[:, 1] * x[:, 2] + np.where(x[:, 3] > 0, x[:, 4], -1)
    forest = RandomForestClassifier(20, random_state=0).fit(x, y > 0)
    boosted = GradientBoostingRegressor(n_estimators=30, max_depth=4, random_state=0).fit(x, y)
    return (
        lambda mixed: forest.predict_proba(mixed.astype(float))[:, 1],
        lambda mixed: boosted.predict(mixed.astype(float)),
    )


@pytest.mark.parametrize("which", [0, 1])
def test_of_trees_they_lie_within_their_errors(trees: tuple[Any, Any], which: int) -> None:
    """Within two standard errors in at least 95 of 100, as the errors also hold that the background is a sample."""
    ask, background = trees[which], rows(32, 5, 7)
    apart = []
    for number in range(12):
        row = rows(1, 5, 100 + number)[0]
        found = sampled(ask, row, background, number)
        apart += list(np.abs(found.values - exact(ask, row, background)) / np.maximum(found.errors, 1e-12))
    assert np.mean(np.array(apart) < 2) >= 0.95


def test_the_error_is_that_against_all_that_the_background_is_a_sample_of(trees: tuple[Any, Any]) -> None:
    ask, row = trees[1], rows(1, 5, 8)[0]
    wanted = exact(ask, row, rows(1500, 5, 9))
    apart = []
    for number in range(40):
        found = sampled(ask, row, rows(24, 5, 1000 + number), number)
        apart += list((found.values - wanted) / found.errors)
    assert 0.7 < np.std(apart) < 1.4
    assert abs(np.mean(apart)) < 0.4


# --- axioms --------------------------------------------------------------------------------------------------------

VALUES = st.sampled_from([None, False, 1, -2.5, 3, 1e9, "a", "b"])


def strange(mixed: Any) -> Any:
    """A function of mixed values, with interactions of all orders."""
    return np.array([
        crc32(repr(list(row[:3])).encode()) % 1000 / 100 + (5 if row[0] == row[-1] else 0) for row in mixed
    ], dtype=float)  # fmt: skip


@given(st.data(), st.integers(1, 7), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_they_add_up_to_the_answer_less_the_backgrounds_mean(data: Any, features: int, many: int) -> None:
    given_rows = data.draw(st.lists(st.lists(VALUES, min_size=features, max_size=features), min_size=many + 1,
                                    max_size=many + 1))  # fmt: skip
    table = np.empty((many + 1, features), dtype=object)
    for at, one in enumerate(given_rows):
        table[at] = one
    row, background = table[0], table[1:]
    found = sampled(strange, row, background)
    assert found.values.sum() == pytest.approx(strange(row[None])[0] - strange(background).mean(), abs=1e-6)
    same = [at for at in range(features) if all(z[at] == row[at] for z in background)]
    assert all(found.values[at] == 0 == found.errors[at] for at in same), "what is the same everywhere says nothing"


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_what_the_model_does_not_heed_contributes_nothing(seed: int) -> None:
    ask = lambda m: (m[:, 0] * m[:, 1] * m[:, 2]).astype(float)  # noqa: E731
    found = sampled(ask, rows(1, 5, seed)[0], rows(8, 5, seed + 1), seed)
    assert list(found.values[3:]) == [0, 0] == list(found.errors[3:])


def test_two_that_do_the_same_contribute_the_same() -> None:
    ask = lambda m: np.minimum(m[:, 0], m[:, 1]).astype(float) * m[:, 2].astype(float)  # noqa: E731
    background = rows(400, 3, 11)
    background[:, 1] = background[:, 0]
    row = np.array([0.7, 0.7, 2.0], dtype=object)
    found = sampled(ask, row, background)
    assert abs(found.values[0] - found.values[1]) < 3 * np.hypot(*found.errors[:2])
    wanted = exact(ask, row, background)
    assert wanted[0] == pytest.approx(wanted[1])


def test_two_models_contributions_add_up() -> None:
    f = lambda m: (m[:, 0] * m[:, 1] * m[:, 2]).astype(float)  # noqa: E731
    g = lambda m: (m[:, 1] ** 3 * m[:, 3]).astype(float)  # noqa: E731
    row, background = rows(1, 4, 12)[0], rows(8, 4, 13)
    both = sampled(lambda m: f(m) + g(m), row, background)
    assert both.values == pytest.approx(sampled(f, row, background).values + sampled(g, row, background).values)


def test_where_nothing_differs_nothing_is_asked() -> None:
    row = np.array([1.0, "a", None], dtype=object)
    found = sampled(lambda m: np.ones(len(m)), row, np.array([row] * 4, dtype=object))
    assert (list(found.values), found.asked) == ([0, 0, 0], 0)
