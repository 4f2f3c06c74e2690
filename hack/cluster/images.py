"""The cluster's own images: what is in each, made into OCI archives and imported into containerd."""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import builds, debian, oci, wheels
from hack.cluster.lock import in_turn
from hack.cluster.progress import Progress
from hack.cluster.recipes import BY_NAME
from hack.cluster.settings import (
    CONTAINERD_SOCKET,
    DEBIAN,
    ENVOY,
    ENVOY_GATEWAY,
    PROMETHEUS,
    PROMETHEUS_OPERATOR,
    TRAEFIK,
    VERSITYGW,
    Paths,
)
from hack.cluster.shell import run

REGISTRY = "fairlead.local"
NONROOT = "65532:65532"
FORMAT = "2"
IMPORTS = 3
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """One image: programs on top of nothing, or on top of the base."""

    name: str
    tag: str
    programs: tuple[str, ...] = ()
    on_base: bool = False
    entrypoint: str = ""
    user: str = NONROOT
    data: tuple[Path, ...] = ()

    @property
    def reference(self) -> str:
        """Its full name."""
        return f"{REGISTRY}/{self.name}:{self.tag}"

    @property
    def folder(self) -> str:
        """Where its programs lie: prometheus-operator looks in /bin, which is a link in the base."""
        return "usr/local/bin" if self.on_base else "bin"


def _release(version: str) -> str:
    """Prometheus 3.11.3 is the Go module's v0.311.3."""
    number = int(version.split(".")[1])
    return f"{number // 100}.{number % 100}.{version.split('.')[2]}"


ALERTMANAGER_SHARE = Path("/usr/share/prometheus/alertmanager")
PROMETHEUS_RELEASE = _release(PROMETHEUS)
IMAGES = [
    Image("base", "1", on_base=True, user=""),
    Image("pause", "1", ("pause",), entrypoint="pause"),
    Image("envoy", ENVOY, ("envoy",), on_base=True, entrypoint="envoy"),
    Image("envoy-gateway", ENVOY_GATEWAY, ("envoy-gateway",), on_base=True, entrypoint="envoy-gateway"),
    Image("traefik", TRAEFIK, ("traefik",), entrypoint="traefik"),
    Image("prometheus", PROMETHEUS_RELEASE, ("prometheus",), entrypoint="prometheus"),
    Image("prometheus-operator", PROMETHEUS_OPERATOR, ("operator",), entrypoint="operator"),
    Image(
        "prometheus-config-reloader",
        PROMETHEUS_OPERATOR,
        ("prometheus-config-reloader",),
        entrypoint="prometheus-config-reloader",
    ),
    Image(
        "alertmanager",
        DEBIAN,
        ("alertmanager",),
        on_base=True,
        entrypoint="alertmanager",
        data=(ALERTMANAGER_SHARE / "default.tmpl", ALERTMANAGER_SHARE / "email.tmpl"),
    ),
    Image("versitygw", VERSITYGW, ("versitygw",), entrypoint="versitygw"),
]
BY_IMAGE = {image.name: image for image in IMAGES}
BASE = BY_IMAGE["base"].reference
PAUSE = BY_IMAGE["pause"].reference
RECIPE_OF = {program: recipe for recipe in BY_NAME.values() for program in recipe.programs}
ALERTMANAGER = Path("/usr/bin/prometheus-alertmanager")


def program_path(where: Paths, program: str) -> Path:
    """Where the program that goes into an image lies on this machine."""
    if program == "alertmanager":
        return ALERTMANAGER
    if program in wheels.BY_PROGRAM:
        return wheels.path(where, wheels.BY_PROGRAM[program])
    return builds.folder(where, RECIPE_OF[program]) / program


def archive(where: Paths, image: Image) -> Path:
    """Where the image's archive lies."""
    return where.images / f"{image.name}-{image.tag}.tar"


def digest(where: Paths, image: Image) -> str | None:
    """The digest of the archive, when it was made of what is there now."""
    try:
        record = json.loads(archive(where, image).with_suffix(".json").read_text())
    except (OSError, ValueError):
        return None
    fresh = record.get("inputs") == _inputs(where, image) and archive(where, image).exists()
    return str(record["digest"]) if fresh else None


def _inputs(where: Paths, image: Image) -> str:
    words = [repr(image), image.folder, FORMAT]
    sources = [program_path(where, program) for program in image.programs]
    if image.on_base:
        sources.append(debian.rootfs(where))
    for path in sources:
        status = path.stat() if path.exists() else None
        words.append(f"{path.parent.name}/{path.name} {status.st_size if status else 0}")
        if path == ALERTMANAGER and status:
            words.append(str(int(status.st_mtime)))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def build_archive(where: Paths, image: Image) -> None:
    """Write the image's archive and the record of what it was made of, unless it is there."""
    target = archive(where, image)
    with in_turn(where.cache / "locks" / f"{target.name}.lock"):
        if not digest(where, image):
            _write(where, image, target)


def _write(where: Paths, image: Image, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    layers = [debian.rootfs(where)] if image.on_base else []
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        if image.programs:
            layer = Path(scratch) / "layer.tar"
            files = {f"{image.folder}/{program}": program_path(where, program) for program in image.programs}
            files |= {str(path).lstrip("/"): path for path in image.data}
            oci.write_layer(layer, files, {} if image.on_base else {"tmp": 0o1777})
            layers.append(layer)
        entrypoint = [f"/{image.folder}/{image.entrypoint}"] if image.entrypoint else []
        content = oci.Content(image.reference, layers, entrypoint, image.user, {"PATH": PATH})
        made = oci.write_archive(target, content)
    target.with_suffix(".json").write_text(json.dumps({"digest": made, "inputs": _inputs(where, image)}))


def build_archives(where: Paths, progress: Progress) -> None:
    """Write all archives that are absent or out of date."""
    todo = [image for image in IMAGES if not digest(where, image)]
    if todo:
        with progress.step(f"write {len(todo)} images", 10):
            for image in todo:
                build_archive(where, image)


def parse_list(text: str) -> dict[str, str]:
    """Names and digests from the output of `ctr images ls`."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def ctr(*words: str | Path) -> str:
    """Run `ctr` on our containerd, in the kubelet's namespace."""
    return run(["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *words]).stdout


def present() -> dict[str, str]:
    """What containerd has: name to digest."""
    return parse_list(ctr("images", "ls"))


def import_archive(path: Path) -> None:
    """Import an archive into containerd."""
    ctr("images", "import", path)


def _import_all(archives: list[Path]) -> None:
    """The first alone, because its layers are in many others; then several at a time."""
    for path in archives[:1]:
        import_archive(path)
    with ThreadPoolExecutor(max_workers=IMPORTS) as pool:
        for done in [pool.submit(import_archive, path) for path in archives[1:]]:
            done.result()


def import_missing(where: Paths, progress: Progress, images: Iterable[Image] = IMAGES) -> set[str]:
    """Import those images that containerd doesn't have with the same digest; names of those that it had otherwise."""
    have = present()
    todo = [image for image in images if have.get(image.reference) != digest(where, image)]
    if todo:
        with progress.step(f"import {len(todo)} images", 15):
            _import_all([archive(where, image) for image in todo])
    return {image.reference for image in todo if image.reference in have}
