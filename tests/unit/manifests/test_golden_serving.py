"""What a Deployment consists of, whole: a change of any field shows in the review.

After a change that is meant: `FAIRLEAD_GOLDEN=write pytest tests/unit/manifests/test_golden_serving.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fairlead.api.config import Images, OperatorConfig
from fairlead.api.deployment import Alerts, Route
from fairlead.api.server import Server
from fairlead.api.tasks import MODEL, Access, FetchItem, FetchTask, Place
from fairlead.manifests import alerts, presets, route, server
from fairlead.manifests.meta import Json, labels, owner_reference
from fairlead.manifests.recorder import Recording

GOLDEN = Path(__file__).parents[2] / "golden"
CONFIG = OperatorConfig(
    images=Images(worker="worker@sha256:1", runtimes={"sklearn": "sklearn@sha256:2"}, proxy="envoy@sha256:4")
)
OWNER = owner_reference("fairlead.dev/v1alpha1", "Deployment", "delay", "7f")
SKLEARN = Server.model_validate({
    "resources": {"cpu": "500m", "memory": "1Gi", "gpu": {"count": 1, "product": "A100"}},
    "env": [{"name": "OMP_NUM_THREADS", "value": "2"}],
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
})  # fmt: skip
CUSTOM = Server.model_validate({
    "runtime": "custom", "image": "ranker@sha256:3", "args": ["--fast"], "timeout": "90s",
    "metrics": {
        "path": "/stats", "port": 9000, "requests": 'http_requests_total{path=~"/v2/.*"} + grpc_requests_total',
        "failures": 'http_requests_total{path=~"/v2/.*",code=~"5.."}', "latency": "http_seconds",
    },
})  # fmt: skip
COUNTED = Server.model_validate({"runtime": "custom", "image": "any@sha256:5", "protocol": "http", "ready": "/healthz"})


def serving(runtime: Server) -> server.Serving:
    """A version in production."""
    access = Access(endpoint="http://s3:9000", credentials="/fairlead/credentials/s3")
    item = FetchItem(access=access, uri="s3://airline/delay-12/", sha256="a" * 64, dest=MODEL)
    who = labels(deployment="delay", version="delay-12")
    return server.Serving(
        name="delay-0123456789", namespace="airline", owner=OWNER, labels=who,
        selector={k: v for k, v in who.items() if k.startswith("fairlead.dev/")}, server=runtime, model_name="delay",
        replicas=2, fetch=FetchTask(items=[item]), credentials=("s3",), worker_image=CONFIG.images.worker,
    )  # fmt: skip


def recorded() -> server.Serving:
    """A version whose answers are kept."""
    folder = Place(
        bucket="fairlead", prefix="airline/deployments/delay/predictions/version=delay-12/", endpoint="http://s3:9000",
        credentials="/fairlead/credentials/s3",
    )  # fmt: skip
    return replace(serving(SKLEARN), recording=Recording(
        deployment="delay", version="delay-12", parts=26, every=60.0, inputs=True, path="/outputs/0/data",
        store=folder, credentials="s3",
    ))  # fmt: skip


def canary() -> Json:
    """A route during a rollout."""
    old, new = (route.Backend(f"delay-{n}", f"delay-{n}-svc", presets.PORT) for n in (11, 12))
    where = Route.model_validate({
        "gateway": {"name": "public", "namespace": "infra"}, "host": "ml.example.com", "path": "/delay",
    })  # fmt: skip
    divided = route.Traffic(named=[old, new], shared=[(old, 90), (new, 10)])
    return route.http_route("delay", "airline", OWNER, labels(deployment="delay"), where, divided)


def side_by_side() -> Json:
    """A route during an experiment, with sticky users."""
    live, one, two = (route.Backend(f"delay-{n}", f"delay-{n}-svc", presets.PORT) for n in (11, 12, 13))
    where = Route.model_validate({"gateway": {"name": "public", "namespace": "infra"}})
    sticky = route.Sticky("fairlead-delay", "3f2a1b", 604800, "/airline/delay")
    divided = route.Traffic([live, one, two], [(live, 40), (one, 30), (two, 30)], sticky=sticky, wide=True)
    return route.http_route("delay", "airline", OWNER, labels(deployment="delay"), where, divided)


def about() -> alerts.About:
    """Whose alerts."""
    return alerts.About("delay", "airline", OWNER, labels(deployment="delay") | {"release": "monitoring"})


MADE: dict[str, Callable[[], Json]] = {
    "serving-sklearn": lambda: server.workload(serving(SKLEARN), CONFIG),
    "serving-custom": lambda: server.workload(serving(CUSTOM), CONFIG),
    "serving-recorded": lambda: server.workload(recorded(), CONFIG),
    "serving-counted": lambda: server.workload(serving(COUNTED), CONFIG),
    "serving-service": lambda: server.service(serving(CUSTOM)),
    "route-canary": canary,
    "route-experiment": side_by_side,
    "pod-monitor": lambda: alerts.pod_monitor(about(), [SKLEARN, CUSTOM, COUNTED], recorded=True),
    "alert-rules": lambda: alerts.rules(
        about(), Alerts.model_validate({"labels": {"team": "airline"}, "slo": {"availability": "99.9%"}}), CUSTOM, 10.0
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_as_in_the_golden_file(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(json.loads(json.dumps(MADE[name]())), sort_keys=False, width=120)
    if os.environ.get("FAIRLEAD_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), "if the change is meant: FAIRLEAD_GOLDEN=write pytest " + __file__
