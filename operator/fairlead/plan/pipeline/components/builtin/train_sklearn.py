"""`train-sklearn`. Its program is `fairlead/components/train_sklearn.py`."""

from __future__ import annotations

from fairlead.plan.pipeline.components.builtin.training import trainer

BUILTIN = trainer(
    "train-sklearn", "Trains a model of scikit-learn.", "the estimator, as scikit-learn documents them",
    ("hist-gradient-boosting", "random-forest", "extra-trees", "linear"),
)  # fmt: skip
