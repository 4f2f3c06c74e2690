"""Mounts below the folders of a cluster."""

import os
from collections.abc import Iterable
from pathlib import Path

from hack.cluster.shell import run


def parse(mountinfo: str) -> list[Path]:
    """The mount points of a /proc/self/mountinfo text, in its order."""
    points = (line.split()[4] for line in mountinfo.splitlines() if len(line.split()) > 4)
    return [Path(point.encode().decode("unicode_escape")) for point in points]


def below(folders: Iterable[Path]) -> list[Path]:
    """Mount points in or at the folders, innermost first."""
    roots = [os.fspath(folder) for folder in folders]
    points = parse(Path("/proc/self/mountinfo").read_text())
    inside = [p for p in points if any(os.fspath(p) == root or os.fspath(p).startswith(root + "/") for root in roots)]
    return sorted(inside, key=lambda point: len(point.parts), reverse=True)


def unmount_below(folders: Iterable[Path]) -> None:
    """Unmount all of them; what is busy is detached."""
    for point in below(folders):
        if run(["umount", point], check=False).returncode:
            run(["umount", "--lazy", point], check=False)
