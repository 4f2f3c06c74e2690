"""What a running component was started from, to see whether it must be started anew after a change."""

import hashlib
import json
from pathlib import Path

from hack.cluster.components import Component
from hack.cluster.settings import Paths


def current(where: Paths, component: Component) -> str:
    """A hash of the command line, the program behind it, and the configuration files."""
    argv = component.argv(where)
    parts = [json.dumps([argv, component.urgent]), str(Path(argv[0]).resolve())]
    parts += [path.read_text() for path in (where.run / name for name in component.files) if path.exists()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def file(where: Paths, component: Component) -> Path:
    """Where the fingerprint of the running process lies."""
    return where.run / "pids" / f"{component.name}.from"


def record(where: Paths, component: Component) -> None:
    """Note what the process is started from."""
    file(where, component).write_text(current(where, component))


def stale(where: Paths, component: Component) -> bool:
    """Whether the running process was started from something else."""
    try:
        return file(where, component).read_text() != current(where, component)
    except OSError:
        return True
