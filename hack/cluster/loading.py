"""`load-image`: have an image built, and bring it to where the cluster's pods find it."""

from pathlib import Path

from hack.cluster import foreign, imagebuild, images, kind
from hack.cluster.imagebuild import Request
from hack.cluster.lock import in_turn
from hack.cluster.progress import Progress
from hack.cluster.settings import Paths, existing_kubeconfig, flavour
from hack.cluster.shell import ClusterError


def load(where: Paths, request: Request, progress: Progress) -> str:
    """Load the image; its reference with digest (`NAME:TAG@sha256:…`). The same image is loaded by one at a time."""
    name = imagebuild.kept_at(where, request).with_suffix(".lock").name
    with in_turn(where.cache / "locks" / name):
        return _load(where, request, progress)


def build_only(where: Paths, request: Request, progress: Progress) -> None:
    """Have the archive in the cache, for `load`. It needs no cluster: `up` may be at work beside."""
    foreign.provide_builder(where, progress)
    name = imagebuild.kept_at(where, request).with_suffix(".lock").name
    with in_turn(where.cache / "locks" / name):
        imagebuild.archive(where, request, progress)


def _load(where: Paths, request: Request, progress: Progress) -> str:
    if existing_kubeconfig():
        return foreign.provide(where, request, progress)
    if flavour() == "kind":
        return kind.provide(where, request, progress)
    made, digest = imagebuild.archive(where, request, progress)
    present = images.present()
    pinned = f"{request.reference.rpartition(':')[0]}@{digest}"
    if present.get(request.reference) != digest or pinned not in present:
        with progress.step(f"import {request.reference}", 5):
            _import(made, request.reference, pinned)
    return f"{request.reference}@{digest}"


def _import(archive: Path, reference: str, pinned: str) -> None:
    """Import under its name and, because the kubelet looks for `name:tag@digest` as `name@digest`, under that too."""
    images.import_archive(archive)
    if reference not in images.present():
        raise ClusterError(f"{archive} was imported, but names no {reference}; write the archive under that name")
    images.ctr("images", "tag", "--force", reference, pinned)
