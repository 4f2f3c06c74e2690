"""The end of the demo shows how the live model is asked."""

from __future__ import annotations

import json

from hack.demo.summary import asking
from hack.demo.world import World

SAMPLE = {"parameters": {"content_type": "pd"},
          "inputs": [{"name": "distance", "datatype": "FP64", "shape": [1, 1], "data": [764.0]}]}  # fmt: skip


def test_b17_the_demo_ends_with_a_request_that_works():
    world = World()
    assert asking(world) == []
    live = {"live": {"version": "delay-5"}, "address": "http://1.2.3.4/airline/delay"}
    meta = {"resourceVersion": "1"}
    world.receive("Deployment", "ADDED", {"metadata": {"name": "delay", **meta}, "status": live})
    assert asking(world) == []
    spec = {"model": "delay", "artifact": {"uri": "s3://bkt/m", "sha256": "ab" * 32}}
    world.receive("ModelVersion", "ADDED", {
        "metadata": {"name": "delay-5", **meta}, "spec": spec,
        "status": {"evidence": {"digest": "ab", "sample": json.dumps(SAMPLE)}},
    })  # fmt: skip
    command, curl, *body, end = asking(world)
    assert command == """kubectl fairlead ask deployment/delay -n airline --row '{"distance": 764.0}'"""
    assert curl.startswith("curl -sS http://1.2.3.4/airline/delay/v2/models/delay/infer ")
    assert json.loads("\n".join(body)) == SAMPLE
    assert end == "EOF"
