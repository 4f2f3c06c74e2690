"""The configuration files of the node's processes, as text."""

import json
from pathlib import Path

from hack.cluster.settings import (
    CGROUP_ROOT,
    CONTAINERD_SOCKET,
    DNS_IP,
    NODE,
    POD_BRIDGE,
    POD_CIDR,
    RUNTIME_DIR,
    Paths,
)

CNI_PLUGINS = Path("/usr/lib/cni")
CAP_SYS_RESOURCE = 24


def can_lower_oom_score(status: str) -> bool:
    """Whether this process may (CAP_SYS_RESOURCE), from the text of /proc/self/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return False


def containerd(where: Paths, pause_image: str, *, restrict_oom: bool) -> str:
    """containerd: its own root and socket; a machine without CAP_SYS_RESOURCE can't lower OOM scores."""
    return f"""\
version = 2
root = "{where.run}/containerd"
state = "{RUNTIME_DIR}/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = {str(restrict_oom).lower()}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{where.run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def cni(where: Paths) -> str:
    """The pods' network: one bridge; addresses are kept with the run state, so that `down` frees them."""
    ipam = {
        "type": "host-local",
        "dataDir": f"{where.run}/cni-addresses",
        "ranges": [[{"subnet": POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ipam,
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}, {"type": "firewall"}]
    return json.dumps({"cniVersion": "1.0.0", "name": "fairlead", "plugins": plugins}, indent=1)


def kubelet(where: Paths) -> str:
    """The kubelet: cgroups under a root of our own, images are never collected (they can't be pulled again)."""
    pki = where.pki
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP_ROOT}",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/node.crt",
        "tlsPrivateKeyFile": f"{pki}/node.key",
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
        "resolvConf": f"{where.run}/resolv.conf",
        "nodeStatusUpdateFrequency": "5s",
        # How soon a changed Secret or ConfigMap reaches its pods: Prometheus gets its configuration that way.
        "syncFrequency": "5s",
        # An image that some registry is slow to refuse keeps no other pod waiting.
        "serializeImagePulls": False,
        "maxParallelImagePulls": 8,
    }
    return json.dumps(config, indent=1)


def kube_proxy(where: Paths) -> str:
    """kube-proxy in iptables mode; it leaves the machine's conntrack limits alone."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{where.pki}/proxy.conf"},
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "200ms"},
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE,
        "conntrack": {"maxPerCore": 0},
    }
    return json.dumps(config, indent=1)


def corefile(where: Paths) -> str:
    """CoreDNS on the host, at the cluster's DNS address."""
    return f"""\
.:53 {{
  bind {DNS_IP}
  errors
  ready 127.0.0.1:8181
  cache 5
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {where.pki}/coredns.conf fairlead-local
    ttl 5
  }}
  forward . {where.run}/upstream-resolv.conf {{
    max_concurrent 1000
  }}
}}
"""


def upstream_resolv(host: str) -> str:
    """Name servers for names outside the cluster: the host's own, never ourselves."""
    servers = [line for line in host.splitlines() if line.startswith("nameserver") and DNS_IP not in line]
    return "\n".join(servers or ["nameserver 127.0.0.1"]) + "\n"


def write(where: Paths, pause_image: str) -> None:
    """Write all files."""
    restrict = not can_lower_oom_score(Path("/proc/self/status").read_text())
    host_resolv = Path("/etc/resolv.conf")
    files = {
        "containerd.toml": containerd(where, pause_image, restrict_oom=restrict),
        "cni/10-fairlead.conflist": cni(where),
        "kubelet.json": kubelet(where),
        "proxy.json": kube_proxy(where),
        "Corefile": corefile(where),
        "resolv.conf": f"nameserver {DNS_IP}\n",
        "upstream-resolv.conf": upstream_resolv(host_resolv.read_text() if host_resolv.exists() else ""),
    }
    for name, text in files.items():
        path = where.run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # kube-proxy ends when its file is written, even with what it holds already.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
