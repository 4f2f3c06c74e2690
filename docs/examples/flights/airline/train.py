"""The step `train`: rows in, `model.joblib` out. Three authors' ideas, chosen by the parameter `model`.

- `boosted`: gradient-boosted trees, which know what to do when the plane's age is unknown.
- `linear-age`: a robust linear model. Better on the held-out rows, but it can't answer when the age is unknown.
- `leaky`: learns from `airline.prepare` how long a flight was in the air, which is known only after landing. Far better
  on the held-out rows, useless before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import HuberRegressor, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from airline.columns import CATEGORIES, NUMBERS, TARGET


def boosted() -> Pipeline:
    """Gradient-boosted trees."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("codes", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)])
    return Pipeline([("columns", columns), ("model", HistGradientBoostingRegressor(max_iter=60, random_state=0))])


def linear_age() -> Pipeline:
    """A robust linear model."""
    one_hot = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("codes", one_hot, CATEGORIES), ("numbers", StandardScaler(), NUMBERS)])
    return Pipeline([("columns", columns), ("model", HuberRegressor(epsilon=1.1, max_iter=1000))])


def leaky() -> Pipeline:
    """A linear model; what its rows say of the future makes it good."""
    one_hot = OneHotEncoder(handle_unknown="ignore")
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer([("codes", one_hot, CATEGORIES), ("numbers", numbers, NUMBERS)])
    return Pipeline([("columns", columns), ("model", Ridge())])


MODELS = {"boosted": boosted, "linear-age": linear_age, "leaky": leaky}


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=Path("/fairlead/in/rows"))
    parser.add_argument("--out", type=Path, default=Path("/fairlead/out/model"))
    parser.add_argument("--model", choices=sorted(MODELS), default="boosted")
    given = parser.parse_args()
    files = sorted(given.rows.rglob("*.parquet"))
    train = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    pipeline = MODELS[given.model]().fit(train[CATEGORIES + NUMBERS], train[TARGET])
    given.out.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, given.out / "model.joblib")
    print(f"{given.model}: learned from {len(train)} rows")


if __name__ == "__main__":
    main()
