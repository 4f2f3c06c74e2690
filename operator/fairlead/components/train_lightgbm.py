"""Trains a model of LightGBM. `python3 -m fairlead.components.train_lightgbm --target=… --task=…`"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import lightgbm

from fairlead.components.training import options
from fairlead.components.training.asked import Asked
from fairlead.components.training.library import Fitted, Library, Names, cores
from fairlead.components.training.options import Types
from fairlead.components.training.prepare import Matrix
from fairlead.components.training.program import train
from fairlead.components.words import Refused, finish

RESERVED: Mapping[str, str] = {
    "n_estimators": "give params.rounds",
    "importance_type": "the output importance is asked of all libraries in the same way",
}
_NUMBER: Types = (int, float)
NATIVE: Mapping[str, Types] = {
    "alpha": _NUMBER, "cat_l2": _NUMBER, "cat_smooth": _NUMBER, "extra_trees": (bool,), "fair_c": _NUMBER,
    "feature_fraction_bynode": _NUMBER, "is_unbalance": (bool,), "linear_tree": (bool,), "max_bin": (int,),
    "max_cat_threshold": (int,), "max_cat_to_onehot": (int,), "max_delta_step": _NUMBER, "metric": (str,),
    "min_data_in_bin": (int,), "min_data_per_group": (int,), "path_smooth": _NUMBER, "poisson_max_delta_step": _NUMBER,
    "scale_pos_weight": _NUMBER, "tweedie_variance_power": _NUMBER,
}  # fmt: skip
"""Parameters of the library that its estimators take beside those that they list."""


class LightGBM(Library):
    """LightGBM."""

    name: ClassVar[str] = "lightgbm"

    def check(self, asked: Asked) -> None:
        """By names and types that the estimator says, and those of NATIVE; the library checks values when it trains."""
        estimator = _class(asked)()
        options.named(asked.options, [*estimator.get_params(), *NATIVE], RESERVED, type(estimator).__name__)
        options.typed(asked.options, options.hints(lightgbm.LGBMModel.__init__) | dict(NATIVE))

    def fit(self, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
        """As Library.fit has it."""
        names = Names(train.y) if asked.classes else None
        # the same sums in the same order, however many cores there are
        estimator = _class(asked)(
            n_estimators=asked.rounds, random_state=asked.seed, n_jobs=cores(), verbosity=-1, deterministic=True,
            force_row_wise=True, **asked.options,
        )  # fmt: skip
        stopping: dict[str, Any] = {}
        if asked.early_stopping and validation is not None:
            stopping = {
                "eval_X": validation.x,
                "eval_y": names.numbers(validation.y) if names else validation.y,
                "eval_sample_weight": None if validation.weight is None else [validation.weight],
                "callbacks": [lightgbm.early_stopping(asked.early_stopping, first_metric_only=True, verbose=False)],
            }
        target = names.numbers(train.y) if names else train.y
        try:
            estimator.fit(
                train.x, target, sample_weight=train.weight, categorical_feature=list(train.categories), **stopping
            )
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            if not asked.options:
                raise
            raise Refused(f"params.options: lightgbm does not take them: {str(error).splitlines()[0]}") from error
        rounds = estimator.best_iteration_ if stopping else estimator.n_estimators_
        estimator.set_params(n_jobs=1)
        return Fitted(names.given(estimator) if names else estimator, int(rounds))


def _class(asked: Asked) -> type[Any]:
    found: type[Any] = lightgbm.LGBMClassifier if asked.classes else lightgbm.LGBMRegressor
    return found


def program(given: Sequence[str]) -> None:
    """Train. Raises Refused."""
    train(LightGBM(), given)


if __name__ == "__main__":
    sys.exit(finish(program, sys.argv[1:]))
