"""Keys, certificates and kubeconfigs of one cluster, made by openssl."""

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.settings import API_PORT, API_SERVICE_IP, NODE, NODE_IP
from hack.cluster.shell import Word, run

DAYS = "3650"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
API_NAMES = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]


@dataclass(frozen=True)
class Identity:
    """Whom a certificate names."""

    name: str
    user: str
    group: str = ""
    names: str = ""


IDENTITIES = [
    Identity(
        "apiserver",
        "kube-apiserver",
        names=",".join(f"DNS:{name}" for name in [*API_NAMES, "localhost"])
        + f",IP:127.0.0.1,IP:{API_SERVICE_IP},IP:{NODE_IP}",
    ),
    Identity("admin", "admin", "system:masters"),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("node", f"system:node:{NODE}", "system:nodes", f"DNS:{NODE},IP:127.0.0.1,IP:{NODE_IP}"),
    Identity("proxy", "system:kube-proxy"),
    Identity("coredns", "system:coredns"),
    Identity("kubelet-client", "apiserver-kubelet-client", "system:masters"),
]
KUBECONFIGS = ("admin", "controller-manager", "scheduler", "node", "proxy", "coredns")


def ensure(folder: Path) -> None:
    """Make the folder whole or not at all; leave a whole one alone."""
    if (folder / "done").exists():
        return
    scratch = folder.with_name(folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    _authority(scratch)
    for identity in IDENTITIES:
        _certificate(scratch, identity)
    run(["openssl", "genrsa", "-out", scratch / "sa.key", "2048"])
    run(["openssl", "rsa", "-in", scratch / "sa.key", "-pubout", "-out", scratch / "sa.pub"])
    for name in KUBECONFIGS:
        (scratch / f"{name}.conf").write_text(kubeconfig(scratch, name))
    (scratch / "done").touch()
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def _authority(folder: Path) -> None:
    files: list[Word] = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt"]
    run(["openssl", "req", "-x509", *NEW_KEY, *files, "-days", DAYS, "-subj", "/CN=fairlead-local-ca"])


def _certificate(folder: Path, identity: Identity) -> None:
    key, request, extension, certificate = (
        folder / f"{identity.name}.{suffix}" for suffix in ("key", "csr", "ext", "crt")
    )
    subject = f"/CN={identity.user}" + (f"/O={identity.group}" if identity.group else "")
    run(["openssl", "req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", subject])
    names = f"subjectAltName={identity.names}\n" if identity.names else ""
    extension.write_text(f"extendedKeyUsage=serverAuth,clientAuth\n{names}")
    sign: list[Word] = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", DAYS]
    run(["openssl", "x509", "-req", "-in", request, *sign, "-out", certificate, "-extfile", extension])
    request.unlink()
    extension.unlink()


def kubeconfig(folder: Path, name: str) -> str:
    """A kubeconfig with everything embedded (JSON is YAML)."""

    def embed(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": f"https://127.0.0.1:{API_PORT}", "certificate-authority-data": embed("ca.crt")}
    user = {"client-certificate-data": embed(f"{name}.crt"), "client-key-data": embed(f"{name}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fairlead-local", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "fairlead-local", "context": {"cluster": "fairlead-local", "user": name}}],
        "current-context": "fairlead-local",
    }
    return json.dumps(config, indent=1) + "\n"
