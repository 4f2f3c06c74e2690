"""The host's side of the cluster network: a bridge that holds the node's addresses, forwarding, and cleaning up."""

import re
import shutil
from pathlib import Path

from hack.cluster.settings import BRIDGE, DNS_IP, NODE_IP, POD_BRIDGE, SERVICE_CIDR
from hack.cluster.shell import ClusterError, run

SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
TABLES = ("filter", "nat", "mangle")
OURS = re.compile(rf"\b(?:KUBE-[A-Z0-9-]+|CNI-[A-Za-z0-9-]+)\b|\b{POD_BRIDGE}\b")


def ensure() -> None:
    """Make the bridge with the node's and the DNS address, and switch forwarding on. Does nothing when all is there."""
    if not Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    have = run(["ip", "-4", "-o", "addr", "show", "dev", BRIDGE]).stdout
    for address in (NODE_IP, DNS_IP):
        if f" {address}/" not in have:
            run(["ip", "addr", "add", f"{address}/32", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    # What kube-proxy does not translate (yet) must not leave the machine: somebody out there may answer.
    run(["ip", "route", "replace", SERVICE_CIDR, "dev", BRIDGE])
    if not Path("/proc/sys/net/bridge").exists():
        run(["modprobe", "br_netfilter"], check=False)
    for name, value in SYSCTLS.items():
        _sysctl(name, value)


def _sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys", name)
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        raise ClusterError(f"the kernel setting {name.replace('/', '.')}={value} can't be made: {error}") from None


def remove() -> None:
    """Remove bridges, the pods' network namespaces and the iptables chains of kube-proxy and CNI."""
    for space in sorted(Path("/run/netns").glob("cni-*")) if Path("/run/netns").exists() else []:
        run(["ip", "netns", "delete", space.name], check=False)
    for bridge in (POD_BRIDGE, BRIDGE):
        if Path("/sys/class/net", bridge).exists():
            run(["ip", "link", "delete", bridge], check=False)
    for record in Path("/var/lib/cni/results").glob("fairlead-*"):
        record.unlink(missing_ok=True)
    for table in TABLES if shutil.which("iptables-save") else ():
        _clean_table(table)


def _clean_table(table: str) -> None:
    rules = run(["iptables-save", "-t", table], check=False).stdout
    kept = without_ours(rules)
    if kept != rules:
        run(["iptables-restore", "-T", table], stdin=kept)


def without_ours(rules: str) -> str:
    """An `iptables-save` text without the chains and rules that kube-proxy and the CNI plug-ins make."""
    return "".join(
        line
        for line in rules.splitlines(keepends=True)
        if line.startswith(("#", "*", "COMMIT")) or not OURS.search(line)
    )
