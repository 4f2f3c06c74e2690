"""The parts of the stack: how each is installed, and when it is ready."""

import json
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import assets, images
from hack.cluster.kube import MANIFESTS, Kube, fill
from hack.cluster.settings import TRAEFIK_IP, Paths
from hack.cluster.shell import Word, run

S3_USER = 65532
GATEWAY_NAMESPACE = "envoy-gateway-system"


@dataclass(frozen=True)
class Context:
    """What installing needs."""

    where: Paths
    kube: Kube
    host_volume: bool

    def values(self) -> dict[str, str]:
        """What the manifests' ${NAMES} stand for."""
        named = {f"IMAGE_{i.name.upper().replace('-', '_')}": i.reference for i in images.IMAGES}
        chosen = {"PROMETHEUS_RELEASE": images.PROMETHEUS_RELEASE, "TRAEFIK_IP": TRAEFIK_IP}
        return {**named, **chosen, "S3_FOLDER": str(self.where.run / "s3")}


@dataclass(frozen=True)
class Part:
    """One part of the stack. `probe` is an object whose existence means that the cluster has such a thing."""

    name: str
    probe: tuple[str, ...]
    install: Callable[[Context], None]
    wait: Callable[[Context], None]
    manifests: tuple[str, ...] = ()
    module: str = ""
    images: tuple[str, ...] = ()
    expected: float = 10
    extra: bool = False
    """Only for tests: a cluster of somebody's own goes without it."""


def _gateway_api(context: Context) -> None:
    context.kube.apply_files(assets.gateway_api_crds(context.where))


def _wait_gateway_api(context: Context) -> None:
    context.kube.wait("condition=Established", "crd/httproutes.gateway.networking.k8s.io")


def _envoy_gateway(context: Context) -> None:
    kube, where, values = context.kube, context.where, context.values()
    kube.apply_files(assets.envoy_gateway_crds(where))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        chart = assets.envoy_gateway_chart(where, scratch, values["IMAGE_ENVOY_GATEWAY"])
        ours = scratch / "values.yaml"
        ours.write_text(fill((MANIFESTS / "envoy-gateway-values.yaml").read_text(), values))
        flags: list[Word] = ["--namespace", GATEWAY_NAMESPACE, "--create-namespace", "--skip-crds", "--values", ours]
        helm(context, scratch, "upgrade", "--install", "envoy-gateway", chart, *flags)
    kube.apply_manifest("gateway.yaml", values)


def helm(context: Context, scratch: Path, *words: str | Path) -> str:
    """Run helm against our cluster, with its own folders in `scratch`."""
    env = {f"HELM_{kind}_HOME": str(scratch / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    argv = [context.where.bin / "helm", "--kubeconfig", context.kube.kubeconfig, *words]
    return run(argv, env=env, timeout=300).stdout


def _wait_envoy_gateway(context: Context) -> None:
    context.kube.rollout("deployment/envoy-gateway", "-n", GATEWAY_NAMESPACE)
    context.kube.wait("condition=Programmed", "gateway/public", "-n", "infra", timeout=180)
    proxies = "gateway.envoyproxy.io/owning-gateway-name=public"
    context.kube.wait("condition=Available", "deployment", "-l", proxies, "-n", GATEWAY_NAMESPACE, timeout=180)


def _traefik(context: Context) -> None:
    context.kube.apply_manifest("traefik.yaml", context.values())


def _wait_traefik(context: Context) -> None:
    context.kube.rollout("deployment/traefik", "-n", "traefik")
    context.kube.wait("condition=Programmed", "gateway/traefik", "-n", "infra")


def _monitoring(context: Context) -> None:
    context.kube.apply_files(assets.prometheus_crds(context.where))
    context.kube.wait("condition=Established", "crd/prometheuses.monitoring.coreos.com")
    context.kube.apply_manifest("prometheus-operator.yaml", context.values())
    context.kube.apply_manifest("monitoring.yaml", context.values())


def _wait_monitoring(context: Context) -> None:
    context.kube.rollout("deployment/prometheus-operator", "-n", "monitoring")
    for what in ("prometheus/main", "alertmanager/main"):
        context.kube.wait("condition=Available", what, "-n", "monitoring", timeout=180)


def _s3(context: Context) -> None:
    values = context.values()
    if context.host_volume:
        folder = Path(values["S3_FOLDER"])
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, S3_USER, S3_USER)
    context.kube.apply_manifest("s3-volume.yaml" if context.host_volume else "s3-claim.yaml", values)
    if not context.kube.get("secret", "root-credentials", "-n", "s3"):
        context.kube.apply(json.dumps(_credentials()))
    context.kube.apply_manifest("s3.yaml", values)


def _credentials() -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "root-credentials", "namespace": "s3"},
        "stringData": {
            "AWS_ACCESS_KEY_ID": "FL" + secrets.token_hex(9).upper(),
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        },
    }


def _wait_s3(context: Context) -> None:
    context.kube.rollout("statefulset/s3", "-n", "s3")


PARTS = [
    Part(
        "Gateway API",
        ("crd", "httproutes.gateway.networking.k8s.io"),
        _gateway_api,
        _wait_gateway_api,
        module="gateway-api",
    ),
    Part(
        "Envoy Gateway",
        ("gateway", "public", "-n", "infra"),
        _envoy_gateway,
        _wait_envoy_gateway,
        manifests=("gateway.yaml", "envoy-gateway-values.yaml"),
        module="envoy-gateway",
        images=("envoy-gateway", "envoy"),
        expected=30,
    ),
    Part(
        "Traefik",
        ("gateway", "traefik", "-n", "infra"),
        _traefik,
        _wait_traefik,
        manifests=("traefik.yaml",),
        images=("traefik",),
        expected=3,
        extra=True,
    ),
    Part(
        "Prometheus",
        ("crd", "prometheuses.monitoring.coreos.com"),
        _monitoring,
        _wait_monitoring,
        manifests=("prometheus-operator.yaml", "monitoring.yaml"),
        module="prometheus-operator",
        images=("prometheus-operator", "prometheus", "prometheus-config-reloader", "alertmanager"),
        expected=30,
    ),
    Part(
        "S3",
        ("service", "s3", "-n", "s3"),
        _s3,
        _wait_s3,
        manifests=("s3.yaml", "s3-volume.yaml", "s3-claim.yaml"),
        images=("versitygw", "base"),
        expected=15,
    ),
]
