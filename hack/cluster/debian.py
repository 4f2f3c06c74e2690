"""What comes from Debian: packages, and the root file system of the base image."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.lock import in_turn
from hack.cluster.progress import Progress
from hack.cluster.recipes import DEBIAN_PACKAGES
from hack.cluster.settings import DEBIAN, Paths
from hack.cluster.shell import ClusterError, CommandError, Logged, Word, run

BASE_PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
ATTEMPTS = 3
POLICY = Path("/usr/sbin/policy-rc.d")
PYTHONS = ("python3", "/usr/bin/python3")
SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))


def absent_packages(names: Sequence[str] = DEBIAN_PACKAGES) -> list[str]:
    """Those of our packages that are not installed; pip among them when all are asked for (Envoy comes by it)."""
    shown = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *names], check=False).stdout
    present = {line.split()[0] for line in shown.splitlines() if line.split()[1:] == ["ii"]}
    absent = [name for name in names if name not in present]
    return [*absent, "python3-pip"] if names is DEBIAN_PACKAGES and not pip() else absent


def pip() -> list[str] | None:
    """A pip that works: this Python's, or another one's."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    for python in PYTHONS:
        if shutil.which(python) and run([python, "-c", "import pip"], check=False).returncode == 0:
            return [python, "-m", "pip"]
    return None


def install_packages(where: Paths, progress: Progress, names: Sequence[str] = DEBIAN_PACKAGES) -> None:
    """Install what is absent; a mirror may fail for a moment, so it is tried again."""
    with in_turn(where.cache / "locks" / "packages"):
        absent = absent_packages(names)
        if absent:
            _install(where, progress, absent)


def _install(where: Paths, progress: Progress, absent: Sequence[str]) -> None:
    log = where.logs / "apt.log"
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *absent]
    with progress.step(f"install {len(absent)} Debian packages", 30), no_services():
        for attempt in range(1, ATTEMPTS + 1):
            try:
                Logged().run(["apt-get", "update", "-q"], log, env=env)
                Logged().run(install, log, env=env)
                return
            except CommandError:
                if attempt == ATTEMPTS:
                    raise


@contextmanager
def no_services(policy: Path = POLICY) -> Iterator[None]:
    """Packages bring services that we don't want started; Debian's means against it, for as long as we install."""
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def mirror(sources: str) -> str | None:
    """The first Debian mirror that an apt configuration names (both of its formats)."""
    found = re.search(r"^\s*(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(\S+/debian/?)(?:\s|$)", sources, re.MULTILINE)
    return found.group(1) if found else None


def apt_sources() -> str:
    """All of the machine's apt configuration that is in force."""
    main, folder = SOURCES
    files = [main] if main.exists() else []
    if folder.exists():
        files += sorted(p for p in folder.iterdir() if p.suffix in (".list", ".sources"))
    return "\n".join(path.read_text(errors="replace") for path in files)


def rootfs(where: Paths) -> Path:
    """The base image's files, as a tar archive in the cache."""
    return where.cache / "rootfs" / f"{DEBIAN}-{'-'.join(BASE_PACKAGES)}-{os.uname().machine}.tar"


def build_rootfs(where: Paths, progress: Progress) -> None:
    """Make the base image's files with debootstrap."""
    with in_turn(where.cache / "locks" / "rootfs"):
        if not rootfs(where).exists():
            _bootstrap(where, rootfs(where), progress)


def _bootstrap(where: Paths, target: Path, progress: Progress) -> None:
    source = mirror(apt_sources())
    if not source:
        raise ClusterError("no Debian mirror in /etc/apt/sources.list or sources.list.d; debootstrap needs one")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    log = where.logs / "debootstrap.log"
    arguments: list[Word] = ["--variant=minbase", f"--include={','.join(BASE_PACKAGES)}", DEBIAN, scratch, source]
    with progress.step("base image: debootstrap", 70):
        Logged().run(["debootstrap", *arguments], log)
        _slim(scratch)
        archive = target.with_suffix(".tar.new")
        names = sorted(path.name for path in scratch.iterdir())
        fixed: list[Word] = ["--numeric-owner", "--sort=name", "--one-file-system"]
        fixed += [f"--exclude={name}/*" for name in ("proc", "sys", "dev")]
        Logged().run(["tar", "-C", scratch, *fixed, "-cf", archive, *names], log)
        archive.replace(target)
        shutil.rmtree(scratch, ignore_errors=True)


def _slim(root: Path) -> None:
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log"):
        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
