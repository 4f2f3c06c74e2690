"""Checks before anything is changed: each problem with its remedy, all of them at once.

`python3 hack/preflight.py` prints them and ends with status 1 when there is one. `up` calls it first.
"""

import os
import platform
import shutil
import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from hack.cluster import builds, checks, debian, machine, node, owners, registry
from hack.cluster.checks import Problem
from hack.cluster.components import COMPONENTS
from hack.cluster.recipes import BUILDER_PACKAGES, DEBIAN_PACKAGES, DEFAULT
from hack.cluster.settings import Paths, existing_kubeconfig, flavour, paths
from hack.cluster.shell import ClusterError


def problems(where: Paths) -> list[Problem]:
    """All problems of this machine, for the kind of cluster that is asked for."""
    existing = existing_kubeconfig()
    if existing:
        return existing_problems(where, existing)
    found = checks.check_system(platform.system(), platform.machine())
    if found:
        return found
    found += build_problems(where)
    return found + (
        checks.check_programs(["docker", "kind"], shutil.which) if flavour() == "kind" else node_problems(where)
    )


def existing_problems(where: Paths, kubeconfig: Path) -> list[Problem]:
    """What stands in the way of using a cluster that is there. Only where images are built, for FAIRLEAD_REGISTRY,
    it takes more than clients."""
    absent = [name for name in ("kubectl", "helm") if not shutil.which(name) and not (where.bin / name).exists()]
    found = checks.check_file(kubeconfig) + (checks.check_clients(absent, machine.go_version()) if absent else [])
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
    return f"the cluster of {existing}" if existing else "the local cluster"


def main() -> int:
    """Print all problems."""
    try:
        require(paths())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"this machine is ready for {purpose()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
