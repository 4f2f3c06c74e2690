"""From rows to a matrix: what the model's Pipeline does first, here and where it is served.

Numbers come first, then categories; each in the order of the features. Columns are found by their names, whatever else
is sent, in any order. A category that training has not seen counts as a missing one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from fairlead.components.training.rows import Rows, Vector

Form = Literal["codes", "scaled"]
"""codes: numbers as they are, with their gaps, and a number for each category, which is what trees make splits of.
scaled: gaps filled, all on one scale, and a column for each category."""


@dataclass(frozen=True)
class Matrix:
    """What an estimator is given."""

    x: Any
    """(n, columns), float64; perhaps sparse."""
    y: Vector
    weight: Vector | None
    categories: Sequence[int]
    """Columns of x that are codes of categories."""


def transformer(rows: Rows, form: Form, most: int | None) -> ColumnTransformer:
    """Not fitted. most: categories of a column that are told apart; the rarest beyond are one. None: all are."""
    numbers, texts = (_numbers(), _codes(most)) if form == "codes" else (_filled(), _columns(most))
    parts = [("numbers", numbers, rows.of("number")), ("categories", texts, rows.of("category"))]
    parts = [part for part in parts if part[2]]
    return ColumnTransformer(parts, verbose_feature_names_out=False)


def matrix(rows: Rows, fitted: ColumnTransformer, form: Form) -> Matrix:
    """Rows as the estimator is given them."""
    first = len(rows.of("number"))
    codes = range(first, len(rows.roles)) if form == "codes" else ()
    return Matrix(fitted.transform(rows.features), rows.target, rows.weight, list(codes))


def pipeline(fitted: ColumnTransformer, estimator: Any) -> Pipeline:
    """Of two parts that are fitted."""
    return Pipeline([("prepare", fitted), ("model", estimator)])


def _numbers() -> Any:
    """Integers and booleans as floats: what has gaps is sent as such."""
    return FunctionTransformer(np.asarray, kw_args={"dtype": "float64"})


def _codes(most: int | None) -> Any:
    """As objects: a column with nothing in it comes as numbers."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, dtype=np.float64,
        max_categories=most,
    )  # fmt: skip
    return make_pipeline(FunctionTransformer(np.asarray, kw_args={"dtype": "object"}), encoder)


def _filled() -> Any:
    return make_pipeline(_numbers(), SimpleImputer(strategy="median", add_indicator=True), StandardScaler())


def _columns(most: int | None) -> Any:
    """By codes: whoever sends nothing sends None or NaN, which are two categories for a column's encoder."""
    return make_pipeline(_codes(most), OneHotEncoder(handle_unknown="ignore"))
