"""`train-xgboost`. Its program is `fairlead/components/train_xgboost.py`."""

from __future__ import annotations

from fairlead.plan.pipeline.components.builtin.training import trainer

BUILTIN = trainer("train-xgboost", "Trains a model of XGBoost.", "XGBClassifier or XGBRegressor")
