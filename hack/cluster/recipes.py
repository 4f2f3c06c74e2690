"""What is built from source, and how: data only."""

from dataclasses import dataclass
from pathlib import Path

from hack.cluster.settings import (
    ARGO_CD,
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
STRIP = "-s -w"
GO_MINIMUM = (1, 26)


@dataclass(frozen=True)
class Recipe:
    """One `go build` of a module in src/, or one `go install` of a published program."""

    name: str
    version: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    source: str = ""
    ldflags: str = STRIP
    tags: str = ""
    cgo: bool = False
    expected: float = 60
    optional: bool = False

    @property
    def folder(self) -> Path:
        """The module's folder, for those that have one here."""
        return SOURCES / self.source

    @property
    def title(self) -> str:
        """What to show."""
        return f"build {self.name} {self.version}"


_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"

# The longest first: two are built at a time.
RECIPES = [
    Recipe(
        "localkube",
        KUBERNETES,
        ("localkube",),
        (".",),
        source="localkube",
        ldflags=f"{STRIP} -X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor={_MAJOR} "
        f"-X {_VERSION}.gitMinor={_MINOR}",
        expected=280,
    ),
    Recipe(
        "envoy-gateway",
        ENVOY_GATEWAY,
        ("envoy-gateway",),
        (f"github.com/envoyproxy/gateway/cmd/envoy-gateway@v{ENVOY_GATEWAY}",),
        cgo=True,
        expected=240,
    ),
    Recipe(
        "prometheus",
        PROMETHEUS,
        ("prometheus",),
        ("github.com/prometheus/prometheus/cmd/prometheus",),
        source="prometheus",
        tags="remove_all_sd,enable_kubernetes_sd,netgo",
        expected=120,
    ),
    Recipe(
        "prometheus-operator",
        PROMETHEUS_OPERATOR,
        ("operator", "prometheus-config-reloader"),
        (f"{_PROMETHEUS_OPERATOR}/cmd/operator", f"{_PROMETHEUS_OPERATOR}/cmd/prometheus-config-reloader"),
        source="prometheus-operator",
        expected=100,
    ),
    Recipe("coredns", COREDNS, ("coredns",), (".",), source="coredns", expected=60),
    Recipe("helm", HELM, ("helm",), (f"helm.sh/helm/v3/cmd/helm@v{HELM}",), expected=60),
    Recipe(
        "versitygw",
        VERSITYGW,
        ("versitygw",),
        (f"github.com/versity/versitygw/cmd/versitygw@v{VERSITYGW}",),
        expected=45,
    ),
    Recipe("pause", "1", ("pause",), (".",), source="pause", expected=3),
    Recipe("kwok", KWOK, ("kwok",), (f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK}",), expected=90, optional=True),
    Recipe("argocd", ARGO_CD, ("argocd",), (".",), source="argocd", expected=480, optional=True),
    Recipe("flux", FLUX_SSA, ("flux",), (".",), source="flux", expected=120, optional=True),
]
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
    "gcc",
    "libc6-dev",
]
