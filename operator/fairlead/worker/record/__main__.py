"""`python -m fairlead.worker.record`: keeps the recorder running.

Kubernetes takes a pod out of service while any of its sidecars is not running. Requests do not need the recorder, so
its end, whatever the reason, must not show: it is started again within the container.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairlead.worker.logs import configure
from fairlead.worker.record.gate import Gate
from fairlead.worker.record.names import TASK_ENV

CHECK, ANSWER, MISSES = 10.0, 5.0, 3
"""Seconds between two looks, seconds to answer one, and how many may fail in a row."""
MOST_MEMORY = 256 << 20
"""Resident bytes; all that the recorder holds is bounded, so more is an error of its own."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
log = logging.getLogger(__name__)


class Watch:
    """Runs a command until SIGTERM, and starts it again whenever it ends, hangs or grows."""

    def __init__(self, command: Sequence[str], port: int, check: float = CHECK, most: int = MOST_MEMORY) -> None:
        self._command, self._port, self._check, self._most = command, port, check, most
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def stop(self, *_: Any) -> None:
        """A signal's handler: let it end, and end then."""
        self._stopping.set()
        if self._child is not None:
            self._child.terminate()

    def run(self) -> int:
        """The exit status of the last one."""
        pause, code = FIRST_PAUSE, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._once()
            if self._stopping.is_set():
                break
            log.error("the recorder ended; answers are not kept until it is back", extra={"status": code})
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            self._stopping.wait(pause)
        return code

    def _once(self) -> int:
        with subprocess.Popen(self._command) as child:
            self._child = child
            if self._stopping.is_set():  # it came before the child
                child.terminate()
            misses = 0
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return child.wait(self._check)
                misses = 0 if self._well(child.pid) else misses + 1
                if misses >= MISSES:
                    log.error("the recorder hangs or has grown too large; it is ended")
                    child.kill()

    def _well(self, pid: int) -> bool:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") <= self._most and self._answers()

    def _answers(self) -> bool:
        """Asked over a bare socket: an HTTP client would double this process's memory."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), ANSWER) as asked:
                asked.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return b" 200 " in asked.recv(64)
        except OSError:
            return False


def _open(gate: Gate) -> None:
    """Without it the server does not start; without the rest of the recorder no server that runs goes on."""
    try:
        gate.start()
    except OSError as error:
        log.error("nobody can be told that the server has started", extra={"error": str(error)})


def main() -> int:
    """Run."""
    configure()
    told = json.loads(os.environ[TASK_ENV])
    watch = Watch([sys.executable, "-m", "fairlead.worker.record.process"], int(told["port"]))
    if told.get("golden"):
        _open(Gate(told["golden"], [sys.executable, "-m", "fairlead.worker.record.replay"]))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, watch.stop)
    return watch.run()


if __name__ == "__main__":
    sys.exit(main())
