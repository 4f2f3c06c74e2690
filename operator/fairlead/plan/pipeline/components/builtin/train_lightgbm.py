"""`train-lightgbm`. Its program is `fairlead/components/train_lightgbm.py`."""

from __future__ import annotations

from fairlead.plan.pipeline.components.builtin.training import trainer

BUILTIN = trainer("train-lightgbm", "Trains a model of LightGBM.", "LGBMClassifier or LGBMRegressor")
