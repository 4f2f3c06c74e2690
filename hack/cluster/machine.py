"""Facts about this machine that preflight's checks judge."""

import errno
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

UNUSED_LOOPBACK = "127.10.96.10"


def parse_go(text: str) -> tuple[int, int] | None:
    """The version that `go version` prints."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def port_free(host: str, port: int) -> bool:
    """Whether we could listen there."""
    with socket.socket(socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def dns_port_taken() -> bool:
    """Whether port 53 is in use on all addresses, seen from a loopback address that nobody uses."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((UNUSED_LOOPBACK, 53))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False


def ip_routes() -> str:
    """The routing table."""
    if not shutil.which("ip"):
        return ""
    return subprocess.run(["ip", "-4", "route"], text=True, capture_output=True).stdout


def interface_addresses() -> dict[str, str]:
    """IPv4 addresses of this machine and the interfaces that have them."""
    if not shutil.which("ip"):
        return {}
    out = subprocess.run(["ip", "-4", "-o", "addr"], text=True, capture_output=True).stdout
    rows = (line.split() for line in out.splitlines())
    return {row[3].partition("/")[0]: row[1] for row in rows if len(row) > 3}


def go_version() -> tuple[int, int] | None:
    """The version of the Go toolchain on the PATH."""
    if not shutil.which("go"):
        return None
    return parse_go(subprocess.run(["go", "version"], text=True, capture_output=True).stdout)


def existing_parent(path: Path) -> Path:
    """The nearest folder that exists."""
    while not path.exists():
        path = path.parent
    return path


def memory_gib() -> float:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
