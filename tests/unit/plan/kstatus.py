"""What tools make of a status by the rules of sigs.k8s.io/cli-utils/pkg/kstatus, and what every status has to obey."""

from __future__ import annotations

from typing import Any

from fairlead.plan.conditions import problem

Json = dict[str, Any]


def conditions(status: Json) -> dict[str, Json]:
    """By type."""
    return {one["type"]: one for one in status.get("conditions", [])}


def verdict(status: Json, generation: int) -> str:
    """InProgress, Failed or Current, as `kstatus.Compute` says."""
    if status.get("observedGeneration") != generation:
        return "InProgress"
    found = conditions(status)
    if found.get("Reconciling", {}).get("status") == "True":
        return "InProgress"
    if found.get("Stalled", {}).get("status") == "True":
        return "Failed"
    ready = found.get("Ready")
    return "InProgress" if ready is not None and ready["status"] != "True" else "Current"


def obey(status: Json, generation: int) -> None:
    """Raises AssertionError for a status that says two things at once, or nothing."""
    if status.get("observedGeneration") != generation:
        return  # nothing is said of this generation yet
    found = conditions(status)
    said = [type_ for type_ in ("Reconciling", "Stalled") if type_ in found]
    ready = found.get("Ready")
    assert ready is not None, status
    assert len(said) == (ready["status"] != "True"), found
    assert ready["status"] in ("True", "False"), ready
    for type_ in said:
        one = found[type_]
        assert one["status"] == "True", one
        assert (one["reason"], one["message"]) == (ready["reason"], ready["message"])
    for type_ in ("Ready", *said):
        assert found[type_]["observedGeneration"] == generation
        assert found[type_]["reason"]
    wanted = {"Reconciling": "InProgress", "Stalled": "Failed"}.get(said[0]) if said else "Current"
    assert verdict(status, generation) == wanted
    every = [(one["type"], one["status"], one["reason"], one.get("message", "")) for one in status["conditions"]]
    assert status["problem"] == problem(every)
    assert bool(status["problem"]) or "Stalled" not in found
