"""One command at a time changes a cluster."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.shell import ClusterError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock; the kernel frees it when this process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(
                f"another `hack/cluster` command is at work on {path.parent}; wait until it is done"
            ) from None
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock as soon as it is free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
