"""Preflight's checks: pure, each from facts about the machine to problems with their remedies."""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.components import PORTS
from hack.cluster.recipes import GO_MINIMUM
from hack.cluster.settings import BRIDGE, DNS_IP, NODE_IP, POD_BRIDGE, POD_CIDR, SERVICE_CIDR

MACHINES = ("x86_64", "aarch64", "arm64")
COLD_DISK_GIB, WARM_DISK_GIB, IMAGES_DISK_GIB = 20, 8, 5
MEMORY_GIB = 6
FILESYSTEMS = ("overlay",)


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


def check_file(kubeconfig: Path) -> list[Problem]:
    """The kubeconfig that FAIRLEAD_KUBECONFIG names."""
    if kubeconfig.is_file():
        return []
    return [Problem(f"FAIRLEAD_KUBECONFIG names {kubeconfig}, which is no file", "name the kubeconfig of your cluster")]


def check_docker(usable: bool) -> list[Problem]:
    """Docker and kind, for a cluster of kind's."""
    if usable:
        return []
    remedy = "install both and start Docker (`docker info` must work), or use the default cluster: CLUSTER=local"
    return [Problem("kind is not on the PATH, or there is no Docker that answers", remedy)]


def check_recorded(recorded: str, wanted: str) -> list[Problem]:
    """The cluster of a state folder stays of the kind that it is."""
    if recorded in ("", wanted):
        return []
    what = f"the cluster here is of the kind {recorded}, and CLUSTER={wanted} asks for another"
    return [
        Problem(what, f"remove it first: CLUSTER={recorded} python3 hack/cluster down; or name another FAIRLEAD_STATE")
    ]


def check_clients(absent: Iterable[str], version: tuple[int, int] | None) -> list[Problem]:
    """kubectl and helm for a cluster of the user's own: absent ones are built, which takes a Go toolchain."""
    minimum = ".".join(map(str, GO_MINIMUM))
    if version and version >= GO_MINIMUM:
        return []
    return [
        Problem(f"the program {name} is not on the PATH", f"install {name}, or Go {minimum} or later to build it")
        for name in absent
    ]


def check_builder(uid: int) -> list[Problem]:
    """Root, where images are built to be pushed."""
    if uid == 0:
        return []
    remedy = "run it with sudo -E, or unset FAIRLEAD_REGISTRY and name images that are there: FAIRLEAD_IMAGES=…"
    return [Problem("not root, and FAIRLEAD_REGISTRY asks to build images (buildah works as root here)", remedy)]


def check_root(uid: int) -> list[Problem]:
    """Root: network, cgroups and mounts need it."""
    if uid == 0:
        return []
    return [Problem("not root", "run it with sudo (it makes bridges, cgroups and mounts), or use CLUSTER=kind")]


def check_disk(free_gib: float, warm: bool, folder: Path) -> list[Problem]:
    """Room for builds and images, or for the run state alone when all is built."""
    return check_room(free_gib, WARM_DISK_GIB if warm else COLD_DISK_GIB, folder)


def check_room(free_gib: float, needed: float, folder: Path) -> list[Problem]:
    """Room in a folder."""
    if free_gib >= needed:
        return []
    what = f"{free_gib:.1f} GiB are free in {folder}; {needed} GiB are needed"
    return [Problem(what, "free some, or name another folder: FAIRLEAD_STATE=…, FAIRLEAD_CACHE=…")]


def check_memory(total_gib: float) -> list[Problem]:
    """Memory for the control plane, the stack and a demo."""
    if total_gib >= MEMORY_GIB:
        return []
    return [Problem(f"the machine has {total_gib:.1f} GiB of memory", f"use one with at least {MEMORY_GIB} GiB")]


def check_go(version: tuple[int, int] | None) -> list[Problem]:
    """A Go toolchain, while something is still to be built."""
    if version and version >= GO_MINIMUM:
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
