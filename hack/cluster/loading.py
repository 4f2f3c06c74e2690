"""`load-image`: build a Dockerfile with buildah on our base image, and import what comes out into the cluster."""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import context, hostconfig, images, oci
from hack.cluster.lock import in_turn
from hack.cluster.progress import Progress
from hack.cluster.settings import BUILD_DIR, Paths, existing_kubeconfig, flavour
from hack.cluster.shell import ClusterError, Logged, run

BASE_ARGUMENT = "BASE_IMAGE"
MOST_LAYERS = 250


@dataclass(frozen=True)
class Request:
    """What to load, and under which name."""

    source: str
    name: str
    file: str | None = None
    target: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The image's full name."""
        return full_name(self.name)

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile."""
        return Path(self.file).absolute() if self.file else Path(self.source).absolute() / "Dockerfile"

    def build_arguments(self) -> dict[str, str]:
        """Build arguments, the base image among them."""
        given = dict(item.partition("=")[::2] for item in self.arguments)
        return {BASE_ARGUMENT: images.BASE, **given}


def full_name(name: str) -> str:
    """`operator` and `operator:1` under our registry's name; a name with a registry as it is."""
    first, _, rest = name.partition("/")
    named = name if rest and ("." in first or ":" in first) else f"{images.REGISTRY}/{name}"
    return named if ":" in named.rpartition("/")[2] else f"{named}:latest"


def load(where: Paths, request: Request, progress: Progress) -> str:
    """Load the image; its reference with digest (`NAME:TAG@sha256:…`). The same image is loaded by one at a time."""
    name = _archive(where, request).with_suffix(".lock").name
    with in_turn(where.cache / "locks" / name):
        return _load(where, request, progress)


def build_only(where: Paths, request: Request, progress: Progress) -> None:
    """Have the archive in the cache, for `load`. It needs no cluster: `up` may be at work beside."""
    from hack.cluster import foreign

    foreign.provide_builder(where, progress)
    name = _archive(where, request).with_suffix(".lock").name
    with in_turn(where.cache / "locks" / name):
        archive(where, request, progress)


def _load(where: Paths, request: Request, progress: Progress) -> str:
    if existing_kubeconfig():
        from hack.cluster import foreign

        return foreign.provide(where, request, progress)
    if flavour() == "kind":
        from hack.cluster import kind

        return kind.provide(where, request, progress)
    made, digest = archive(where, request, progress)
    present = images.present()
    pinned = f"{request.reference.rpartition(':')[0]}@{digest}"
    if present.get(request.reference) != digest or pinned not in present:
        with progress.step(f"import {request.reference}", 5):
            _import(made, request.reference, pinned)
    return f"{request.reference}@{digest}"


def archive(where: Paths, request: Request, progress: Progress) -> tuple[Path, str]:
    """The archive that is given, or the one that is built from the folder; and its digest."""
    source = Path(request.source).absolute()
    if source.is_file():
        return source, oci.manifest_digest(source)
    return build(where, source, request, progress)


def known(where: Paths, request: Request) -> str | None:
    """The digest of what `archive` would give, when that needs no building."""
    source = Path(request.source).absolute()
    if source.is_file():
        return oci.manifest_digest(source)
    record = _record(_archive(where, request)) if request.dockerfile.is_file() else {}
    return str(record["digest"]) if record and record["key"] == key(where, source, request) else None


def _archive(where: Paths, request: Request) -> Path:
    return where.cache / "built" / f"{hashlib.sha256(request.reference.encode()).hexdigest()[:16]}.tar"


def _record(made: Path) -> dict[str, str]:
    """What an archive was built from; empty when it was not built."""
    record = made.with_suffix(".json")
    return dict(json.loads(record.read_text())) if made.exists() and record.exists() else {}


def _import(archive: Path, reference: str, pinned: str) -> None:
    """Import under its name and, because the kubelet looks for `name:tag@digest` as `name@digest`, under that too."""
    images.import_archive(archive)
    if reference not in images.present():
        raise ClusterError(f"{archive} was imported, but names no {reference}; write the archive under that name")
    images.ctr("images", "tag", "--force", reference, pinned)


def build(where: Paths, source: Path, request: Request, progress: Progress) -> tuple[Path, str]:
    """Build the folder's Dockerfile, unless just that was built before; the archive and its digest."""
    if not request.dockerfile.is_file():
        raise ClusterError(f"{request.dockerfile} does not exist; name a Dockerfile with --file")
    wanted = key(where, source, request)
    target = _archive(where, request)
    record, earlier = target.with_suffix(".json"), _record(target)
    if earlier.get("key") == wanted:
        return target, earlier["digest"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with progress.step(f"build image {request.reference}", 60):
        image = _buildah(where, source, request)
        if image != earlier.get("image"):  # a change that this stage doesn't see leaves the image as it was
            record.unlink(missing_ok=True)
            _write(where, request, target)
        _prune(where)
    digest = oci.manifest_digest(target)
    written = {"key": wanted, "image": image, "digest": digest, "reference": request.reference}
    record.write_text(json.dumps(written))
    return target, digest


def key(where: Paths, source: Path, request: Request) -> str:
    """A hash of all that decides what comes out."""
    base = images.digest(where, images.BY_IMAGE["base"])
    parts = [context.digest(source), request.dockerfile.read_text(), request.reference, str(base)]
    parts.append(request.target or "")
    return hashlib.sha256("\0".join([*parts, repr(sorted(request.build_arguments().items()))]).encode()).hexdigest()


def buildah(where: Paths) -> list[str | Path]:
    """buildah with its storage in our cache."""
    folders: list[str | Path] = ["--root", where.cache / "buildah", "--runroot", BUILD_DIR]
    return ["buildah", *folders, "--storage-driver", "overlay"]


def _buildah(where: Paths, source: Path, request: Request) -> str:
    """Build; the id of the image in buildah's storage."""
    log = where.logs / "load-image.log"
    _provide_base(where)
    arguments = [word for item in request.build_arguments().items() for word in ("--build-arg", "=".join(item))]
    with tempfile.TemporaryDirectory() as name:
        volumes = [word for volume in hostconfig.volumes(Path(name)) for word in ("--volume", volume)]
        options: list[str | Path] = ["--isolation", "chroot", "--layers", "--force-rm", "--pull-never"]
        options += ["--timestamp", "0"]
        stage = ["--target", request.target] if request.target else []
        target: list[str | Path] = ["--file", request.dockerfile, *stage, "--tag", request.reference, source]
        Logged().run([*buildah(where), "bud", "--iidfile", f"{name}/id", *options, *arguments, *volumes, *target], log)
        return Path(name, "id").read_text().strip()


def _write(where: Paths, request: Request, archive: Path) -> None:
    """Write the image out of buildah's storage; the archive is whole or not there."""
    log = where.logs / "load-image.log"
    scratch = archive.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    push = ["push", "--disable-compression", request.reference, f"oci-archive:{scratch}:{request.reference}"]
    Logged().run([*buildah(where), *push], log)
    scratch.replace(archive)


def _prune(where: Paths) -> None:
    """Layers of earlier builds make the next one fast, but they pile up: past a limit, start over from the base."""
    count = len(run([*buildah(where), "images", "--all", "--quiet"]).stdout.split())
    if count > MOST_LAYERS:
        run([*buildah(where), "rmi", "--all", "--force"], check=False)


def _provide_base(where: Paths) -> None:
    base = images.BY_IMAGE["base"]
    digest = images.digest(where, base)
    if not digest:
        raise ClusterError("the base image was not made yet; run `python3 hack/cluster up` first")
    listed = run([*buildah(where), "images", "--json"]).stdout
    names = {name: entry for entry in json.loads(listed or "[]") for name in entry.get("names") or []}
    if names.get(base.reference, {}).get("digest") != digest:
        pulled = run([*buildah(where), "pull", "--quiet", f"oci-archive:{images.archive(where, base)}"]).stdout
        run([*buildah(where), "tag", pulled.split()[-1], base.reference])
