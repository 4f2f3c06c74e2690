"""What a pod whose answers are recorded consists of, as processes of this machine: a model server, a real Envoy with
the bootstrap that pods get, and the recorder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.api.tasks import TASK_ENV, GoldenTask, Place, ProfileAt, RecordTask
from fairlead.manifests.proxy import CURRENT, PARTS, Proxy, arguments
from hack.testbed.programs import free_port, program

READY = 60.0


@dataclass
class Pod:
    """What a pod whose answers are recorded consists of."""

    folder: Path
    server: Callable[[int], list[str]]
    """The model server's command, by its port."""
    sample: int = PARTS
    inputs: bool = False
    store: Place | None = None
    every: float = 60.0
    path: str | None = None
    profile: ProfileAt | None = None
    steered: bool = False
    golden: ProfileAt | None = None
    """Rows that the server is asked for before it counts as started."""
    server_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    stats_port: int = field(default_factory=free_port)
    answers_port: int = field(default_factory=free_port)
    golden_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def answers_url(self) -> str:
        """Where the recorder is asked."""
        return f"http://127.0.0.1:{self.answers_port}"

    @property
    def stats_url(self) -> str:
        """Where the proxy's statistics are."""
        return f"http://127.0.0.1:{self.stats_port}"

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self.port}"

    def start_server(self) -> None:
        """The model server, until it answers."""
        self.start("server", self.server(self.server_port))
        wait_for(f"http://127.0.0.1:{self.server_port}/v2/health/ready")

    def start_proxy(self) -> None:
        """Envoy, until it answers."""
        follows = self.steered or self.profile is not None
        proxy = Proxy(
            listen=self.port, stats=self.stats_port, server=self.server_port, recorder=str(self.folder / "socket"),
            sample=0 if self.steered else self.sample, inputs=self.inputs, quiet=("/v2/health/ready",),
            admin=str(self.folder / "admin"), steered=str(self.folder / CURRENT) if follows else "",
            counted=self.profile is not None,
        )  # fmt: skip
        self.start("proxy", [program("envoy"), *arguments(proxy)])
        wait_for(f"{self.url}/v2/health/ready")

    def start_recorder(self) -> None:
        """The recorder, until it answers: `fairlead worker record`, as in a pod."""
        task = RecordTask(
            deployment="delay", version="delay-1", store=self.store,
            probability=1.0 if self.steered else self.sample / PARTS, every=self.every, inputs=self.inputs,
            path=self.path, socket=str(self.folder / "socket"), port=self.answers_port,
            spool=str(self.folder / "spool"), profile=self.profile, sparing=True if self.steered else None,
            steer=str(self.folder) if self.steered or self.profile else None,
            golden=GoldenTask(
                at=self.golden, tolerance=0.001, proven=True, port=self.golden_port, server=self.server_port,
                ready="/v2/health/ready", infer="/v2/models/delay/infer",
            ) if self.golden else None,
        )  # fmt: skip
        told = {TASK_ENV: task.model_dump_json(exclude_none=True), "POD_UID": "0f-uid"}
        command = [sys.executable, "-c", "import sys; from fairlead.cli.main import main; sys.exit(main())"]
        self.start("recorder", [*command, "worker", "record"], told)
        self.wait_for_recorder()

    def wait_for_recorder(self) -> None:
        """Until it answers."""
        wait_for(f"{self.answers_url}/healthz")

    def start(self, name: str, command: list[str], told: dict[str, str] | None = None) -> None:
        """Start a process; its output goes to a file of the folder."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, env=os.environ | (told or {}), stdout=log, stderr=log)

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """End one of them, and with SIGKILL its children; its exit status."""
        one = self.running.pop(name)
        if number == signal.SIGKILL:
            for child in children(one.pid):
                os.kill(child, number)
        one.send_signal(number)
        return one.wait(timeout=30)

    def recorder(self) -> int:
        """The process id of the recorder itself, below the one that watches over it."""
        return children(self.running["recorder"].pid)[0]

    def answers(self, after: int = 0) -> dict[str, Any]:
        """What the recorder has."""
        return dict(json.loads(get(f"{self.answers_url}/answers?after={after}&limit=20000")))

    def recorded(self, count: int, after: int = 0) -> list[list[Any]]:
        """The answers once there are `count` of them; fails when there are not after some seconds."""
        deadline = time.monotonic() + READY
        while len(found := self.answers(after)["answers"]) < count:
            assert time.monotonic() < deadline, f"{len(found)} answers of {count}: {found[-3:]}"
            time.sleep(0.05)
        return list(found)

    def counts(self) -> dict[str, Any]:
        """What requests were like so far."""
        return dict(json.loads(get(f"{self.answers_url}/counts")))

    def counted(self, name: str) -> float:
        """A counter or gauge of the recorder, by its whole name."""
        page = get(f"{self.answers_url}/metrics").decode().splitlines()
        return float(next(line for line in page if line.startswith(f"{name} ")).rsplit(" ", 1)[1])


def children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def get(url: str) -> bytes:
    """The body of a page."""
    with urllib.request.urlopen(url, timeout=READY) as reply:
        return bytes(reply.read())


def wait_for(url: str) -> None:
    """Until it answers 200."""
    deadline = time.monotonic() + READY
    while True:
        try:
            get(url)
            return
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)


@contextmanager
def running(pod: Pod) -> Iterator[Pod]:
    """All three; ended afterwards."""
    pod.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as ending:
        ending.callback(lambda: [pod.end(name, signal.SIGKILL) for name in list(pod.running)])
        pod.start_server()
        pod.start_recorder()
        pod.start_proxy()
        yield pod
