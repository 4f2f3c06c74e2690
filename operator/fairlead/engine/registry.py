"""The kinds that Fairlead looks after. Adding one ends with a line here."""

from __future__ import annotations

from typing import Any

from fairlead.plan import dataset, deployment, modelversion, pipeline, run
from fairlead.plan.core import KindSpec

SPECS: tuple[KindSpec[Any], ...] = (
    dataset.SPEC,
    pipeline.SPEC,
    run.SPEC,
    modelversion.SPEC,
    deployment.SPEC,
)
