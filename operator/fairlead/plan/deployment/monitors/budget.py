"""The budget of false alarms that the Deployments of a namespace share.

Each asks for its own (`spec.monitors.falseAlarmsPerYear`), and by that its tests have their bound, which stays. Where
all of a namespace ask for more than an installation allows, each window may spend a part of what its Deployment has
asked for: what is allowed over what is asked for. The part is fixed when the window opens, for those that there are
then; so as Deployments come and go it follows, and no evidence begins anew. What it means to a test says
`monitor.standing`: the alarms that are expected of all of them add up to what was allotted, window by window, which is
never more than allowed.
"""

from __future__ import annotations

from contextlib import suppress

from fairlead.api.monitors import Monitors
from fairlead.plan.core import DEPLOYMENT, Json
from fairlead.plan.deployment.context import Look

_DEFAULT = float(Monitors().false_alarms_per_year)


def part(look: Look, spec: Monitors) -> str:
    """What a window that opens now may spend of the Deployment's budget, as a status has it; empty: all of it."""
    allowed = look.world.config.monitors.false_alarms_per_year
    if allowed is None:
        return ""
    others = (one for one in look.world.select(DEPLOYMENT) if one["metadata"]["name"] != look.name)
    asked = float(spec.false_alarms_per_year) + sum(map(_asked, others))
    return "" if asked <= allowed else repr(allowed / asked)


def told(given: str) -> float:
    """A part as a number. Raises ValueError for one that is none."""
    return float(given) if given else 1.0


def _asked(raw: Json) -> float:
    """What another Deployment asks for: nothing without monitors, or while it goes."""
    monitors = (raw.get("spec") or {}).get("monitors")
    if monitors is None or raw["metadata"].get("deletionTimestamp"):
        return 0.0
    with suppress(ValueError, TypeError, AttributeError):
        return float(monitors.get("falseAlarmsPerYear", _DEFAULT))
    return _DEFAULT
