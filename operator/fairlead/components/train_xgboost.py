"""Trains a model of XGBoost. `python3 -m fairlead.components.train_xgboost --target=… --task=…`"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import xgboost
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder

from fairlead.components.training import options, program
from fairlead.components.training.asked import Asked
from fairlead.components.training.library import Fitted, Library, cores
from fairlead.components.training.prepare import Matrix
from fairlead.components.words import Refused

_OWN = "a component has set it; write a step of your own"
RESERVED: Mapping[str, str] = {
    "n_estimators": "give params.rounds", "early_stopping_rounds": "give params.early_stopping",
    "device": "the image has no libraries for GPUs; write a step of your own",
    **dict.fromkeys(
        ("callbacks", "enable_categorical", "feature_types", "feature_weights", "importance_type", "missing",
         "monotone_constraints", "interaction_constraints", "validate_parameters"), _OWN),
}  # fmt: skip


class XGBoost(Library):
    """XGBoost, on CPUs."""

    name: ClassVar[str] = "xgboost"

    def check(self, asked: Asked) -> None:
        """By names and types that the estimator says; the library checks values when it trains."""
        estimator = _class(asked)()
        options.named(asked.options, list(estimator.get_params()), RESERVED, type(estimator).__name__)
        options.typed(asked.options, options.hints(xgboost.XGBModel.__init__))

    def fit(self, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
        """As Library.fit has it. Classes that are not 0, 1 … are named by an ensemble of scikit-learn that has this
        one model: XGBoost knows numbers only."""
        names = LabelEncoder().fit(train.y) if asked.classes else None
        estimator = _class(asked)(
            n_estimators=asked.rounds, random_state=asked.seed, n_jobs=cores(), enable_categorical=True,
            feature_types=["c" if at in set(train.categories) else "q" for at in range(train.x.shape[1])],
            early_stopping_rounds=asked.early_stopping or None, **asked.options,
        )  # fmt: skip
        try:
            _train(estimator, names, train, validation if asked.early_stopping else None)
        except (xgboost.core.XGBoostError, ValueError) as error:
            if not asked.options:
                raise
            raise Refused(f"params.options: xgboost does not take them: {_first(error)}") from error
        rounds = estimator.best_iteration + 1 if asked.early_stopping else estimator.get_booster().num_boosted_rounds()
        estimator.set_params(n_jobs=1, early_stopping_rounds=None)
        return Fitted(_named(estimator, names), int(rounds))


def _class(asked: Asked) -> type[Any]:
    found: type[Any] = xgboost.XGBClassifier if asked.classes else xgboost.XGBRegressor
    return found


def _train(estimator: Any, names: LabelEncoder | None, train: Matrix, validation: Matrix | None) -> None:
    def target(one: Matrix) -> Any:
        return names.transform(one.y) if names else one.y

    if validation is None:
        estimator.fit(train.x, target(train), sample_weight=train.weight, verbose=False)
        return
    estimator.fit(
        train.x, target(train), sample_weight=train.weight, eval_set=[(validation.x, target(validation))],
        sample_weight_eval_set=None if validation.weight is None else [validation.weight], verbose=False,
    )  # fmt: skip


def _named(estimator: Any, names: LabelEncoder | None) -> Any:
    if names is None or np.array_equal(names.classes_, np.arange(len(names.classes_))):
        return estimator
    found = VotingClassifier([("xgboost", estimator)], voting="soft")
    found.estimators_, found.le_, found.classes_ = [estimator], names, names.classes_
    return found


def _first(error: Exception) -> str:
    """What it says, without where in its source it says so, and the stack."""
    lines = [one for one in str(error).splitlines() if one.strip()]
    return lines[0].rpartition("Error: ")[2].rpartition(".cc:")[2] if lines else type(error).__name__


if __name__ == "__main__":
    sys.exit(program.main(XGBoost(), sys.argv[1:]))
