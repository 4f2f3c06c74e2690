"""Clusters that are not started here: a user's own (FAIRLEAD_KUBECONFIG) and kind's (CLUSTER=kind)."""

import shutil
from pathlib import Path

from hack.cluster import builds, debian, gpus, imagebuild, images, kind, needs, onnodes, parts, registry, stack
from hack.cluster.checks import Problem
from hack.cluster.kube import Kube
from hack.cluster.progress import Progress
from hack.cluster.recipes import BUILDER_PACKAGES, BY_NAME
from hack.cluster.settings import Paths, existing_kubeconfig
from hack.cluster.shell import ClusterError

PATIENCE_S = 20


def up(where: Paths, progress: Progress) -> None:
    """Use the cluster as it is, and install only what it lacks of the stack."""
    where.cache.mkdir(parents=True, exist_ok=True)
    existing = existing_kubeconfig()
    if not existing:
        clients(where, progress)
        kind.up(where, progress)
    kube = connect(where, progress, existing or where.kubeconfig)
    if not existing:
        gpus.ensure(kube, kind.NODE)
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
    kind.down(where, progress)


def provide(where: Paths, request: imagebuild.Request, progress: Progress) -> str:
    """The reference under which the pods of the user's own cluster get an image: from its nodes, or pushed."""
    existing = existing_kubeconfig()
    assert existing is not None
    kube = connect(where, progress, existing)
    _require(needs.check(kube, ()), existing)
    target = registry.named()
    if target:
        provide_builder(where, progress)
        archive, built = imagebuild.archive(where, request, progress)
    digest = built if target else imagebuild.known(where, request)
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
