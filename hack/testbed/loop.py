"""A small but whole loop: data, a pipeline of two steps, an evaluated model on the test server, a canary."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hack.testbed.cluster import Team
from hack.testbed.serving import METRICS, deploy, server_image

MODEL = "mean"
PREPARE = """
import pathlib, shutil
out = pathlib.Path('/fairlead/out/rows'); out.mkdir()
for file in pathlib.Path('/fairlead/in/raw').rglob('*.parquet'):
    shutil.copy(file, out)
"""
TRAIN = """
import json, pathlib
import pyarrow.parquet as pq
rows = pq.read_table('/fairlead/in/rows')
value = sum(rows['y'].to_pylist()) / rows.num_rows
out = pathlib.Path('/fairlead/out/model'); out.mkdir()
(out / 'model.json').write_text(json.dumps({'value': value, 'rows': rows.num_rows}))
"""


def worker_image(team: Team) -> str:
    """An image with pyarrow that the cluster has: the worker's."""
    return str(_images(team)["worker"])


def sklearn_image(team: Team) -> str:
    """The image that serves models of scikit-learn, and can train them."""
    return str(_images(team)["runtimes"]["sklearn"])


def _images(team: Team) -> Any:
    found = team.cluster.get("configmap", "fairlead", "fairlead-system")
    assert found
    return yaml.safe_load(found["data"]["config.yaml"])["images"]


def step(team: Team, name: str, code: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """A step that runs a little Python."""
    return {
        "name": name, "image": worker_image(team), "command": ["python3", "-c", textwrap.dedent(code)],
        "inputs": inputs, "outputs": outputs, "resources": {"cpu": "50m", "memory": "256Mi"},
    }  # fmt: skip


def apply_loop(team: Team) -> None:
    """Dataset, Pipeline and Deployment."""
    source = {
        "bucket": team.bucket,
        "prefix": "rows/",
        "endpoint": "http://s3.s3.svc:9000",
        "credentials": {"name": "s3"},
    }
    if team.endpoint:
        source["endpoint"] = team.endpoint
    team.apply({
        "kind": "Dataset", "metadata": {"name": "rows"},
        "spec": {"source": {"s3": source}, "format": "parquet", "watch": {"every": "2s", "settle": "1s"}},
    })  # fmt: skip
    rows = {"output": "prepare.rows"}
    team.apply({
        "kind": "Pipeline", "metadata": {"name": "train"},
        "spec": {
            "triggers": [{"dataset": {"name": "rows"}}],
            "history": {"succeeded": 100, "failed": 100},
            "steps": [
                step(team, "prepare", PREPARE, {"raw": {"dataset": "rows"}}, {"rows": {"type": "dataset"}}),
                step(team, "train", TRAIN, {"rows": rows}, {"model": {"type": "model"}}),
            ],
            "produces": [{
                "model": MODEL, "from": "train.model",
                "version": {
                    "server": {
                        "runtime": "custom", "image": server_image(), "metrics": METRICS,
                        "resources": {"cpu": "20m", "memory": "64Mi"},
                    },
                    "evaluation": {
                        "data": rows, "features": ["x"], "target": "y", "metrics": ["mae"],
                        "gates": [{"metric": "mae", "max": "10"}],
                    },
                },
            }],
        },
    })  # fmt: skip
    deploy(team, model=MODEL)


def feed(team: Team, number: int) -> None:
    """One more file of data."""
    out = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [float(number), number + 1.0]}), out)
    team.s3.put_object(Bucket=team.bucket, Key=f"rows/{number}.parquet", Body=out.getvalue())
