"""The sources: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead.api import dataset
from fairlead.api.config import OperatorConfig
from fairlead.plan.sources.base import Source
from fairlead.plan.sources.s3 import S3

SOURCES: dict[str, Callable[[Any, OperatorConfig], Source]] = {"s3": S3}
"""By the field of spec.source."""


def of(written: dataset.Source, config: OperatorConfig) -> Source:
    """The source that a Dataset names: the API server lets it name exactly one."""
    return next(kind(own, config) for name, kind in SOURCES.items() if (own := getattr(written, name)) is not None)
