"""The kinds that Fairlead looks after. Adding one ends with a line here."""

from __future__ import annotations

from typing import Any

from fairlead.plan.component import plan as component
from fairlead.plan.core import KindSpec
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run

SPECS: tuple[KindSpec[Any], ...] = (
    dataset.SPEC,
    component.SPEC,
    pipeline.SPEC,
    run.SPEC,
    modelversion.SPEC,
    deployment.SPEC,
)
