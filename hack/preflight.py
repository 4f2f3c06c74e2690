"""Checks before anything is changed: each problem with its remedy, all of them at once.

`python3 hack/preflight.py [demo]` prints them and ends with status 1 when there is one. `up` calls it first.
"""

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from hack.cluster import builds, checks, choice, debian, forecast, kind, machine, node, owners, registry
from hack.cluster.checks import Problem
from hack.cluster.choice import Choice
from hack.cluster.components import COMPONENTS
from hack.cluster.progress import Progress
from hack.cluster.recipes import BUILDER_PACKAGES, DEBIAN_PACKAGES, DEFAULT
from hack.cluster.settings import Paths, existing_kubeconfig, flavour, paths, recorded
from hack.cluster.shell import ClusterError


def problems(where: Paths) -> list[Problem]:
    """All problems of this machine, for the kind of cluster that is asked for."""
    existing = existing_kubeconfig()
    if existing:
        return existing_problems(where, existing)
    found = checks.check_recorded(recorded(where), flavour())
    if flavour() == "kind":
        return found + kind_problems(where)
    found += checks.check_system(platform.system(), platform.machine())
    return found or build_problems(where) + node_problems(where)


def kind_problems(where: Paths) -> list[Problem]:
    """What stands in the way of a cluster of kind's: neither root nor Go is needed when the clients are there."""
    folder = machine.existing_parent(where.cache)
    found = checks.check_docker(kind.usable()) + client_problems(where)
    return found + checks.check_room(shutil.disk_usage(folder).free / 2**30, checks.IMAGES_DISK_GIB, folder)


def client_problems(where: Paths) -> list[Problem]:
    """kubectl and helm: the user's own, or what it takes to build them."""
    absent = [name for name in ("kubectl", "helm") if not shutil.which(name) and not (where.bin / name).exists()]
    return checks.check_clients(absent, machine.go_version()) if absent else []


def existing_problems(where: Paths, kubeconfig: Path) -> list[Problem]:
    """What stands in the way of using a cluster that is there. Only where images are built, for FAIRLEAD_REGISTRY,
    it takes more than clients."""
    found = checks.check_file(kubeconfig) + client_problems(where)
    if not registry.named():
        return found
    folder = machine.existing_parent(where.cache)
    found += checks.check_system(platform.system(), platform.machine()) + checks.check_builder(os.geteuid())
    found += checks.check_room(shutil.disk_usage(folder).free / 2**30, checks.IMAGES_DISK_GIB, folder)
    packages = debian.absent_packages(BUILDER_PACKAGES) if shutil.which("dpkg-query") else BUILDER_PACKAGES
    return found + checks.check_packages(packages, shutil.which("apt-get") is not None)


def build_problems(where: Paths) -> list[Problem]:
    """What stands in the way of building programs and images."""
    warm = not builds.missing(where, DEFAULT) and debian.rootfs(where).exists()
    folder = machine.existing_parent(where.cache)
    found = checks.check_root(os.geteuid())
    found += checks.check_disk(shutil.disk_usage(folder).free / 2**30, warm, folder)
    found += checks.check_memory(machine.memory_gib())
    found += [] if warm else checks.check_go(machine.go_version())
    absent = debian.absent_packages() if shutil.which("dpkg-query") else DEBIAN_PACKAGES
    return found + checks.check_packages(absent, shutil.which("apt-get") is not None)


def node_problems(where: Paths) -> list[Problem]:
    """What stands in the way of running a node here."""
    others = checks.check_other(owners.others(where.state))
    found = others or checks.check_ports(machine.port_free, [c.name for c in COMPONENTS if node.living(where, c.name)])
    found += checks.check_addresses(machine.interface_addresses())
    found += checks.check_dns(machine.dns_port_taken())
    found += checks.check_routes(machine.ip_routes())
    return found + checks.check_kernel(Path("/proc/filesystems").read_text())


def require(where: Paths) -> None:
    """Raise with all problems, when there are any."""
    found = problems(where)
    if found:
        lines = "\n".join(map(str, found))
        raise ClusterError(f"this machine is not ready for {purpose()}; nothing was changed:\n{lines}")


def purpose() -> str:
    """What the machine is to be ready for."""
    existing = existing_kubeconfig()
    if existing:
        return f"the cluster of {existing}"
    return "a cluster of kind's" if flavour() == "kind" else "the local cluster"


def choose(where: Paths) -> Choice:
    """Which cluster the demo uses; all that is started from here will use it too."""
    named = os.environ.get("CLUSTER", "")
    chosen = choice.choose(
        own=existing_kubeconfig(),
        named=named,
        recorded=recorded(where),
        kind=named != "local" and kind.usable(),
        local_s=forecast.seconds(where, Progress(where.cache / "durations.json")),
    )
    if chosen.kind != "own":
        os.environ["CLUSTER"] = chosen.kind
    return chosen


def main(words: Sequence[str] = ()) -> int:
    """Print all problems: of the cluster that is asked for, or (`demo`) that the demo would use."""
    try:
        if "demo" in words:
            choose(paths())
        require(paths())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"this machine is ready for {purpose()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
