"""Models on MLServer, and load on them by gRPC through a gateway."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import joblib
import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from hack.testbed import oip
from hack.testbed.cluster import Json, Team
from hack.testbed.serving import listener

MODEL = "numbers"
ROW = [[1.0, 2.0]]


def make_sklearn_version(team: Team, name: str, answer: float | None) -> None:
    """A ModelVersion of MODEL on MLServer that answers a number; None: it fails on each request, for want of a third
    feature."""
    if answer is None:
        made = LinearRegression().fit(np.eye(3), [0.0, 1.0, 2.0])
    else:
        made = DummyRegressor(strategy="constant", constant=answer).fit(np.zeros((2, 2)), [0.0, 1.0])
    out = io.BytesIO()
    joblib.dump(made, out)
    key = f"models/{name}/model.joblib"
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=out.getvalue())
    artifact = {"uri": f"s3://{team.bucket}/{key}", "sha256": hashlib.sha256(out.getvalue()).hexdigest()}
    server = {"runtime": "sklearn", "resources": {"cpu": "50m", "memory": "512Mi"}}
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {"model": MODEL, "artifact": artifact, "server": server},
    })  # fmt: skip


def deploy_grpc(team: Team, gateway: str, *steps: Json, **more: Json) -> str:
    """A Deployment of MODEL behind a gateway, by gRPC; its host. more: of its spec."""
    host = f"{team.namespace}.example.com"
    route = {"gateway": {"name": gateway, "namespace": "infra"}, "protocol": "GRPC", "host": host}
    team.apply({
        "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"model": {"name": MODEL}, "route": route, "rollout": {"steps": list(steps)} if steps else {}, **more},
    })  # fmt: skip
    return host


@dataclass
class Seen:
    """What the client saw. Answers are counted by value, failures by status code."""

    answers: Counter[float] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


def wait_for_answer(client: oip.Client, timeout: float = 30) -> None:
    """Until the gateway has taken the route, which it says earlier than it does."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            client.infer(oip.request(MODEL, ROW))
        except grpc.RpcError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"the gateway answers {error.code().name}") from error
            time.sleep(0.1)
        else:
            return


@contextmanager
def grpc_traffic(team: Team, gateway: str, host: str, rate: float) -> Iterator[Seen]:
    """Requests by gRPC, at most `rate` a second and one at a time, while the block runs; from a first answer on."""
    address, port = listener(team.cluster, gateway, "GRPCRoute")
    client, seen, stop = oip.Client(f"{address}:{port}", host), Seen(), threading.Event()
    wait_for_answer(client)

    def run() -> None:
        while not stop.wait(1 / rate):
            try:
                answer, _ = client.infer(oip.request(MODEL, ROW))
                seen.answers[answer.outputs[0].contents.fp64_contents[0]] += 1
            except grpc.RpcError as error:
                seen.failures[error.code().name] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(timeout=30)
        client.close()
