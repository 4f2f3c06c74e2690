"""What a person asks about the cluster: status, logs, addresses."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hack.cluster import node, proc
from hack.cluster.kube import Kube
from hack.cluster.progress import clock
from hack.cluster.settings import Paths, existing_kubeconfig, flavour
from hack.cluster.shell import ClusterError

COMMANDS = Path(__file__).resolve().parent / "commands"
"""`kubectl-fairlead` and `fairlead`, and nothing else: in a PATH it hides no program of the user's."""
SERVICES = {
    "FAIRLEAD_S3_ENDPOINT": ("s3", "s3", 9000),
    "FAIRLEAD_PROMETHEUS_URL": ("monitoring", "prometheus", 9090),
    "FAIRLEAD_ALERTMANAGER_URL": ("monitoring", "alertmanager", 9093),
}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def kube(where: Paths) -> Kube:
    """The cluster in use, by our own kubectl, or the user's where that was not needed."""
    config = existing_kubeconfig() or where.kubeconfig
    if not config.exists():
        raise ClusterError(f"there is no cluster: {config} does not exist; `python3 hack/cluster up` makes one")
    own = where.bin / "kubectl"
    return Kube(own if own.exists() else Path(shutil.which("kubectl") or own), config)


def status(where: Paths) -> tuple[str, bool]:
    """A table of all processes, and whether all are ready."""
    if existing_kubeconfig() or flavour() == "kind":
        return kube(where).call("get", "nodes,pods", "-A"), True
    rows = [["COMPONENT", "PID", "UP SINCE", "READY"]]
    healths = node.health(where)
    for health in healths:
        pid, age = (str(health.identity.pid), clock(health.identity.age())) if health.identity else ("-", "-")
        rows.append([health.name, pid, age, "yes" if health.ready else "NO"])
    text = table(rows)
    ready = all(health.ready for health in healths)
    if ready:
        text += "\n\n" + kube(where).call("get", "pods", "-A").rstrip()
    others = sorted({str(mark.state) for mark in proc.marked() if mark.state != where.state and not mark.shim})
    if others:
        text += f"\n\nanother cluster runs on this machine: {', '.join(others)}"
    return text, ready


def logs(where: Paths, component: str, *, follow: bool, lines: int) -> None:
    """Show a component's log with `tail`."""
    path = node.log_file(where, component)
    if not path.exists():
        raise ClusterError(f"{component} has no log: {path} does not exist")
    subprocess.run(["tail", "-n", str(lines), *(["-F"] if follow else []), os.fspath(path)], check=False)


def exports(where: Paths) -> str:
    """Shell lines that make the cluster usable from a shell."""
    cluster = kube(where)
    values = {"KUBECONFIG": str(cluster.kubeconfig)}
    services = cluster.get("services", "-A") or {"items": []}
    addresses = {
        (s["metadata"]["namespace"], s["metadata"]["name"]): s["spec"].get("clusterIP") for s in services["items"]
    }
    for variable, (namespace, name, port) in SERVICES.items():
        if addresses.get((namespace, name)):
            values[variable] = f"http://{addresses[namespace, name]}:{port}"
    gateway = cluster.get("gateway", "public", "-n", "infra") or {}
    for address in gateway.get("status", {}).get("addresses", [])[:1]:
        values["FAIRLEAD_GATEWAY_URL"] = f"http://{address['value']}"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*lines, search_path(where)])


def search_path(where: Paths) -> str:
    """The export of PATH: the cluster's programs, and `kubectl fairlead` of this checkout."""
    return f'export PATH={shlex.quote(f"{where.bin}{os.pathsep}{COMMANDS}")}:"$PATH"'
