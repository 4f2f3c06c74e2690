"""CRDs and charts that published Go modules carry: fetched through the module proxy, kept in the cache."""

import json
import shutil
import zipfile
from pathlib import Path

from hack.cluster.settings import ENVOY_GATEWAY, GATEWAY_API, PROMETHEUS_OPERATOR, Paths
from hack.cluster.shell import ClusterError, run

MODULES = {
    "gateway-api": ("sigs.k8s.io/gateway-api", GATEWAY_API, "config/crd/standard"),
    "envoy-gateway": ("github.com/envoyproxy/gateway", ENVOY_GATEWAY, "charts/gateway-helm"),
    "prometheus-operator": (
        "github.com/prometheus-operator/prometheus-operator",
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd",
    ),
}


def folder(where: Paths, name: str) -> Path:
    """The named asset's folder; it is fetched when it isn't in the cache."""
    module, version, inside = MODULES[name]
    target = where.cache / "assets" / f"{name}-{version}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(target.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        _extract(_module_zip(where, module, version), f"{module}@v{version}/{inside}/", scratch)
        scratch.rename(target)
    return target


def _module_zip(where: Paths, module: str, version: str) -> Path:
    """Download a module. Only its files are wanted, so it may ask for a newer Go than the one here."""
    done = run(["go", "mod", "download", "-json", f"{module}@v{version}"], cwd=where.cache, check=False)
    answer = json.loads(done.stdout or "{}")
    if "Zip" not in answer or "Sum" not in answer:
        raise ClusterError(f"go mod download {module}@v{version}: {answer.get('Error') or done.stderr}")
    return Path(answer["Zip"])


def _extract(archive: Path, prefix: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        names = [name for name in source.namelist() if name.startswith(prefix) and not name.endswith("/")]
        if not names:
            raise ClusterError(f"{archive} has nothing under {prefix}")
        for name in names:
            path = target / name.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read(name))


def fetch_all(where: Paths) -> None:
    """Have all of them in the cache."""
    for name in MODULES:
        folder(where, name)


def gateway_api_crds(where: Paths) -> list[Path]:
    """The CRDs of the standard channel."""
    return sorted(folder(where, "gateway-api").glob("*.yaml"))


def envoy_gateway_crds(where: Paths) -> list[Path]:
    """Envoy Gateway's own CRDs."""
    return sorted((folder(where, "envoy-gateway") / "charts/crds/crds/generated").glob("*.yaml"))


def prometheus_crds(where: Paths) -> list[Path]:
    """prometheus-operator's CRDs."""
    return sorted(folder(where, "prometheus-operator").glob("*.yaml"))


def envoy_gateway_chart(where: Paths, scratch: Path, image: str) -> Path:
    """A copy of Envoy Gateway's chart with the image that its values lack."""
    chart = scratch / "envoy-gateway"
    shutil.copytree(folder(where, "envoy-gateway"), chart)
    template = (chart / "values.tmpl.yaml").read_text()
    filled = template.replace("${GatewayImagePullPolicy}", "IfNotPresent").replace("${GatewayImage}", image)
    (chart / "values.yaml").write_text(filled)
    return chart
