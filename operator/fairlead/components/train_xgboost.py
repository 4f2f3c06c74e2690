"""Trains a model of XGBoost. `python3 -m fairlead.components.train_xgboost --target=… --task=…`"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import xgboost

from fairlead.components.training import options
from fairlead.components.training.asked import Asked
from fairlead.components.training.library import Fitted, Library, Names, cores
from fairlead.components.training.prepare import Matrix
from fairlead.components.training.program import train
from fairlead.components.words import Refused, finish

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
        """As Library.fit has it."""
        names = Names(train.y) if asked.classes else None
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
        return Fitted(names.given(estimator) if names else estimator, int(rounds))


def _class(asked: Asked) -> type[Any]:
    found: type[Any] = xgboost.XGBClassifier if asked.classes else xgboost.XGBRegressor
    return found


def _train(estimator: Any, names: Names | None, train: Matrix, validation: Matrix | None) -> None:
    def target(one: Matrix) -> Any:
        return names.numbers(one.y) if names else one.y

    if validation is None:
        estimator.fit(train.x, target(train), sample_weight=train.weight, verbose=False)
        return
    estimator.fit(
        train.x, target(train), sample_weight=train.weight, eval_set=[(validation.x, target(validation))],
        sample_weight_eval_set=None if validation.weight is None else [validation.weight], verbose=False,
    )  # fmt: skip


def _first(error: Exception) -> str:
    """What it says, without where in its source it says so, and the stack."""
    lines = [one for one in str(error).splitlines() if one.strip()]
    return re.sub(r"^.*\.(cc|h):\d+: ", "", lines[0]) if lines else type(error).__name__


def program(given: Sequence[str]) -> None:
    """Train. Raises Refused."""
    train(XGBoost(), given)


if __name__ == "__main__":
    sys.exit(finish(program, sys.argv[1:]))
