"""Trains a model of scikit-learn. `python3 -m fairlead.components.train_sklearn --target=… --task=…`"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from fairlead.components.training import options
from fairlead.components.training.asked import Asked
from fairlead.components.training.library import Fitted, Library, cores
from fairlead.components.training.prepare import Form, Matrix
from fairlead.components.training.program import train
from fairlead.components.words import Refused, finish, say

BOOSTING = "hist-gradient-boosting"
MODELS: Mapping[str, tuple[type[Any], type[Any]]] = {
    BOOSTING: (HistGradientBoostingRegressor, HistGradientBoostingClassifier),
    "random-forest": (RandomForestRegressor, RandomForestClassifier),
    "extra-trees": (ExtraTreesRegressor, ExtraTreesClassifier),
    "linear": (Ridge, LogisticRegression),
}
"""For regression, for classes."""
_ROUNDS: Mapping[str, str] = {BOOSTING: "max_iter", "random-forest": "n_estimators", "extra-trees": "n_estimators"}
"""What `rounds` is called; the others have none."""
_EARLY = "give params.early_stopping and the input validation"
_COLUMNS = "it is of columns by their places, which a component does not have; write a step of your own"
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(("early_stopping", "n_iter_no_change", "validation_fraction"), _EARLY),
    **dict.fromkeys(("categorical_features", "monotonic_cst", "interaction_cst"), _COLUMNS),
}
BINS = 255
"""Of boosting: categories and the missing one are bins."""


class Sklearn(Library):
    """scikit-learn."""

    name: ClassVar[str] = "scikit-learn"
    models: ClassVar[Sequence[str]] = tuple(MODELS)

    def form(self, asked: Asked) -> Form:
        """Lines want one scale; trees don't care."""
        return "scaled" if asked.model == "linear" else "codes"

    def most(self, asked: Asked) -> int | None:
        """Of boosting, what its bins have room for."""
        return max(2, int(asked.options.get("max_bins", BINS)) - 1) if asked.model == BOOSTING else None

    def check(self, asked: Asked) -> None:
        """By the estimator's own check of its parameters."""
        if asked.early_stopping and asked.model != BOOSTING:
            raise Refused(f'params.early_stopping is of {BOOSTING}; give early_stopping: "0", or another model')
        estimator = _estimator(asked)
        rounds = _ROUNDS.get(asked.model)
        reserved = {**RESERVED, **({rounds: "give params.rounds"} if rounds else {})}
        options.named(asked.options, list(estimator.get_params()), reserved, type(estimator).__name__)
        estimator.set_params(**asked.options)
        try:
            estimator._validate_params()
        except ValueError as error:
            raise Refused(f"params.options: {error}") from error

    def fit(self, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
        """As Library.fit has it. Linear models that have not converged are said to be so."""
        estimator = _estimator(asked).set_params(**asked.options)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            found = (
                _boosted(estimator, asked, train, validation)
                if asked.model == BOOSTING
                else _fitted(estimator, asked, train)
            )
        for one in caught:
            say(f"note: {one.message}")
        return found


def _estimator(asked: Asked) -> Any:
    """With what parameters and the seed say."""
    estimator = MODELS[asked.model][asked.classes]()
    known = estimator.get_params()
    chosen = {"random_state": asked.seed, "n_jobs": cores(), _ROUNDS.get(asked.model, ""): asked.rounds}
    return estimator.set_params(**{name: value for name, value in chosen.items() if name in known})


def _fitted(estimator: Any, asked: Asked, train: Matrix) -> Fitted:
    estimator.fit(train.x, train.y, sample_weight=train.weight)
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)
    return Fitted(estimator, asked.rounds if asked.model in _ROUNDS else None)


def _boosted(estimator: Any, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
    """With early stopping it is fitted twice: the estimator keeps the rounds after its best one, so the second time it
    makes no more than the best number of rounds, which are the same ones."""
    estimator.set_params(early_stopping=False, categorical_features=list(train.categories) or None)
    if asked.early_stopping and validation is not None:
        estimator.set_params(early_stopping=True, n_iter_no_change=asked.early_stopping, tol=0.0)
        estimator.fit(
            train.x, train.y, sample_weight=train.weight, X_val=validation.x, y_val=validation.y,
            sample_weight_val=validation.weight,
        )  # fmt: skip
        best = max(1, int(estimator.validation_score_.argmax()))
        estimator.set_params(early_stopping=False, max_iter=best)
    estimator.fit(train.x, train.y, sample_weight=train.weight)
    return Fitted(estimator, int(estimator.n_iter_))


def program(given: Sequence[str]) -> None:
    """Train. Raises Refused."""
    train(Sklearn(), given)


if __name__ == "__main__":
    sys.exit(finish(program, sys.argv[1:]))
