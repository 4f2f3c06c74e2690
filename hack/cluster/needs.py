"""What Fairlead's installation and its demo use of a cluster that was not made here: what is there and doesn't fit.

Each check takes a function that gets an object (None when there is none), and changes nothing.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

from hack.cluster.checks import Problem
from hack.cluster.kube import Kube
from hack.cluster.shell import CommandError

Get = Callable[..., Any]
S3_PORT, PROMETHEUS_PORT = 9000, 9090
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
UP = "`python3 hack/cluster up` installs it where the nodes have its images, or install your own"


def getter(kube: Kube) -> Get:
    """Gets objects; a kind that the cluster doesn't know has none."""

    def get(*words: str) -> Any:
        try:
            return kube.get(*words)
        except CommandError as error:
            if "the server doesn't have a resource type" in error.output:
                return None
            raise

    return get


def check_rights(may: bool) -> list[Problem]:
    """CRDs, cluster roles and an admission policy are installed: that takes an administrator."""
    if may:
        return []
    what = "the user of FAIRLEAD_KUBECONFIG may not do everything in this cluster (kubectl auth can-i '*' '*' -A)"
    return [Problem(what, "use a kubeconfig with the role cluster-admin: CRDs and cluster roles are installed")]


def check_gateway_api(get: Get) -> list[Problem]:
    """Routes."""
    if get("crd", "httproutes.gateway.networking.k8s.io"):
        return []
    return [Problem("the cluster has no Gateway API (CRD httproutes.gateway.networking.k8s.io)", UP)]


def check_gateway(get: Get) -> list[Problem]:
    """The Gateway that the demo's Deployment names, open to routes of other namespaces, with an address."""
    gateway = get("gateway", "public", "-n", "infra")
    if not gateway:
        return [Problem("the cluster has no Gateway infra/public, to which the models' routes attach", UP)]
    found = []
    listeners = [one for one in gateway["spec"].get("listeners") or [] if one.get("protocol") == "HTTP"]
    if not any(_from(listener) in ("All", "Selector") for listener in listeners):
        what = "Gateway infra/public has no HTTP listener that takes routes of other namespaces"
        found.append(Problem(what, "set allowedRoutes.namespaces.from of one of its listeners to All"))
    if not (gateway.get("status") or {}).get("addresses"):
        what = "Gateway infra/public has no address"
        remedy = "see `kubectl -n infra describe gateway public`; a Service of type LoadBalancer needs a provider"
        found.append(Problem(what, remedy))
    return found


def _from(listener: dict[str, Any]) -> str:
    return str(((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same"))


def check_monitoring(get: Get) -> list[Problem]:
    """Prometheus and Alertmanager where the chart's values and the demo look, taking up everybody's rules."""
    missing = [
        Problem(f"the cluster has no CRD {name}.monitoring.coreos.com", UP)
        for name in ("podmonitors", "prometheusrules", "prometheuses")
        if not get("crd", f"{name}.monitoring.coreos.com")
    ]
    if missing:
        return missing
    found = check_service(get, "monitoring", "prometheus", PROMETHEUS_PORT, "web")
    found += check_service(get, "monitoring", "alertmanager", None, "web")
    servers = (get("prometheuses.monitoring.coreos.com", "-A") or {}).get("items") or []
    if not any(selects_all(server.get("spec") or {}) for server in servers):
        what = "no Prometheus of this cluster takes PodMonitors and PrometheusRules of all namespaces and labels"
        remedy = "set podMonitorSelector, podMonitorNamespaceSelector, ruleSelector, ruleNamespaceSelector of one to {}"
        found.append(Problem(what, remedy))
    return found


def selects_all(spec: dict[str, Any]) -> bool:
    """Whether a Prometheus takes up monitors and rules wherever they are. An absent selector selects nothing."""
    names = ("podMonitorSelector", "podMonitorNamespaceSelector", "ruleSelector", "ruleNamespaceSelector")
    return all(spec.get(name) == {} for name in names)


def check_s3(get: Get) -> list[Problem]:
    """The object store, and the Secret with its account."""
    found = check_service(get, "s3", "s3", S3_PORT, None)
    secret = get("secret", "root-credentials", "-n", "s3") or {}
    lacking = [name for name in KEYS if not _filled((secret.get("data") or {}).get(name, ""))]
    if lacking:
        what = f"Secret s3/root-credentials has no {' and no '.join(lacking)}"
        found.append(Problem(what, "put an account of the store there that may make buckets, read, write and list"))
    return found


def _filled(value: str) -> bool:
    try:
        return bool(base64.b64decode(value, validate=True))
    except binascii.Error:
        return False


def check_service(get: Get, namespace: str, name: str, port: int | None, port_name: str | None) -> list[Problem]:
    """A Service with a port of this number and this name."""
    service = get("service", name, "-n", namespace)
    ports = (service or {}).get("spec", {}).get("ports") or []
    if any(port in (None, p["port"]) and port_name in (None, p.get("name")) for p in ports):
        return []
    wanted = " ".join([*([str(port)] if port else []), *([f"named {port_name}"] if port_name else [])])
    what = f"the cluster has no Service {namespace}/{name} with a port {wanted}"
    return [Problem(what, "make one that selects the pods of yours" if not service else "add the port to it")]


CHECKS: dict[str, Callable[[Get], list[Problem]]] = {
    "Gateway API": check_gateway_api,
    "Envoy Gateway": check_gateway,
    "Prometheus": check_monitoring,
    "S3": check_s3,
}
"""By the name of the part of the stack that a cluster's own stands for."""


def check(kube: Kube, parts: Iterable[str] = tuple(CHECKS)) -> list[Problem]:
    """All problems of these parts; of the rights alone, when they don't suffice to see the parts."""
    found = check_rights(kube.ok("auth", "can-i", "*", "*", "--all-namespaces"))
    return found or [problem for part in parts for problem in CHECKS[part](getter(kube))]
