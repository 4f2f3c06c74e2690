"""Programs of the local cluster that tests and benchmarks start as processes of this machine, and ports for them."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import closing

from hack.cluster.images import program_path
from hack.cluster.settings import paths


def program(name: str) -> str:
    """The path of a program: the one that `FAIRLEAD_<NAME>` names, the cluster's, or this machine's. Raises
    FileNotFoundError."""
    variable, known = f"FAIRLEAD_{name.upper()}", program_path(paths(), name)
    found = os.environ.get(variable) or (str(known) if known.exists() else shutil.which(name))
    if not found:
        raise FileNotFoundError(f"{name} is not there: run `python3 hack/cluster up`, or name it in {variable}")
    return found


_given: set[int] = set()
"""Ports that were told: who got one may not listen yet, and the kernel would give it once more."""


def free_port() -> int:
    """A port on loopback that nothing listens on, another one each time."""
    while True:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port
