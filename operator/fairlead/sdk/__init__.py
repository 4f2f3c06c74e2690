"""Fairlead for data scientists: functions with types become steps, and a Pipeline. Needs the standard library only."""

from __future__ import annotations

from fairlead.sdk.components import component
from fairlead.sdk.kinds import After, Dataset, File, In, Model, Out, Preview
from fairlead.sdk.log import log_artifact, log_figure, log_metric
from fairlead.sdk.pipelines import pipeline, produces
from fairlead.sdk.steps import step

__all__ = [
    "After",
    "Dataset",
    "File",
    "In",
    "Model",
    "Out",
    "Preview",
    "component",
    "log_artifact",
    "log_figure",
    "log_metric",
    "pipeline",
    "produces",
    "step",
]
