"""What the benchmark of first requests reads from objects."""

from __future__ import annotations

from typing import Any

import pytest
from hack.bench.first import milestones

LABELS = {"fairlead.dev/version": "m-1"}
SLICE = {"name": "s", "labels": LABELS}
RUNNING = {"name": "server", "state": {"running": {}}}


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "labels": LABELS}, "status": status}


@pytest.mark.parametrize(("kind", "obj", "told"), [
    ("ModelVersion", {"metadata": {"name": "m-1"}, "status": {"phase": "Pending"}}, []),
    ("ModelVersion", {"metadata": {"name": "m-1"}, "status": {"phase": "Approved"}}, [("m-1", "approved")]),
    ("Deployment", {"metadata": {"name": "web"}, "status": {"candidate": {"version": "m-2"}}}, [("m-2", "chosen")]),
    ("Pod", pod(), [("m-1", "pod made")]),
    ("Pod", pod(initContainerStatuses=[{"name": "fetch", "state": {"terminated": {}}}], containerStatuses=[RUNNING]),
     [("m-1", "pod made"), ("m-1", "fetch runs"), ("m-1", "fetch has ended"), ("m-1", "server runs")]),
    ("Pod", {"metadata": {"name": "other"}}, []),
    ("EndpointSlice", {"metadata": SLICE, "endpoints": [{"conditions": {"ready": False}}]}, []),
    ("EndpointSlice", {"metadata": SLICE, "endpoints": [{"conditions": {"ready": True}}]},
     [("m-1", "endpoints")]),
    ("HTTPRoute", {"metadata": {"name": "web"}, "spec": {"rules": [
        {"backendRefs": [{"name": "web-1", "weight": 50}, {"name": "web-0", "weight": 0}]},
    ]}}, [("web-1", "route")]),
])  # fmt: skip
def test_what_an_object_says_has_happened(kind: str, obj: dict[str, Any], told: list[tuple[str, str]]) -> None:
    assert list(milestones(kind, obj)) == told
