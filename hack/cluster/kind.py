"""kind's cluster (CLUSTER=kind): Docker runs it, builds Fairlead's images, and fetches everybody else's from where
their projects publish them. It takes neither root nor Go, and nothing is built from source."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hack.cluster import images, oci
from hack.cluster.imagebuild import Request
from hack.cluster.progress import Progress
from hack.cluster.settings import (
    ENVOY,
    ENVOY_GATEWAY,
    PROMETHEUS_OPERATOR,
    TRAEFIK,
    VERSITYGW,
    Paths,
)
from hack.cluster.shell import ClusterError, Logged, run

NAME = "fairlead"
NODE = f"{NAME}-control-plane"
PATIENCE_S = 10
_OPERATOR = "quay.io/prometheus-operator"
PUBLIC = {
    "base": "docker.io/library/python:3.11-slim-bookworm",
    "envoy": f"docker.io/envoyproxy/envoy:v{ENVOY}",
    "envoy-gateway": f"docker.io/envoyproxy/gateway:v{ENVOY_GATEWAY}",
    "traefik": f"docker.io/library/traefik:v{TRAEFIK}",
    "prometheus": f"quay.io/prometheus/prometheus:v{images.PROMETHEUS_RELEASE}",
    "prometheus-operator": f"{_OPERATOR}/prometheus-operator:v{PROMETHEUS_OPERATOR}",
    "prometheus-config-reloader": f"{_OPERATOR}/prometheus-config-reloader:v{PROMETHEUS_OPERATOR}",
    "alertmanager": "quay.io/prometheus/alertmanager:v0.25.0",
    "versitygw": f"docker.io/versity/versitygw:v{VERSITYGW}",
}
"""Where the projects publish what the local cluster builds. The pause image is kind's own."""


def usable(path: str | None = None) -> bool:
    """Whether kind and a Docker that answers are here. `path`: where to look for programs, if not in the PATH."""
    docker = shutil.which("docker", path=path)
    if not docker or not shutil.which("kind", path=path):
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def up(where: Paths, progress: Progress) -> None:
    """The cluster, with all images of the stack in its node."""
    where.run.mkdir(parents=True, exist_ok=True)
    where.kind.touch()
    named = ["--name", NAME, "--kubeconfig", where.kubeconfig]
    if NAME in run(["kind", "get", "clusters"]).stdout.split():
        run(["kind", "export", "kubeconfig", *named])  # another checkout may have made it
    else:
        with progress.step("kind create cluster", 60):
            Logged().run(["kind", "create", "cluster", *named], where.logs / "kind.log")
    have = on_node()
    for image in images.IMAGES:
        if image.name in PUBLIC and image.reference not in have:
            with progress.step(f"fetch {PUBLIC[image.name]}", 20):
                run(["docker", "pull", "--quiet", PUBLIC[image.name]])
                run(["docker", "tag", PUBLIC[image.name], image.reference])
                _load(image.reference)


def down(where: Paths, progress: Progress) -> None:
    """Delete the cluster."""
    with progress.step("kind delete cluster", 10):
        run(["kind", "delete", "cluster", "--name", NAME, "--kubeconfig", where.kubeconfig])
    shutil.rmtree(where.run, ignore_errors=True)


def provide(where: Paths, request: Request, progress: Progress) -> str:
    """Build an image with Docker, or take an archive, and load it; the reference with the digest that the node has."""
    source = Path(request.source).absolute()
    if source.is_file():
        with progress.step(f"kind load {source.name}", 10):
            run(["kind", "load", "image-archive", source, "--name", NAME])
        return pinned(request.reference, oci.manifest_digest(source))
    with progress.step(f"build image {request.reference}", 60):
        Logged().run(build_command(request, source), where.logs / "load-image.log")
        _load(request.reference)
    have = on_node()
    if request.reference not in have:
        raise ClusterError(
            f"{request.reference} was loaded, but kind's node does not have it; see `docker exec {NODE} crictl images`"
        )
    return pinned(request.reference, have[request.reference])


def build_command(request: Request, source: Path) -> list[str | Path]:
    """`docker build`. The Dockerfiles name a public base of their own."""
    given = dict(item.partition("=")[::2] for item in request.arguments)
    arguments = [word for item in given.items() for word in ("--build-arg", "=".join(item))]
    stage = ["--target", request.target] if request.target else []
    return ["docker", "build", "--file", request.dockerfile, *stage, *arguments, "--tag", request.reference, source]


def pinned(reference: str, digest: str) -> str:
    """The reference with the digest. The kubelet looks for `name:tag@digest` as `name@digest`: the node gets this name
    too."""
    _ctr("images", "tag", "--force", reference, f"{reference.rpartition(':')[0]}@{digest}")
    return f"{reference}@{digest}"


def on_node() -> Mapping[str, str]:
    """Name and digest of the images that the node has."""
    return images.parse_list(_ctr("images", "ls"))


def _load(reference: str) -> None:
    run(["kind", "load", "docker-image", reference, "--name", NAME])


def _ctr(*words: str) -> str:
    return run(["docker", "exec", NODE, "ctr", "--namespace", "k8s.io", *words]).stdout
