"""The monitors' conditions."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.conditions import Conditions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import registry
from fairlead.plan.deployment.monitors.period import WAITS, Outcome

READY = "MonitorReady"


def tell(look: Look, told: Conditions, status: DeploymentStatus, outcome: Outcome) -> None:
    """Set them: whether the monitors see anything, and what each says."""
    spec, kept = look.spec.monitors, status.monitors
    lines = {one.monitor: one for one in kept.lines} if kept else {}
    for monitor in registry.MONITORS:
        line = lines.get(monitor.name)
        if monitor.condition and line is None:
            told.drop(monitor.condition)
        elif monitor.condition and line is not None:
            value = None if line.state == "Unknown" else line.state == monitor.bad
            told.set(monitor.condition, value, line.reason, line.message)
    if spec is None or kept is None or not any(one.counted for one in registry.chosen(spec)):
        told.drop(READY)
    elif outcome.problem == WAITS or (told.get(READY) is None and not outcome.read):
        told.set(READY, None, WAITS.reason, WAITS.message)
    elif outcome.problem:
        told.set(READY, False, outcome.problem.reason, outcome.problem.message)
    elif outcome.report:
        told.set(READY, True, "Watching", f"requests are compared with what {kept.version} learnt from")
