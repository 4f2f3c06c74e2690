"""Versions, addresses and folders: everything about the local cluster that is a choice."""

import os
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

KUBERNETES = "1.35.4"
GATEWAY_API = "1.7.0"
ENVOY_GATEWAY = "1.9.1"
ENVOY = "1.40.0"
TRAEFIK = "3.7.15"
HELM = "3.20.2"
COREDNS = "1.14.7"
VERSITYGW = "1.8.0"
PROMETHEUS = "0.311.3"
PROMETHEUS_OPERATOR = "0.91.0"
KWOK = "0.8.0"
ARGO_CD = "3.2.11"
ARGO_WORKFLOWS = "4.0.5"
FLUX_SSA = "0.76.2"
DEBIAN = "bookworm"

NODE = "local"
NODE_IP = "10.88.0.1"
API_PORT = 6443
API_SERVICE_IP = "10.96.0.1"
DNS_IP = "10.96.0.10"
TRAEFIK_IP = "10.96.0.80"
SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
BRIDGE = "fairlead0"
POD_BRIDGE = "fairlead-pods"

GPU_PRODUCT = "A100"
GPU_MEMORY_MIB = 40960
GPU_COUNT = 4

# Sockets have short paths; a machine carries one local cluster at a time.
RUNTIME_DIR = Path("/run/fairlead")
CONTAINERD_SOCKET = RUNTIME_DIR / "containerd.sock"
BUILD_DIR = Path("/run/fairlead-build")
"""buildah's run state: not in RUNTIME_DIR, because images may be built while a cluster is started or stopped."""
CGROUP_ROOT = "fairlead"

# Every process of a cluster carries these, so that it can be found even when its state folder is gone.
ENV_STATE = "FAIRLEAD_CLUSTER_STATE"
ENV_COMPONENT = "FAIRLEAD_CLUSTER_COMPONENT"


@dataclass(frozen=True)
class Paths:
    """Where the state, the caches and the run state of one cluster lie."""

    state: Path
    cache: Path

    @property
    def run(self) -> Path:
        """The state of the running cluster; `down` deletes it."""
        return self.state / "cluster"

    @property
    def logs(self) -> Path:
        """Logs of builds and of the cluster's processes."""
        return self.state / "log"

    @property
    def pki(self) -> Path:
        """Keys and certificates of the running cluster."""
        return self.run / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.run / "kubeconfig"

    @property
    def kind(self) -> Path:
        """A file that is there as long as the cluster is kind's."""
        return self.run / "kind"

    @property
    def bin(self) -> Path:
        """Links to the programs of this version of the recipes."""
        return self.state / "bin"

    @property
    def images(self) -> Path:
        """OCI archives."""
        return self.cache / "oci"


def paths(environ: dict[str, str] | None = None) -> Paths:
    """Read the folders from the environment: FAIRLEAD_STATE, FAIRLEAD_CACHE, else `.local/` of this checkout."""
    env = dict(os.environ) if environ is None else environ
    state = Path(env.get("FAIRLEAD_STATE") or REPO / ".local").absolute()
    cache = Path(env.get("FAIRLEAD_CACHE") or state / "cache").absolute()
    return Paths(state=state, cache=cache)


def existing_kubeconfig() -> Path | None:
    """The kubeconfig of a cluster that the user already has, when one is named."""
    value = os.environ.get("FAIRLEAD_KUBECONFIG")
    return Path(value).absolute() if value else None


def flavour() -> str:
    """Which kind of cluster: `local` or `kind`, as CLUSTER says, else as the one that was made before, else `local`."""
    return os.environ.get("CLUSTER") or recorded(paths()) or "local"


def recorded(where: Paths) -> str:
    """Which kind the cluster of this state folder is; empty when there is none."""
    if where.kind.exists():
        return "kind"
    return "local" if where.pki.exists() else ""
