"""What the story needs: a cluster, images, Fairlead by Helm, a namespace, buckets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import choice, cli, forecast, imagebuild, onnodes
from hack.cluster.progress import Progress
from hack.cluster.settings import Paths, flavour, paths, recorded
from hack.demo import feed
from hack.demo.kube import INITIAL, Json, Kube, KubeError
from hack.install import chart
from hack.install import images as builds

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "airline"
GPU, GPU_PRODUCT = "nvidia.com/gpu", "nvidia.com/gpu.product"
IMAGE = "fairlead.local/airline:demo"
"""As the manifests name it; it is replaced by the reference with its digest."""
IMAGES_S, IMAGE_S = 10.0, 40.0
"""Seconds: a look at all images, and to build one."""


def cluster_up() -> None:
    """Start or repair the local cluster (or check the one that FAIRLEAD_KUBECONFIG names)."""
    subprocess.run([sys.executable, "hack/cluster", "up"], cwd=ROOT, check=True)


def images_beside() -> AbstractContextManager[None]:
    """Build the images while the cluster is made, where that takes minutes."""
    where = paths()
    if existing() or flavour() == "kind" or os.environ.get(builds.VARIABLE) or not forecast.cold(where):
        return nullcontext()
    return builds.built_beside(wanted(), where.logs / "images-beside.log")


def wanted() -> list[list[str]]:
    """The arguments of `load-image` for all images that are built here, the one that takes longest first."""
    return [[str(feed.EXAMPLE), IMAGE], *(builds.words(target) for target in builds.TARGETS)]


def expected() -> dict[str, float]:
    """Seconds that the cluster and the images of this machine will take, by what there is of them. They differ by the
    factor of a hundred from one time to the next, so the last time says little."""
    where = paths()
    if existing():
        return {}
    if flavour() == "kind":
        return {} if recorded(where) else {"cluster": choice.KIND_S, "images": 4 * IMAGE_S}
    beside = forecast.cold(where)
    unbuilt = 0 if beside else sum(not known(where, words) for words in wanted())
    progress = Progress(where.cache / "durations.json")
    return {"cluster": forecast.seconds(where, progress), "images": IMAGES_S + IMAGE_S * unbuilt}


def known(where: Paths, words: list[str]) -> bool:
    """Whether an image, by its arguments for `load-image`, is built already."""
    return bool(imagebuild.known(where, cli.request(cli.parser().parse_args(["load-image", *words]))))


def existing() -> bool:
    """Whether the cluster is the user's own."""
    return bool(os.environ.get("FAIRLEAD_KUBECONFIG"))


def require_streams(cluster: Kube) -> None:
    """The driver's watches begin with all that exists, which API servers may not offer."""
    try:
        cluster.call("get", "--raw", f"/api/v1/namespaces?{INITIAL}&timeoutSeconds=1")
    except KubeError as error:
        raise RuntimeError(
            "this cluster's API server offers no streaming lists, by which the demo watches; nothing was changed. "
            f"Use Kubernetes 1.34 or later, or the feature gate WatchList. {error}"
        ) from None


def images() -> dict[str, str]:
    """References of operator, worker, sklearn, trainer and airline, built and loaded where needed.

    `FAIRLEAD_IMAGES=operator=…,worker=…,sklearn=…,trainer=…,airline=…` names images that a cluster of one's own can
    pull.
    """
    try:
        given = builds.given((*builds.TARGETS, "airline"))
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    return given or builds.build() | {"airline": builds.load(str(feed.EXAMPLE), IMAGE)}


def install(references: dict[str, str]) -> None:
    """Install or upgrade Fairlead, and wait until it is ready."""
    chart.install({name: reference for name, reference in references.items() if name != "airline"})


def kube() -> Kube:
    """The cluster in use."""
    return Kube(chart.environment())


def manifests(name: str, image: str) -> list[Json]:
    """The objects of a manifest, with the airline's image pinned."""
    text = (feed.EXAMPLE / name).read_text().replace(IMAGE, image)
    return [item for item in yaml.safe_load_all(text) if item]


def placed(item: Json, nodes: list[Json]) -> tuple[Json, list[str]]:
    """A pipeline whose steps ask for GPUs only where an open node has such; and the names of the steps changed."""
    without = []
    for step in item["spec"].get("steps") or []:
        gpu = (step.get("resources") or {}).get("gpu")
        if gpu and not any(offers(node, gpu) for node in nodes):
            del step["resources"]["gpu"]
            without.append(str(step["name"]))
    return item, without


def offers(node: Json, gpu: Json) -> bool:
    """Whether a node has as many GPUs of the product."""
    labels, allocatable = node["metadata"].get("labels") or {}, node["status"].get("allocatable") or {}
    product = gpu.get("product")
    return int(allocatable.get(GPU, "0")) >= int(gpu.get("count", 1)) and product in (None, labels.get(GPU_PRODUCT))


def nodes(cluster: Kube) -> list[Json]:
    """The nodes that take any pod."""
    return onnodes.workers(json.loads(cluster.call("get", "nodes", "-o", "json")))


def namespace(cluster: Kube) -> None:
    """The airline's namespace, and the Secret with which its bucket is reached."""
    cluster.apply(*manifests("namespace.yaml", IMAGE))
    cluster.apply(feed.secret_manifest(feed.credentials(cluster), NAMESPACE))


def buckets(client: Any) -> None:
    """The airline's bucket, and the one where Fairlead keeps versions and models."""
    for bucket in (feed.BUCKET, feed.STORE):
        feed.ensure_bucket(client, bucket)


def start_over(cluster: Kube) -> None:
    """Take away all that the story has made, in the cluster and in the buckets."""
    cluster.call(
        "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", "--timeout=180s", "--request-timeout=0"
    )
    with feed.store(cluster) as client:
        buckets(client)
        feed.empty(client)
