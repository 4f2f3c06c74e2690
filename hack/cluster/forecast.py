"""How long `up` will take: by what is still to be made, and how long that took here the last time."""

from hack.cluster import builds, debian, images, node
from hack.cluster.components import COMPONENTS
from hack.cluster.progress import Progress, clock
from hack.cluster.recipes import DEFAULT
from hack.cluster.settings import Paths

FETCH_S, ROOTFS_S, START_S, CHECK_S = 60.0, 70.0, 50.0, 5.0
"""Sources of programs, the base image; a node and its stack from what is built; a look at one that runs."""


def cold(where: Paths) -> bool:
    """Whether something must be made that takes minutes."""
    return bool(builds.missing(where, DEFAULT)) or not debian.rootfs(where).exists()


def seconds(where: Paths, progress: Progress) -> float:
    """Until the cluster of this machine is up."""
    total = 0.0
    todo = builds.missing(where, DEFAULT)
    for group in builds.together(todo):
        total += progress.expected(builds.title(group), builds.expected(group)) or 0.0
    total += FETCH_S if todo else 0.0
    total += 0.0 if debian.rootfs(where).exists() else ROOTFS_S
    running = not todo and all(node.living(where, component.name) for component in COMPONENTS)
    return total + (CHECK_S if running and all(images.digest(where, one) for one in images.IMAGES) else START_S)


def text(where: Paths, progress: Progress) -> str:
    """What to say of it before the long time begins; empty when it isn't long."""
    if not cold(where):
        return ""
    cores = builds.processes()
    return (
        f"the first time here: all programs are built from source, about {clock(seconds(where, progress))} on {cores} "
        f"idle core{'s' if cores > 1 else ''}, longer on busy ones; the next time about {clock(START_S)}"
    )
