"""The operator as processes: two replicas, one leader, fail-over, an orderly stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.cluster.client import HttpKube
from fairlead.cluster.errors import Conflict
from fairlead.cluster.port import LEASE
from fairlead.plan.core import PIPELINE

Json = dict[str, Any]


class Replica:
    """A process of the operator."""

    def __init__(self, name: str, namespace: str, kubeconfig: str, folder: Path) -> None:
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        config = folder / f"{name}.yaml"
        config.write_text(json.dumps({"images": {"worker": "none"}, "namespaces": [namespace]}))
        self.log = folder / f"{name}.log"
        command = [
            sys.executable, "-c", "import sys; from fairlead.cli.main import main; sys.exit(main())", "operator",
            "--config", str(config), "--kubeconfig", kubeconfig, "--namespace", namespace,
            "--host", "127.0.0.1", "--port", str(self.port),
        ]  # fmt: skip
        env = {**os.environ, "POD_NAME": name, "POD_NAMESPACE": namespace}
        self.process = subprocess.Popen(command, env=env, stderr=self.log.open("wb"))

    def get(self, path: str) -> str:
        """The answer of its site; empty if there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            return ""

    @property
    def leads(self) -> bool:
        return re.search(r"^fairlead_leader 1\.0$", self.get("/metrics"), re.MULTILINE) is not None

    @property
    def ready(self) -> bool:
        return self.get("/readyz") == "ok\n"

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-4000:]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


Start = Callable[[str], Replica]


@pytest.fixture
def start(namespace: str, kubeconfig: str, tmp_path: Path) -> Iterator[Start]:
    """Starts replicas; those that are left are killed in the end."""
    replicas: list[Replica] = []

    def begin(name: str) -> Replica:
        replicas.append(Replica(name, namespace, kubeconfig, tmp_path))
        return replicas[-1]

    yield begin
    for replica in replicas:
        if replica.process.poll() is None:
            replica.process.kill()
            replica.process.wait()


async def until(true: Callable[[], bool], within: float, replica: Replica) -> float:
    begun = time.monotonic()
    while not await asyncio.to_thread(true):
        assert time.monotonic() - begun < within, replica.tail()
        await asyncio.sleep(0.1)
    return time.monotonic() - begun


async def phase(http: HttpKube, namespace: str, name: str) -> str:
    found = await http.get(PIPELINE, namespace, name)
    return str(found.get("status", {}).get("phase", ""))


async def make(http: HttpKube, namespace: str, name: str) -> None:
    steps = [{"name": "a", "image": "example.invalid/none"}]
    body = {"apiVersion": PIPELINE.api_version, "kind": "Pipeline", "spec": {"steps": steps}}
    await http.create(PIPELINE, {**body, "metadata": {"name": name, "namespace": namespace}})


async def seen(http: HttpKube, namespace: str, name: str, within: float) -> None:
    end = time.monotonic() + within
    while not await phase(http, namespace, name):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def test_one_leads_the_other_takes_over(http: HttpKube, namespace: str, start: Start) -> None:
    first = start("first")
    await until(lambda: first.leads and first.ready, 30, first)
    second = start("second")
    await until(lambda: second.ready, 30, second)
    assert not second.leads
    await make(http, namespace, "one")
    await seen(http, namespace, "one", within=5)

    first.end(signal.SIGKILL)
    took = await until(lambda: second.leads, 25, second)
    assert took < 18.5
    await make(http, namespace, "two")
    await seen(http, namespace, "two", within=10)

    third = start("third")
    await until(lambda: third.ready, 30, third)
    assert second.end(signal.SIGTERM) == 0
    assert '"message": "stopped"' in second.tail()
    took = await until(lambda: third.leads, 10, third)
    assert took < 4
    lease = await http.get(LEASE, namespace, "fairlead")
    assert lease["spec"]["holderIdentity"] == "third"


async def test_a_leader_that_loses_the_lease_ends(http: HttpKube, namespace: str, start: Start) -> None:
    replica = start("first")
    await until(lambda: replica.leads, 30, replica)
    for _ in range(20):
        found = await http.get(LEASE, namespace, "fairlead")
        found["spec"]["holderIdentity"] = "thief"
        try:
            await http.replace(LEASE, found)
            break
        except Conflict:
            continue  # it was renewed at that moment
    assert await asyncio.to_thread(replica.process.wait, 20) == 1
    assert "the lease is lost" in replica.tail()


async def test_a_pod_that_comes_back_leads_at_once(http: HttpKube, namespace: str, start: Start) -> None:
    replica = start("pod-1")
    await until(lambda: replica.leads, 30, replica)
    replica.end(signal.SIGKILL)
    begun = time.monotonic()
    replica = start("pod-1")
    await until(lambda: replica.leads and replica.ready, 14, replica)
    await make(http, namespace, "one")
    await seen(http, namespace, "one", within=5)
    assert time.monotonic() - begun < 14
