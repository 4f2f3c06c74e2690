"""Where the operator really goes, beside what its NetworkPolicy lets it: the local network enforces none."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from hack.install.chart import NAMESPACE
from hack.testbed.cluster import Cluster, Json
from hack.testbed.firewall import process_of

OWN_PORT = 8080
LISTENING = "0A"
PODS = ipaddress.ip_network("10.244.0.0/16")


def connections(pod: Json) -> Iterator[tuple[str, int]]:
    """(address, port) of all TCP connections that a pod has made and that its kernel still knows."""
    for line in Path(f"/proc/{process_of(pod['metadata']['uid'])}/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state == LISTENING or int(local.partition(":")[2], 16) == OWN_PORT:
            continue
        address, port = remote.split(":")
        yield socket.inet_ntoa(struct.pack("<I", int(address, 16))), int(port, 16)


def goes_out(address: str, port: int, policy: Json, own: set[str]) -> bool:
    return any(
        address in own if "to" in rule else any(port == one["port"] for one in rule["ports"])
        for rule in policy["spec"]["egress"]
    )


def test_the_operator_goes_only_where_its_policy_lets_it(cluster: Cluster) -> None:
    policy = cluster.get("networkpolicy", "fairlead", NAMESPACE)
    assert policy is not None
    pods = cluster.resource("pod").get().to_dict()["items"]
    addresses = {pod["status"].get("podIP"): pod["metadata"].get("labels", {}) for pod in pods}
    own = {ip for ip, labels in addresses.items() if labels.get("app.kubernetes.io/managed-by") == "fairlead"}
    operators = [pod for pod in pods if pod["metadata"]["namespace"] == NAMESPACE]
    found = {one for pod in operators for one in connections(pod)}
    assert {port for _, port in found} & {443}, "the operator talks to the API server"
    # connections to pods that are gone by now are remembered for a minute
    known = {one for one in found if one[0] in addresses or ipaddress.ip_address(one[0]) not in PODS}
    assert [one for one in sorted(known) if not goes_out(*one, policy, own)] == []
