"""The processes of the node: how each is started and how it says that it is ready."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import waiting
from hack.cluster.settings import (
    API_PORT,
    CONTAINERD_SOCKET,
    NODE,
    NODE_IP,
    POD_CIDR,
    SERVICE_CIDR,
    Paths,
)

ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
KUBELET_PORT, KUBELET_HEALTH_PORT = 10250, 10248
CONTROLLER_PORT, SCHEDULER_PORT, PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 10257, 10259, 10256, 10249
DNS_READY_PORT = 8181
LOCALHOST = "127.0.0.1"

PORTS: dict[tuple[str, int], str] = {
    (LOCALHOST, ETCD_PORT): "etcd",
    (LOCALHOST, ETCD_PEER_PORT): "etcd peers",
    ("", API_PORT): "kube-apiserver",
    ("", KUBELET_PORT): "kubelet",
    (LOCALHOST, KUBELET_HEALTH_PORT): "kubelet health",
    (LOCALHOST, CONTROLLER_PORT): "kube-controller-manager",
    (LOCALHOST, SCHEDULER_PORT): "kube-scheduler",
    ("", PROXY_HEALTH_PORT): "kube-proxy health",
    (LOCALHOST, PROXY_METRICS_PORT): "kube-proxy metrics",
    (LOCALHOST, DNS_READY_PORT): "CoreDNS readiness",
}


@dataclass(frozen=True)
class Component:
    """One process of the node. An urgent one goes before the pods, who are containerd's children."""

    name: str
    argv: Callable[[Paths], list[str]]
    ready: Callable[[], bool]
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    urgent: bool = True
    timeout: float = 60.0


def program(where: Paths, name: str) -> str:
    """A program of the cluster, by the name it was built under."""
    return str(where.bin / name)


def _etcd(where: Paths) -> list[str]:
    client, peer = f"http://{LOCALHOST}:{ETCD_PORT}", f"http://{LOCALHOST}:{ETCD_PEER_PORT}"
    return [
        program(where, "localkube"),
        "etcd",
        f"--data-dir={where.run}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--quota-backend-bytes=8589934592",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
    ]


def _apiserver(where: Paths) -> list[str]:
    pki = where.pki
    return [
        program(where, "localkube"),
        "kube-apiserver",
        f"--etcd-servers=http://{LOCALHOST}:{ETCD_PORT}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
    ]


def _controller_manager(where: Paths) -> list[str]:
    conf = f"{where.pki}/controller-manager.conf"
    return [
        program(where, "localkube"),
        "kube-controller-manager",
        f"--kubeconfig={conf}",
        f"--authentication-kubeconfig={conf}",
        f"--authorization-kubeconfig={conf}",
        f"--service-account-private-key-file={where.pki}/sa.key",
        f"--root-ca-file={where.pki}/ca.crt",
        "--use-service-account-credentials",
        f"--cluster-cidr={POD_CIDR}",
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
        f"--bind-address={LOCALHOST}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _scheduler(where: Paths) -> list[str]:
    conf = f"{where.pki}/scheduler.conf"
    return [
        program(where, "localkube"),
        "kube-scheduler",
        f"--kubeconfig={conf}",
        f"--authentication-kubeconfig={conf}",
        f"--authorization-kubeconfig={conf}",
        "--leader-elect=false",
        f"--bind-address={LOCALHOST}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _containerd(where: Paths) -> list[str]:
    return ["containerd", "--config", f"{where.run}/containerd.toml", "--log-level", "warn"]


def _kubelet(where: Paths) -> list[str]:
    return [
        program(where, "localkube"),
        "kubelet",
        f"--config={where.run}/kubelet.json",
        f"--kubeconfig={where.pki}/node.conf",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}",
        f"--root-dir={where.run}/kubelet",
    ]


def _proxy(where: Paths) -> list[str]:
    return [program(where, "localkube"), "kube-proxy", f"--config={where.run}/proxy.json"]


def _coredns(where: Paths) -> list[str]:
    return [program(where, "coredns"), "-conf", f"{where.run}/Corefile"]


def _tls_port(port: int) -> Callable[[], bool]:
    return lambda: waiting.port_open(LOCALHOST, port)


def _http(port: int, path: str) -> Callable[[], bool]:
    return lambda: waiting.http_ok(f"http://{LOCALHOST}:{port}{path}")


COMPONENTS = [
    Component("etcd", _etcd, _http(ETCD_PORT, "/health")),
    Component("kube-apiserver", _apiserver, _tls_port(API_PORT), needs=("etcd",)),
    Component(
        "containerd", _containerd, lambda: _socket_open(CONTAINERD_SOCKET), files=("containerd.toml",), urgent=False
    ),
    Component("kube-controller-manager", _controller_manager, _tls_port(CONTROLLER_PORT), needs=("kube-apiserver",)),
    Component("kube-scheduler", _scheduler, _tls_port(SCHEDULER_PORT), needs=("kube-apiserver",)),
    Component(
        "kubelet",
        _kubelet,
        _http(KUBELET_HEALTH_PORT, "/healthz"),
        needs=("kube-apiserver", "containerd"),
        files=("kubelet.json",),
    ),
    Component(
        "kube-proxy", _proxy, _http(PROXY_METRICS_PORT, "/healthz"), needs=("kube-apiserver",), files=("proxy.json",)
    ),
    Component("coredns", _coredns, _http(DNS_READY_PORT, "/ready"), needs=("kube-apiserver",), files=("Corefile",)),
]
BY_NAME = {component.name: component for component in COMPONENTS}


def _socket_open(path: Path) -> bool:
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(os.fspath(path))
        except OSError:
            return False
    return True
