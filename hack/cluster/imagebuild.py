"""Images of Dockerfiles: buildah builds them on our base image, and what comes out is kept as an archive."""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import context, hostconfig, images, oci
from hack.cluster.progress import Progress
from hack.cluster.settings import BUILD_DIR, Paths
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
    record = _record(kept_at(where, request)) if request.dockerfile.is_file() else {}
    return str(record["digest"]) if record and record["key"] == key(where, source, request) else None


def kept_at(where: Paths, request: Request) -> Path:
    """Where the archive of an image is, or will be."""
    return where.cache / "built" / f"{hashlib.sha256(request.reference.encode()).hexdigest()[:16]}.tar"


def _record(made: Path) -> dict[str, str]:
    """What an archive was built from; empty when it was not built."""
    record = made.with_suffix(".json")
    return dict(json.loads(record.read_text())) if made.exists() and record.exists() else {}


def build(where: Paths, source: Path, request: Request, progress: Progress) -> tuple[Path, str]:
    """Build the folder's Dockerfile, unless just that was built before; the archive and its digest."""
    if not request.dockerfile.is_file():
        raise ClusterError(f"{request.dockerfile} does not exist; name a Dockerfile with --file")
    wanted = key(where, source, request)
    target = kept_at(where, request)
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
