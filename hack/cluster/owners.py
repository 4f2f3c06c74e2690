"""Other clusters on this machine: a living one is named and left alone, a dead one's leftovers are cleared away."""

from collections.abc import Iterable
from pathlib import Path

from hack.cluster import node, proc
from hack.cluster.shell import ClusterError


def owners(found: Iterable[proc.Marked]) -> tuple[set[Path], set[Path]]:
    """State folders of clusters that live (a process of the node runs) and of those of which only shims are left."""
    everyone = list(found)
    alive = {mark.state for mark in everyone if not mark.shim}
    return alive, {mark.state for mark in everyone} - alive


def others(state: Path) -> list[Path]:
    """State folders of living clusters that are not this one."""
    alive, _ = owners(proc.marked())
    return sorted(alive - {state})


def refuse_other(state: Path) -> None:
    """Raise when another cluster lives here."""
    for other in others(state):
        raise ClusterError(
            f"another local cluster runs on this machine; its state lies in {other}\n"
            f"  use it (KUBECONFIG={other}/cluster/kubeconfig), or stop it first:\n"
            f"  FAIRLEAD_STATE={other} python3 hack/cluster down"
        )


def clear_dead(state: Path) -> list[Path]:
    """Sweep away what other, dead clusters left; the state folders of those that had something."""
    alive, dead = owners(proc.marked())
    noted = {Path(node.OWNER.read_text())} if node.OWNER.exists() else set()
    gone = sorted((dead | noted) - alive - {state})
    for other in gone:
        node.sweep(other)
    return gone
