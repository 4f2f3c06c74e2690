"""What is built from source, and how: data only."""

from dataclasses import dataclass
from pathlib import Path

from hack.cluster.settings import (
    ARGO_CD,
    ARGO_WORKFLOWS,
    COREDNS,
    ENVOY_GATEWAY,
    FLUX_SSA,
    HELM,
    KUBERNETES,
    KWOK,
    PROMETHEUS,
    PROMETHEUS_OPERATOR,
    VERSITYGW,
)

SOURCES = Path(__file__).resolve().parent / "src"
MODULE = "programs"
"""The folder of SOURCES with the one module that all default programs are of. They are built by one `go build`, from
one set of versions: Kubernetes' libraries, of which each of them is mostly made, are compiled once rather than six
times. The versions of these libraries are those of Kubernetes itself (`replace` in go.mod)."""
TAGS = "remove_all_sd,enable_kubernetes_sd"
"""Prometheus without service discoveries but Kubernetes'. The other programs know no such tags."""
STRIP = "-s -w"
GO_MINIMUM = (1, 26)
LIBRARIES_S = 300
"""CPU seconds that what several programs share takes to compile."""


@dataclass(frozen=True)
class Recipe:
    """Programs of the module in src/, or (without `source`) one `go install` of a published program."""

    name: str
    version: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    source: str = MODULE
    values: str = ""
    """Flags of the linker besides STRIP, for the first package."""
    tags: str = TAGS
    expected: float = 60
    """CPU seconds, besides LIBRARIES_S."""
    optional: bool = False

    @property
    def folder(self) -> Path:
        """The module's folder, for those that have one here."""
        return SOURCES / self.source


_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_HERE = "fairlead.dev/hack/programs"
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"

RECIPES = [
    Recipe(
        "localkube",
        KUBERNETES,
        ("localkube",),
        (f"{_HERE}/localkube",),
        values=f"-X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor={_MAJOR} "
        f"-X {_VERSION}.gitMinor={_MINOR}",
        expected=300,
    ),
    Recipe(
        "envoy-gateway", ENVOY_GATEWAY, ("envoy-gateway",), ("github.com/envoyproxy/gateway/cmd/envoy-gateway",),
        expected=240,
    ),
    Recipe(
        "prometheus", PROMETHEUS, ("prometheus",), ("github.com/prometheus/prometheus/cmd/prometheus",), expected=120
    ),
    # for tests of alert rules and dashboards: but for a few packages it is what prometheus is made of
    Recipe("promtool", PROMETHEUS, ("promtool",), ("github.com/prometheus/prometheus/cmd/promtool",), expected=10),
    Recipe(
        "prometheus-operator",
        PROMETHEUS_OPERATOR,
        ("operator", "prometheus-config-reloader"),
        (f"{_PROMETHEUS_OPERATOR}/cmd/operator", f"{_PROMETHEUS_OPERATOR}/cmd/prometheus-config-reloader"),
        expected=60,
    ),
    Recipe("coredns", COREDNS, ("coredns",), (f"{_HERE}/coredns",), expected=30),
    Recipe("helm", HELM, ("helm",), ("helm.sh/helm/v3/cmd/helm",), expected=40),
    Recipe("versitygw", VERSITYGW, ("versitygw",), ("github.com/versity/versitygw/cmd/versitygw",), expected=60),
    Recipe("pause", "1", ("pause",), (f"{_HERE}/pause",), expected=1),
    Recipe(
        "kwok", KWOK, ("kwok",), (f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK}",), source="", tags="", expected=200,
        optional=True,
    ),
    Recipe("argocd", ARGO_CD, ("argocd",), (".",), source="argocd", tags="", expected=660, optional=True),
    Recipe(
        "workflow-controller", ARGO_WORKFLOWS, ("workflow-controller",),
        ("github.com/argoproj/argo-workflows/v4/cmd/workflow-controller",), source="argoworkflows", tags="",
        expected=420, optional=True,
    ),
    Recipe("flux", FLUX_SSA, ("flux",), (".",), source="flux", tags="", expected=240, optional=True),
]  # fmt: skip
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
DEFAULT = [recipe for recipe in RECIPES if not recipe.optional]

BUILDER_PACKAGES = ["debootstrap", "buildah", "ca-certificates"]
"""Those with which images are built."""
DEBIAN_PACKAGES = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "iproute2",
    "conntrack",
    "socat",
    "ethtool",
    "ipset",
    "debootstrap",
    "buildah",
    "prometheus-alertmanager",
    "openssl",
    "ca-certificates",
]
