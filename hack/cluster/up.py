"""`up`: everything from an empty machine to a cluster with its stack; each part is skipped when it is there."""

from concurrent.futures import ThreadPoolExecutor

from hack import preflight
from hack.cluster import (
    assets,
    builds,
    debian,
    forecast,
    foreign,
    gpus,
    images,
    node,
    owners,
    parts,
    stack,
    waiting,
    wheels,
)
from hack.cluster.kube import Kube
from hack.cluster.lock import exclusive
from hack.cluster.progress import Progress
from hack.cluster.recipes import DEFAULT
from hack.cluster.settings import Paths, existing_kubeconfig, flavour
from hack.cluster.shell import ClusterError


def up(where: Paths, progress: Progress) -> None:
    """Bring the cluster up, whatever state it is in."""
    with exclusive(where.state / "lock"):
        preflight.require(where)
        if existing_kubeconfig() or flavour() == "kind":
            foreign.up(where, progress)
            return
        for gone in owners.clear_dead(where.state):
            progress.say(f"cleared away what a dead cluster of {gone} had left")
        expected = forecast.text(where, progress)
        if expected:
            progress.say(expected)
        prepare(where, progress)
        start(where, progress)


def prepare(where: Paths, progress: Progress) -> None:
    """Everything that needs the network, into the cache: packages, builds, images."""
    where.cache.mkdir(parents=True, exist_ok=True)
    debian.install_packages(where, progress)
    with ThreadPoolExecutor(max_workers=1) as beside:
        others = beside.submit(_fetch, where, progress)
        builds.build_all(where, DEFAULT, progress)
        others.result()
    builds.link(where, DEFAULT)
    images.build_archives(where, progress)


def _fetch(where: Paths, progress: Progress) -> None:
    """What waits for the network rather than for a core: it goes beside the builds."""
    debian.build_rootfs(where, progress)
    wheels.fetch_all(where, progress)
    assets.fetch_all(where)


def start(where: Paths, progress: Progress) -> None:
    """Start or repair the node and the stack."""
    kube = Kube(where.bin / "kubectl", where.kubeconfig)
    fresh = not where.run.exists()
    if fresh:
        node.sweep(where.state)
    since = gpus.now()
    started = start_node(where, progress, kube)
    replaced = images.import_missing(where, progress)
    gpus.await_node(kube, since if "kubelet" in started else None)
    gpus.ensure(kube)
    restart_users(kube, replaced)
    stack.install(parts.Context(where, kube, host_volume=True), progress)


def start_node(where: Paths, progress: Progress, kube: Kube) -> list[str]:
    """Start the node. etcd doesn't sync to disk, so a machine that lost power may have left it damaged data."""
    for _ in range(2):
        try:
            return node.start(where, images.PAUSE, progress, lambda: bootstrap(kube))
        except ClusterError:
            if node.living(where, "etcd") or not (where.run / "etcd").exists():
                raise
    progress.say("etcd can't read its data (the machine was stopped hard?): the cluster starts anew, S3's data is kept")
    node.stop(where, progress)
    node.delete_run_state(where, keep=("s3",))
    return node.start(where, images.PAUSE, progress, lambda: bootstrap(kube))


def restart_users(kube: Kube, references: set[str]) -> None:
    """Delete the pods of images that were replaced under the same name, so that they start with the new ones."""
    pods = (kube.get("pods", "-A") or {"items": []})["items"] if references else []
    for pod in pods:
        spec, meta = pod["spec"], pod["metadata"]
        if references & {part["image"] for part in [*spec["containers"], *spec.get("initContainers", [])]}:
            kube.call("delete", "pod", meta["name"], "-n", meta["namespace"], "--wait=false")


def bootstrap(kube: Kube) -> None:
    """Wait for the API server's own bootstrap, and give the node's processes their rights."""
    waiting.until(lambda: kube.ok("get", "--raw", "/readyz"), "kube-apiserver ready", timeout=60)
    kube.apply_manifest("bootstrap.yaml", {})
