"""Build what the recipes name into the cache, each at most once per version and source."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.progress import Progress
from hack.cluster.recipes import LIBRARIES_S, STRIP, Recipe
from hack.cluster.settings import Paths
from hack.cluster.shell import ClusterError, Logged, run

MEMORY_FOR_ONE_MIB = 2_500
"""What linking the largest program takes, and some room."""
ENVIRONMENT = {"CGO_ENABLED": "0"}
PACKAGE = re.compile(rb"[a-zA-Z0-9_.~-]+(/[a-zA-Z0-9_.~-]+)*")
"""A package's name, alone in a line."""
SCRATCH = re.compile(r"-[0-9a-f]{16}\.\d+\Z")


def key(recipe: Recipe) -> str:
    """A hash of all that decides what comes out."""
    digest = hashlib.sha256(json.dumps(asdict(recipe) | {"expected": 0}, sort_keys=True).encode())
    digest.update(os.uname().machine.encode())
    if recipe.source:
        for path in sorted(recipe.folder.rglob("*")):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def folder(where: Paths, recipe: Recipe) -> Path:
    """Where its programs lie in the cache."""
    return where.cache / "bin" / f"{recipe.name}-{recipe.version}-{key(recipe)}"


def built(where: Paths, recipe: Recipe) -> bool:
    """Whether all its programs are in the cache."""
    return all((folder(where, recipe) / program).exists() for program in recipe.programs)


def missing(where: Paths, recipes: Iterable[Recipe]) -> list[Recipe]:
    """Those still to build."""
    return [recipe for recipe in recipes if not built(where, recipe)]


def together(recipes: Iterable[Recipe]) -> list[list[Recipe]]:
    """Those that one `go` builds: all of a module, and each published program by itself."""
    groups = dict[tuple[str, str], list[Recipe]]()
    for recipe in recipes:
        groups.setdefault((recipe.source, "" if recipe.source else recipe.name), []).append(recipe)
    return list(groups.values())


def title(recipes: Sequence[Recipe]) -> str:
    """What to show."""
    names = [f"{recipe.name} {recipe.version}" for recipe in recipes]
    return f"build {names[0]}" if len(names) == 1 else f"build {len(names)} programs from source"


def expected(recipes: Sequence[Recipe]) -> float:
    """Seconds that a build takes when nothing of it is in Go's own cache and the cores are idle."""
    shared = LIBRARIES_S if recipes[0].source else 0
    return (shared + sum(recipe.expected for recipe in recipes)) / processes()


def command(recipes: Sequence[Recipe], output: Path) -> tuple[list[str], dict[str, str]]:
    """The go command that builds them, and its environment. `-v` names each package that is compiled: see `Seen`."""
    flags = ["-v", "-p", str(processes()), "-trimpath", *tags(recipes), "-ldflags", STRIP]
    flags += [f"-ldflags={one.packages[0]}={STRIP} {one.values}" for one in recipes if one.values]
    packages = [package for recipe in recipes for package in recipe.packages]
    if recipes[0].source:
        return ["go", "build", "-buildvcs=false", *flags, "-o", f"{output}/", *packages], ENVIRONMENT
    return ["go", "install", *flags, *packages], {**ENVIRONMENT, "GOBIN": str(output)}


def tags(recipes: Sequence[Recipe]) -> list[str]:
    """The flag for the build tags of one module's recipes, which are the same for all of them."""
    return ["-tags", recipes[0].tags] if recipes[0].tags else []


def build(where: Paths, recipes: Sequence[Recipe], progress: Progress, runner: Logged) -> None:
    """Build what belongs together; the cache gets each recipe's programs whole or not at all."""
    first = folder(where, recipes[0])
    scratch = first.with_name(f"{first.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    argv, env = command(recipes, scratch)
    log = where.logs / f"build-{recipes[0].source or recipes[0].name}.log"
    cwd = recipes[0].folder if recipes[0].source else where.cache
    try:
        total = packages_of(recipes, progress) if recipes[0].source else 0
        seen = Seen.of(log, total) if total else None
        with progress.step(title(recipes), expected(recipes), seen):
            runner.run(argv, log, env=env, cwd=cwd)
        for recipe in recipes:
            _keep(where, recipe, scratch, log)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _keep(where: Paths, recipe: Recipe, made: Path, log: Path) -> None:
    """Move a recipe's programs to where they belong."""
    absent = [program for program in recipe.programs if not (made / program).exists()]
    if absent:
        raise ClusterError(f"{title([recipe])} made no {', '.join(absent)}; see {log}")
    whole = made / f"{recipe.name}.whole"
    whole.mkdir()
    for program in recipe.programs:
        (made / program).rename(whole / program)
    target = folder(where, recipe)
    shutil.rmtree(target, ignore_errors=True)
    whole.rename(target)


def packages_of(recipes: Sequence[Recipe], progress: Progress) -> int:
    """Fetch a module's sources; how many packages there are to compile at most."""
    packages = [package for recipe in recipes for package in recipe.packages]
    with progress.step("fetch the sources", 60):
        listed = run(["go", "list", "-deps", *tags(recipes), *packages], env=ENVIRONMENT, cwd=recipes[0].folder)
    return len(listed.stdout.split())


@dataclass(frozen=True)
class Seen:
    """How far a build has come: the packages that `go build -v` has named in its log, as a share of all."""

    log: Path
    start: int
    total: int

    @classmethod
    def of(cls, log: Path, total: int) -> "Seen":
        """For a build that begins now; earlier ones are in the log too."""
        return cls(log, log.stat().st_size if log.exists() else 0, total)

    def __call__(self) -> float:
        """From 0 to 1."""
        if not self.log.exists():
            return 0.0
        with self.log.open("rb") as log:
            log.seek(self.start)
            named = sum(1 for line in log if PACKAGE.fullmatch(line.rstrip()))
        return min(1.0, named / self.total)


def build_all(where: Paths, recipes: list[Recipe], progress: Progress) -> None:
    """Build all that is missing."""
    todo = missing(where, recipes)
    if not todo:
        return
    clear_scratch(where)
    runner = Logged()
    try:
        for group in together(todo):
            build(where, group, progress, runner)
    except BaseException:
        runner.stop()
        raise


def clear_scratch(where: Paths) -> None:
    """Remove what builds that were killed left half done."""
    for path in (where.cache / "bin").glob("*.*"):
        owner = path.name.rpartition(".")[2]
        if SCRATCH.search(path.name) and not Path("/proc", owner).exists():
            shutil.rmtree(path, ignore_errors=True)


def processes() -> int:
    """How many packages are compiled, or programs linked, at a time: as many as there are cores and memory for."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS: for kind
    return max(1, min(cores, memory // MEMORY_FOR_ONE_MIB))


def link(where: Paths, recipes: list[Recipe]) -> None:
    """Point the links in the state's bin folder at what the recipes built; kubectl is a name of localkube."""
    where.bin.mkdir(parents=True, exist_ok=True)
    names = {program: folder(where, recipe) / program for recipe in recipes for program in recipe.programs}
    names["kubectl"] = names["localkube"]
    for name, target in names.items():
        relink(where.bin / name, target)


def relink(link_path: Path, target: Path) -> None:
    """Make one link point there, without a moment in which it is not there."""
    if link_path.is_symlink() and Path(os.readlink(link_path)) == target:
        return
    scratch = link_path.with_name(f".{link_path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.replace(link_path)
