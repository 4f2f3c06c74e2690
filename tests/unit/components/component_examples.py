"""Components and Pipelines that use them, for tests."""

from __future__ import annotations

from typing import Any

from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.test_run_plan import dataset

from fairlead.plan.core import Json

CLEAN: Json = {
    "version": "1.2.0",
    "description": "Drops flights without a delay.",
    "image": "registry/clean@sha256:" + "1" * 64,
    "command": ["python", "-m", "clean", "--longest={{params.longest}}", "--mode={{params.mode}}"],
    "env": [{"name": "RATE", "value": "{{params.rate}}"}, {"name": "HOME", "value": "/tmp"}],
    "params": {
        "longest": {"type": "integer", "min": "1", "description": "Delays above are mistakes of the clock."},
        "mode": {"in": ["drop", "cap"], "default": "drop"},
        "rate": {"type": "number", "default": "0.5", "max": "1"},
    },
    "inputs": {"flights": {"type": "dataset"}, "weather": {"type": "dataset", "optional": True}},
    "outputs": {"flights": {"type": "dataset", "description": "One Parquet file."}, "count": {"type": "value"}},
    "resources": {"memory": "1Gi", "cpu": "1"},
    "nodeSelector": {"disk": "ssd"},
}
STEP: Json = {
    "name": "clean", "component": {"name": "clean"}, "params": {"longest": "600"},
    "inputs": {"flights": {"dataset": "flights"}},
}  # fmt: skip


def component(where: LittleWorld, name: str = "clean", namespace: str = "", **spec: Any) -> Json:
    """Make or replace a Component: of the namespace, or of another one."""
    made = {"kind": "Component", "metadata": {"name": name}, "spec": CLEAN | spec}
    if not namespace:
        return where.put(made)
    made["metadata"]["namespace"] = namespace
    where.others["Component", namespace, name] = made
    return made


def world(*steps: Json, params: Json | None = None, run: Json | None = None, **spec: Any) -> LittleWorld:
    """A Pipeline `delay` of these steps (default: one that uses `clean`), and its run `delay-7`."""
    where = LittleWorld()
    dataset(where)
    said = {"steps": list(steps) or [STEP], "params": params or {}} | spec
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": said})
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"} | (run or {})})
    return where
