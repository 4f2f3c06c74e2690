"""Whether a pod's server was asked for golden rows before it got traffic, and what came of it.

The recorder beside the server asks, whenever the server has started (`worker/record/gate.py`): so whether a pod gets
traffic needs no operator. Here is read what it has said.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.manifests import recorder
from fairlead.manifests.server import SERVER
from fairlead.plan.conditions import quoted
from fairlead.plan.core import Json
from fairlead.plan.jobs import failures
from fairlead.plan.requests import ReadySaid

SKEW = "Skew"
"""Reason: a server does not answer as the model did when it was made or proven."""
_STATES = ("Ok", SKEW, "Unknown")


@dataclass(frozen=True)
class Tried:
    """What a pod says of golden rows."""

    state: str
    reason: str
    message: str

    @property
    def differs(self) -> bool:
        """Whether it must get no traffic."""
        return self.state == SKEW


def is_asked(pod: Json) -> bool:
    """Whether a pod's server has to answer golden rows."""
    return recorder.ASKED in (pod["metadata"].get("annotations") or {})


def holds(pod: Json) -> bool:
    """Whether it has to, and has not done so yet."""
    started = any(name == SERVER and one.get("started") for name, one in failures.statuses(pod))
    return is_asked(pod) and not started


def read(answer: object) -> Tried | None:
    """What the recorder says: state, reason and message; None: nothing yet."""
    if not isinstance(answer, ReadySaid):
        return None
    state, _, rest = answer.text.partition(" ")
    reason, _, message = rest.partition(": ")
    return Tried(state, quoted(reason, 64), quoted(message, 500)) if state in _STATES else None


def told(version: str, tried: Tried) -> str:
    """That a pod gets no traffic, and what to do about it."""
    return (
        f"a new pod of {version} gets no traffic, as it does not answer as the model did: {tried.message}. See the "
        "server's image, its libraries and how it makes features, and make a new ModelVersion, or raise "
        "spec.golden.tolerance there if the difference does no harm; spec.monitors.without: [skew] asks nothing"
    )
