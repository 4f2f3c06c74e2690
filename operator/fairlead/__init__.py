"""Fairlead: a Kubernetes operator that closes the machine-learning loop.

For data scientists: `fairlead.step`, `fairlead.pipeline`, `fairlead.log_metric` and the other names of `fairlead.sdk`,
which needs the standard library only. They are loaded when the first of them is used, so the operator doesn't pay for
them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it, without the time that `typing` takes
if TYPE_CHECKING:
    from typing import Any

    from fairlead.sdk import (
        After,
        Dataset,
        File,
        In,
        Model,
        Out,
        Preview,
        component,
        log_artifact,
        log_figure,
        log_metric,
        pipeline,
        produces,
        step,
    )

__version__ = "0.1.0"

__all__ = [
    "After",
    "Dataset",
    "File",
    "In",
    "Model",
    "Out",
    "Preview",
    "__version__",
    "component",
    "log_artifact",
    "log_figure",
    "log_metric",
    "pipeline",
    "produces",
    "step",
]


def __getattr__(name: str) -> Any:
    """A name of the SDK, loaded when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'fairlead' has no attribute {name!r}")
    from fairlead import sdk

    globals()[name] = found = getattr(sdk, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
