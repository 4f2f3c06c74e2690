"""The control groups under which the kubelet puts all pods, in cgroup v1 and v2 alike."""

import os
import signal
from pathlib import Path

from hack.cluster import waiting
from hack.cluster.settings import CGROUP_ROOT

ROOT = Path("/sys/fs/cgroup")
CPU_SHARES = {"cpu.shares": "8192", "cpu.weight": "800"}
"""Eight times one process's share (v1, v2): all pods together must not get as little as one of many busy processes."""
V2_CONTROLLERS = ("cpu", "memory", "pids", "cpuset", "io", "hugetlb")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The mounted hierarchies: one for v2, one a controller for v1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return [child for child in sorted(root.iterdir()) if child.is_dir() and not child.is_symlink()]


def ensure() -> None:
    """Make our root group in every hierarchy (the kubelet wants it there)."""
    for hierarchy in hierarchies():
        group = hierarchy / CGROUP_ROOT
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            own = group / name
            if own.exists() and not own.read_text().strip() and not (hierarchy / "cgroup.controllers").exists():
                own.write_text((hierarchy / name).read_text())
        _delegate(hierarchy)
        for name, share in CPU_SHARES.items():
            if (group / name).exists():
                (group / name).write_text(share)


def _delegate(hierarchy: Path) -> None:
    available = hierarchy / "cgroup.controllers"
    if not available.exists():
        return
    wanted = [name for name in available.read_text().split() if name in V2_CONTROLLERS]
    for folder in (hierarchy, hierarchy / CGROUP_ROOT):
        for name in wanted:
            try:
                (folder / "cgroup.subtree_control").write_text(f"+{name}")
            except OSError:
                continue


def processes() -> set[int]:
    """All processes in our groups."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for listing in (hierarchy / CGROUP_ROOT).rglob("cgroup.procs"):
            try:
                found.update(int(word) for word in listing.read_text().split())
            except OSError:
                continue
    return found - {0, os.getpid()}


def remove() -> None:
    """Kill the processes in our groups and remove the groups."""

    def empty() -> bool:
        for pid in (left := processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left

    waiting.until(empty, "all containers ended", timeout=20)
    for hierarchy in hierarchies():
        group = hierarchy / CGROUP_ROOT
        if group.exists():
            for folder in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
                _rmdir(folder)
            _rmdir(group)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
