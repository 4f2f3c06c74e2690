"""Build what the recipes name into the cache, two at a time, each at most once per version and source."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from hack.cluster.progress import Progress, clock
from hack.cluster.recipes import Recipe
from hack.cluster.settings import Paths
from hack.cluster.shell import ClusterError, Logged

MEMORY_FOR_TWO_MIB = 10_000
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


def command(recipe: Recipe, output: Path) -> tuple[list[str], dict[str, str]]:
    """The go command and its environment."""
    flags = ["-trimpath", "-ldflags", recipe.ldflags] + (["-tags", recipe.tags] if recipe.tags else [])
    env = {"CGO_ENABLED": "1" if recipe.cgo else "0"}
    if recipe.source:
        return ["go", "build", "-buildvcs=false", *flags, "-o", f"{output}/", *recipe.packages], env
    return ["go", "install", *flags, *recipe.packages], {**env, "GOBIN": str(output)}


def build(where: Paths, recipe: Recipe, progress: Progress, runner: Logged) -> None:
    """Build one recipe; the cache gets it whole or not at all."""
    target = folder(where, recipe)
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    argv, env = command(recipe, scratch)
    log = where.logs / f"build-{recipe.name}.log"
    try:
        with progress.step(recipe.title, recipe.expected):
            runner.run(argv, log, env=env, cwd=recipe.folder if recipe.source else where.cache)
        absent = [program for program in recipe.programs if not (scratch / program).exists()]
        if absent:
            raise ClusterError(f"{recipe.title} made no {', '.join(absent)}; see {log}")
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def build_all(where: Paths, recipes: list[Recipe], progress: Progress) -> None:
    """Build all that is missing; on an error the other build is stopped too."""
    todo = missing(where, recipes)
    if not todo:
        return
    clear_scratch(where)
    expected = sum(progress.expected(recipe.title, recipe.expected) or 0 for recipe in todo) / workers()
    progress.say(f"{len(todo)} programs to build from source, in all about {clock(expected)}")
    runner = Logged()
    with ThreadPoolExecutor(max_workers=workers()) as pool:
        futures = [pool.submit(build, where, recipe, progress, runner) for recipe in todo]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise


def clear_scratch(where: Paths) -> None:
    """Remove what builds that were killed left half done."""
    for path in (where.cache / "bin").glob("*.*"):
        owner = path.name.rpartition(".")[2]
        if SCRATCH.search(path.name) and not Path("/proc", owner).exists():
            shutil.rmtree(path, ignore_errors=True)


def workers() -> int:
    """How many builds at a time: two hide each other's single-threaded linking, where memory allows."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return 2 if total >= MEMORY_FOR_TWO_MIB else 1


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
