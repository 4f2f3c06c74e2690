"""Clusters that are not started here: a user's own (FAIRLEAD_KUBECONFIG) and kind's (CLUSTER=kind)."""

import shutil
from pathlib import Path

from hack.cluster import builds, debian, gpus, images, loading, needs, onnodes, parts, registry, stack, wheels
from hack.cluster.checks import Problem
from hack.cluster.kube import Kube
from hack.cluster.progress import Progress
from hack.cluster.recipes import BUILDER_PACKAGES, BY_NAME, DEFAULT
from hack.cluster.settings import Paths, existing_kubeconfig
from hack.cluster.shell import ClusterError, Logged, run

KIND_NAME = "fairlead"
PATIENCE_S = 20


def up(where: Paths, progress: Progress) -> None:
    """Use the cluster as it is, and install only what it lacks of the stack."""
    where.cache.mkdir(parents=True, exist_ok=True)
    existing = existing_kubeconfig()
    if not existing:
        builds.build_all(where, DEFAULT, progress)
        builds.link(where, DEFAULT)
        _kind_up(where, progress)
    kube = connect(where, progress, existing or where.kubeconfig)
    if not existing:
        gpus.ensure(kube, f"{KIND_NAME}-control-plane")
    context = parts.Context(where, kube, host_volume=False)
    if existing:
        _require(needs.check(kube, ()), existing)
        known = onnodes.everywhere(kube.get("nodes") or {})
        stack.install(context, progress, known, lambda theirs: needs.check(kube, theirs))
    else:
        stack.install(context, progress)


def connect(where: Paths, progress: Progress, kubeconfig: Path) -> Kube:
    """A cluster that answers."""
    if existing_kubeconfig():
        clients(where, progress)
    kube = Kube(where.bin / "kubectl", kubeconfig)
    if not kube.ok("get", "--raw", "/readyz", f"--request-timeout={PATIENCE_S}s"):
        raise ClusterError(f"the cluster of {kube.kubeconfig} does not answer; check it with kubectl")
    return kube


def clients(where: Paths, progress: Progress) -> None:
    """The user's own kubectl and helm; those that are not on the PATH are built."""
    where.bin.mkdir(parents=True, exist_ok=True)
    for program, recipe in (("kubectl", "localkube"), ("helm", "helm")):
        found = shutil.which(program)
        if found and Path(found).parent != where.bin:
            builds.relink(where.bin / program, Path(found))
        elif not (where.bin / program).exists():
            builds.build_all(where, [BY_NAME[recipe]], progress)
            builds.relink(where.bin / program, builds.folder(where, BY_NAME[recipe]) / recipe)


def check(where: Paths, progress: Progress) -> None:
    """Raise with all that a cluster of the user's own lacks for Fairlead and its demo; change nothing there."""
    existing = existing_kubeconfig()
    if not existing:
        return
    _require(needs.check(connect(where, progress, existing)), existing)


def _require(found: list[Problem], existing: Path) -> None:
    if found:
        lines = "\n".join(map(str, found))
        raise ClusterError(f"the cluster of {existing} is not ready for Fairlead; nothing was changed:\n{lines}")


def down(where: Paths, progress: Progress) -> None:
    """Delete kind's cluster; a user's own is left as it is."""
    if existing_kubeconfig():
        raise ClusterError("FAIRLEAD_KUBECONFIG names a cluster of your own; `down` does not touch it")
    with progress.step("kind delete cluster", 10):
        run([_kind(), "delete", "cluster", "--name", KIND_NAME, "--kubeconfig", where.kubeconfig])
    shutil.rmtree(where.run, ignore_errors=True)


def provide(where: Paths, request: loading.Request, progress: Progress) -> str:
    """The reference under which the pods of the user's own cluster get an image: from its nodes, or pushed."""
    existing = existing_kubeconfig()
    assert existing is not None
    kube = connect(where, progress, existing)
    _require(needs.check(kube, ()), existing)
    target = registry.named()
    if target:
        provide_builder(where, progress)
        archive, built = loading.archive(where, request, progress)
    digest = built if target else loading.known(where, request)
    found = onnodes.usable(kube.get("nodes") or {}, request.reference, digest)
    if found and digest and found.endswith(digest) and (not target or target.serves(found, request.reference)):
        progress.say(f"{request.reference}: the nodes have just this build")
        return found
    if target:
        return registry.push(where, target, archive, request.reference, built, progress)
    if found:
        sure = digest and "@" in found
        differs = "this tree gives another one" if sure else "whether this tree gives the same is unknown"
        progress.say(f"{request.reference}: taken as the nodes have it; {differs} ({registry.VARIABLE}=… pushes it)")
        return found
    raise ClusterError(absent(request.reference))


def absent(reference: str) -> str:
    """What to do when the nodes don't have an image and there is nowhere to push it."""
    return (
        f"the nodes of your cluster do not report to have {reference}. Either\n"
        f"  - name a registry that the nodes pull from: {registry.VARIABLE}=registry.example.com/team; the image is\n"
        f"    built here and pushed there (`buildah login` first), or\n"
        f"  - load it into every node under just this name, and wait a minute: a kubelet's report lags, and names\n"
        f"    {onnodes.REPORTED} images unless nodeStatusMaxImages says otherwise\n"
        "  See docs/how-to/local-cluster.md, “Use a cluster that you have”"
    )


def provide_builder(where: Paths, progress: Progress) -> None:
    """What builds images: buildah, and the base image."""
    debian.install_packages(where, progress, BUILDER_PACKAGES)
    debian.build_rootfs(where, progress)
    images.build_archive(where, images.BY_IMAGE["base"])


def load(archive: Path, progress: Progress) -> None:
    """Bring an image into kind's cluster."""
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
    wheels.fetch_all(where, progress)
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
