"""The metrics. One more is a line here, and its name in `api.guard`.

Their order is that in which people are told what a step waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairlead.api.guard import Guard
from fairlead.plan.deployment.metrics import (
    disagreement,
    errors,
    gauge,
    labels,
    latency,
    outcomes,
    review,
    scores,
)
from fairlead.plan.deployment.metrics.base import Metric

METRICS: Mapping[str, Metric] = {
    one.name: one
    for one in (
        errors.METRIC,
        latency.METRIC,
        outcomes.METRIC,
        gauge.METRIC,
        disagreement.METRIC,
        review.METRIC,
        scores.METRIC,
        labels.METRIC,
    )
}
"""By name."""


def metric_of(guard: Guard | str) -> Metric:
    """Of a guard, or of one that status names `0/errors`."""
    return METRICS[guard.rpartition("/")[2] if isinstance(guard, str) else guard.metric]


def timed(guards: Iterable[Guard]) -> int:
    """How many go by how long requests take."""
    return sum(METRICS[guard.metric].timed for guard in guards)


def all_requests(guards: Iterable[Guard]) -> bool:
    """Whether one of them counts each request, and those that failed."""
    return any(METRICS[guard.metric].all_requests for guard in guards)
