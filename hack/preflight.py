"""Checks before anything is changed: each problem with its remedy, all of them at once.

`python3 hack/preflight.py` prints them and ends with status 1 when there is one. `up` calls it first.
"""

import errno
import ipaddress
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from hack.cluster import builds, debian, node, owners
from hack.cluster.components import COMPONENTS, PORTS
from hack.cluster.recipes import DEBIAN_PACKAGES, DEFAULT, GO_MINIMUM
from hack.cluster.settings import BRIDGE, DNS_IP, NODE_IP, POD_BRIDGE, POD_CIDR, SERVICE_CIDR, Paths, paths
from hack.cluster.shell import ClusterError

MACHINES = ("x86_64", "aarch64", "arm64")
COLD_DISK_GIB, WARM_DISK_GIB = 20, 8
MEMORY_GIB = 6
PYTHON_MINIMUM = (3, 11)
FILESYSTEMS = ("overlay",)
UNUSED_LOOPBACK = "127.10.96.10"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"- {self.what}\n    → {self.remedy}"


def check_system(system: str, machine: str) -> list[Problem]:
    """Linux on a processor that the builds are for."""
    if system != "Linux":
        return [Problem(f"this is {system}, not Linux", "use a Linux machine, or CLUSTER=kind where Docker runs")]
    if machine not in MACHINES:
        return [Problem(f"the processor is {machine}", f"use a machine with one of {', '.join(MACHINES)}")]
    return []


def check_python(version: tuple[int, int]) -> list[Problem]:
    """A Python that this code runs on."""
    if version >= PYTHON_MINIMUM:
        return []
    return [Problem(f"Python {version[0]}.{version[1]} is too old", "use Python 3.11 or later")]


def check_root(uid: int) -> list[Problem]:
    """Root: network, cgroups and mounts need it."""
    if uid == 0:
        return []
    return [Problem("not root", "run it with sudo (it makes bridges, cgroups and mounts), or use CLUSTER=kind")]


def check_disk(free_gib: float, warm: bool, folder: Path) -> list[Problem]:
    """Room for builds and images, or for the run state alone when all is built."""
    needed = WARM_DISK_GIB if warm else COLD_DISK_GIB
    if free_gib >= needed:
        return []
    what = f"{free_gib:.1f} GiB are free in {folder}; {needed} GiB are needed"
    return [Problem(what, "free some, or name another folder: FAIRLEAD_STATE=…, FAIRLEAD_CACHE=…")]


def check_memory(total_gib: float) -> list[Problem]:
    """Memory for the control plane, the stack and a demo."""
    if total_gib >= MEMORY_GIB:
        return []
    return [Problem(f"the machine has {total_gib:.1f} GiB of memory", f"use one with at least {MEMORY_GIB} GiB")]


def parse_go(text: str) -> tuple[int, int] | None:
    """The version that `go version` prints."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def check_go(version: tuple[int, int] | None, needed: bool) -> list[Problem]:
    """A Go toolchain, while something is still to be built."""
    if not needed or (version and version >= GO_MINIMUM):
        return []
    minimum = ".".join(map(str, GO_MINIMUM))
    what = f"Go {version[0]}.{version[1]} is too old" if version else "there is no Go toolchain on the PATH"
    return [Problem(what, f"install Go {minimum} or later (the cluster is built from source), or use CLUSTER=kind")]


def check_packages(absent: Iterable[str], has_apt: bool) -> list[Problem]:
    """The Debian packages, or the means to install them."""
    names = list(absent)
    if has_apt or not names:
        return []
    what = f"there is no apt-get, and these packages are absent: {', '.join(names)}"
    return [Problem(what, "use Debian or Ubuntu, or install these programs by other means, or use CLUSTER=kind")]


def check_ports(free: Callable[[str, int], bool], owned: Iterable[str]) -> list[Problem]:
    """Ports that our processes listen on: free, or held by the process of ours that is meant to have it."""
    ours = set(owned)
    problems = []
    for (host, port), name in PORTS.items():
        if name.split()[0].lower() not in ours and not free(host, port):
            remedy = f"stop what listens there (`ss -ltnp 'sport = :{port}'` names it)"
            problems.append(Problem(f"port {port} ({name}) is in use", remedy))
    return problems


def check_other(states: Iterable[Path]) -> list[Problem]:
    """No cluster of another clone runs: it has the same ports and addresses."""
    return [
        Problem(
            f"another local cluster runs on this machine; its state lies in {state}",
            f"use it (KUBECONFIG={state}/cluster/kubeconfig), or stop it: "
            f"FAIRLEAD_STATE={state} python3 hack/cluster down",
        )
        for state in states
    ]


def check_addresses(present: dict[str, str]) -> list[Problem]:
    """Addresses that will be ours: nobody else's interface may have them."""
    return [
        Problem(
            f"{address} is already on {present[address]}", f"remove it: ip addr del {address} dev {present[address]}"
        )
        for address in (NODE_IP, DNS_IP)
        if present.get(address, BRIDGE) not in (BRIDGE, POD_BRIDGE)
    ]


def check_kernel(filesystems: str) -> list[Problem]:
    """File systems that containers need."""
    known = set(filesystems.split())
    return [
        Problem(f"the kernel does not offer the {name} file system", f"load it: modprobe {name}")
        for name in FILESYSTEMS
        if name not in known
    ]


def check_dns(wildcard_taken: bool) -> list[Problem]:
    """Port 53 of the cluster's DNS address can't be had while something listens on that port of all addresses."""
    if not wildcard_taken:
        return []
    what = "something listens on port 53 of all addresses"
    return [Problem(what, "let it listen on its own address only (dnsmasq: bind-interfaces), or stop it")]


def check_routes(routes: str) -> list[Problem]:
    """The cluster's networks may not overlap with those of this machine. `routes` is the output of `ip -4 route`."""
    found = []
    for line in routes.splitlines():
        words = line.split()
        device = words[words.index("dev") + 1] if "dev" in words else ""
        if not words or words[0] == "default" or device in (BRIDGE, POD_BRIDGE):
            continue
        try:
            route = ipaddress.ip_network(words[0])
        except ValueError:
            continue
        for ours in (SERVICE_CIDR, POD_CIDR):
            if route.prefixlen > 1 and route.overlaps(ipaddress.ip_network(ours)):
                remedy = f"remove it: ip route del {words[0]} dev {device} (another cluster's network?)"
                found.append(Problem(f"the route to {words[0]} overlaps with the cluster's {ours}", remedy))
    return found


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


def problems(where: Paths) -> list[Problem]:
    """All problems of this machine."""
    found = check_system(platform.system(), platform.machine())
    found += check_python(sys.version_info[:2])
    if found:
        return found
    warm = not builds.missing(where, DEFAULT) and debian.rootfs(where).exists()
    folder = existing_parent(where.cache)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found += check_root(os.geteuid())
    found += check_disk(shutil.disk_usage(folder).free / 2**30, warm, folder)
    found += check_memory(memory)
    found += check_go(go_version(), needed=not warm)
    absent = debian.absent_packages() if shutil.which("dpkg-query") else DEBIAN_PACKAGES
    found += check_packages(absent, shutil.which("apt-get") is not None)
    others = check_other(owners.others(where.state))
    found += others or check_ports(port_free, [c.name for c in COMPONENTS if node.living(where, c.name)])
    found += check_addresses(interface_addresses())
    found += check_dns(dns_port_taken())
    found += check_routes(ip_routes())
    return found + check_kernel(Path("/proc/filesystems").read_text())


def require(where: Paths) -> None:
    """Raise with all problems, when there are any."""
    found = problems(where)
    if found:
        lines = "\n".join(map(str, found))
        raise ClusterError(f"this machine is not ready for the local cluster; nothing was changed:\n{lines}")


def main() -> int:
    """Print all problems."""
    try:
        require(paths())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("this machine is ready for the local cluster")
    return 0


if __name__ == "__main__":
    sys.exit(main())
