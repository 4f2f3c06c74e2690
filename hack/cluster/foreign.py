"""Clusters that are not started here: a user's own (FAIRLEAD_KUBECONFIG) and kind's (CLUSTER=kind)."""

import shutil
from pathlib import Path

from hack.cluster import builds, debian, gpus, images, parts, stack
from hack.cluster.kube import Kube
from hack.cluster.progress import Progress
from hack.cluster.recipes import BY_NAME, DEFAULT
from hack.cluster.settings import Paths, existing_kubeconfig
from hack.cluster.shell import ClusterError, Logged, run

KIND_NAME = "fairlead"


def up(where: Paths, progress: Progress) -> None:
    """Use the cluster as it is, and install only what it lacks of the stack."""
    where.cache.mkdir(parents=True, exist_ok=True)
    existing = existing_kubeconfig()
    if existing:
        _clients(where, progress)
    else:
        builds.build_all(where, DEFAULT, progress)
        builds.link(where, DEFAULT)
        _kind_up(where, progress)
    kube = Kube(where.bin / "kubectl", existing or where.kubeconfig)
    if not kube.ok("get", "--raw", "/readyz"):
        raise ClusterError(f"the cluster of {kube.kubeconfig} does not answer; check it with kubectl")
    if not existing:
        gpus.ensure(kube, f"{KIND_NAME}-control-plane")
    context = parts.Context(where, kube, host_volume=False)
    stack.install(context, progress, images_known(kube) if existing else None)


def _clients(where: Paths, progress: Progress) -> None:
    """The user's own kubectl and helm; those that are not on the PATH are built."""
    where.bin.mkdir(parents=True, exist_ok=True)
    for program, recipe in (("kubectl", "localkube"), ("helm", "helm")):
        found = shutil.which(program)
        if found and Path(found).parent != where.bin:
            builds.relink(where.bin / program, Path(found))
        elif not (where.bin / program).exists():
            builds.build_all(where, [BY_NAME[recipe]], progress)
            builds.relink(where.bin / program, builds.folder(where, BY_NAME[recipe]) / recipe)


def images_known(kube: Kube) -> set[str]:
    """Those of our images that the nodes of a cluster report to have."""
    nodes = kube.get("nodes") or {"items": []}
    listed = [entry for node in nodes["items"] for entry in node["status"].get("images") or []]
    return {name for entry in listed for name in entry.get("names") or []}


def down(where: Paths, progress: Progress) -> None:
    """Delete kind's cluster; a user's own is left as it is."""
    if existing_kubeconfig():
        raise ClusterError("FAIRLEAD_KUBECONFIG names a cluster of your own; `down` does not touch it")
    with progress.step("kind delete cluster", 10):
        run([_kind(), "delete", "cluster", "--name", KIND_NAME, "--kubeconfig", where.kubeconfig])
    shutil.rmtree(where.run, ignore_errors=True)


def load(archive: Path, progress: Progress) -> None:
    """Bring an image into the cluster."""
    if existing_kubeconfig():
        raise ClusterError(f"push the image to your cluster's registry; it lies in {archive}")
    with progress.step(f"kind load {archive.name}", 10):
        run([_kind(), "load", "image-archive", archive, "--name", KIND_NAME])


def _kind() -> str:
    found = shutil.which("kind")
    if not found:
        raise ClusterError("CLUSTER=kind needs the programs kind and docker; neither is installed from here")
    return found


def _kind_up(where: Paths, progress: Progress) -> None:
    debian.install_packages(where, progress)
    debian.build_rootfs(where, progress)
    images.fetch_envoy(where, progress)
    images.build_archives(where, progress)
    where.run.mkdir(parents=True, exist_ok=True)
    if KIND_NAME not in run([_kind(), "get", "clusters"]).stdout.split():
        with progress.step("kind create cluster", 60):
            Logged().run(
                [_kind(), "create", "cluster", "--name", KIND_NAME, "--kubeconfig", where.kubeconfig],
                where.logs / "kind.log",
            )
    for image in images.IMAGES:
        load(images.archive(where, image), progress)
