"""Bounded waiting for something that offers no event to wait on."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from hack.cluster.shell import ClusterError

POLL_S = 0.1


def until(
    check: Callable[[], bool], what: str, *, timeout: float, stop: Callable[[], str | None] | None = None
) -> None:
    """Ask `check` until it says yes; raise when the time is over or `stop` gives a reason why it never will."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not check():
        reason = stop() if stop else None
        if reason:
            raise ClusterError(reason)
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not so after {timeout:.0f} s")
        pause.wait(POLL_S)


def http_ok(url: str, timeout: float = 2.0) -> bool:
    """Whether a plain HTTP GET answers with a success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            return bool(200 <= response.status < 300)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def port_open(host: str, port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False
