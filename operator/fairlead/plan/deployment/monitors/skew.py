"""Do new pods answer golden rows as the model did? Needs no counts: each pod is asked before it gets traffic."""

from __future__ import annotations

from fairlead.api.monitors import Monitored
from fairlead.monitor.report import Report
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said
from fairlead.plan.deployment.serving import gate, golden, pods
from fairlead.plan.requests import AskReady

PODS = 8
"""Ready pods of a version that are asked what came of it."""


class Skew(Monitor):
    """A pod that differs gets no traffic, and the others go on."""

    name = "skew"
    counted = False

    def says(self, look: Look, kept: Monitored, _report: Report | None) -> Said | None:
        """What the pods have said."""
        version = kept.version
        why = golden.unasked(look, version)
        if why:
            return Said("Unknown", why.reason, why.message)
        differs = golden.skewed(look, version)
        if differs:
            return Said("Bad", differs.reason, f"{differs.message}. Its other pods go on")
        ready = [pod for pod in pods.of(look, version) if pod.ready]
        if ready and not any(gate.is_asked(pod.raw) for pod in ready):
            return Said("Unknown", "NotAsked", f"no pod of {version} was asked yet: wait for those that follow "
                        "spec.monitors")  # fmt: skip
        found = [one for pod in ready if (one := pods.tried(look, pod)) is not None]
        unknown = next((one for one in found if one.state != "Ok"), None)
        if unknown:
            return Said("Unknown", unknown.reason, f"a pod of {version} says: {unknown.message}")
        return Said("Ok", found[0].reason, found[0].message) if found else None

    def requests(self, look: Look, version: str) -> list[AskReady]:
        """What ready pods are asked."""
        ready = [pod for pod in pods.of(look, version) if pod.ready]
        return [asked for pod in ready if (asked := pods.asks_of(look, pod)) is not None][:PODS]


MONITOR = Skew()
