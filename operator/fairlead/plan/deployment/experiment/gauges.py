"""What the operator's own metrics say of an experiment."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.plan.core import Gauge, Json

_OF = (
    ("share", "share", "Percent of the users (or requests) that a version gets in an experiment."),
    ("total", "total", "What a version was tried on in an experiment: the reward's total."),
    ("successes", "successes", "Successes of a version in an experiment."),
    ("best", "best", "The chance that a version is the best one of its experiment, from the counts alone."),
    ("loss", "loss", "By how much a version's rate is expected to lie below the best one's of its experiment."),
)


def of(status: Json, who: dict[str, str]) -> Iterator[Gauge]:
    """The samples of a Deployment's experiment. who: labels that name the Deployment."""
    kept = status.get("experiment")
    if not kept:
        return
    ended = {"result": kept.get("result") or "Running", "winner": kept.get("winner", "")}
    yield _gauge("info", "An experiment that is on its way, or how it ended; always 1.", who | ended, 1)
    for one in kept.get("contenders") or []:
        labels = who | {"version": one["version"]}
        for name, field, help_ in _OF:
            if one.get(field, "") != "":
                yield _gauge(name, help_, labels, float(one[field]))


def _gauge(name: str, help_: str, labels: dict[str, str], value: float) -> Gauge:
    return Gauge(f"fairlead_deployment_experiment_{name}", help_, labels, float(value))
