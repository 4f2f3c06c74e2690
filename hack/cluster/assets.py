"""CRDs and charts that published Go modules carry: fetched through the module proxy, kept in the cache."""

import hashlib
import json
import shutil
import urllib.request
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

SHA256 = {
    "gateway-api": "f9041f93ad3b2572089afa858ceac74e0545e7769490ae774039ed0f841f3d6d",
    "envoy-gateway": "bf9a96d6a5ff39739ae23add1f199ae34e7af21a82ce80d89fb515705ea65a1e",
    "prometheus-operator": "598e6508224457829e43821969d08afac3f82330a2560c678cf98f642a3dc88f",
}
"""Of the modules' archives, for machines without Go, whose tool would ask the checksum database."""
PROXY = "https://proxy.golang.org"
PATIENCE_S = 60


def folder(where: Paths, name: str) -> Path:
    """The named asset's folder; it is fetched when it isn't in the cache."""
    module, version, inside = MODULES[name]
    target = where.cache / "assets" / f"{name}-{version}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(target.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        archive = _module_zip(where, module, version) if shutil.which("go") else _download(where, name)
        _extract(archive, f"{module}@v{version}/{inside}/", scratch)
        scratch.rename(target)
    return target


def _module_zip(where: Paths, module: str, version: str) -> Path:
    """Download a module. Only its files are wanted, so it may ask for a newer Go than the one here."""
    done = run(["go", "mod", "download", "-json", f"{module}@v{version}"], cwd=where.cache, check=False)
    answer = json.loads(done.stdout or "{}")
    if "Zip" not in answer or "Sum" not in answer:
        raise ClusterError(f"go mod download {module}@v{version}: {answer.get('Error') or done.stderr}")
    return Path(answer["Zip"])


def _download(where: Paths, name: str) -> Path:
    """Fetch a module's archive without Go. Raises ClusterError if it is another one than was seen here."""
    module, version, _ = MODULES[name]
    target = where.cache / "assets" / f"{name}-{version}.zip"
    url = f"{PROXY}/{module}/@v/v{version}.zip"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as source:
            data = source.read()
    except OSError as error:
        raise ClusterError(f"{url} can't be fetched: {error}; try again, or install Go") from None
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise ClusterError(f"{url} is not the archive that it was: its SHA-256 is not {SHA256[name]}")
    target.write_bytes(data)
    return target


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
