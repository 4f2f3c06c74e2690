"""`fairlead dev run` from end to end: what was asked, where it lies, what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from fairlead.api import foreign
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunSpec, PipelineRunStatus
from fairlead.local import data, fields, files, handed, only
from fairlead.local.data import Version
from fairlead.local.jobs import Machine, Runs
from fairlead.local.run import CLOCK, Run
from fairlead.local.trouble import Trouble
from fairlead.local.ways import ENGINES, Code, Containers, Processes, shims
from fairlead.local.world import BUCKET, Here
from fairlead.plan.core import COMPONENT, DATASET, MODEL_VERSION, PIPELINE, PIPELINE_RUN, Json, rfc3339
from fairlead.plan.pipeline import dag, handover
from fairlead.plan.pipeline.types import registry as types

RECORD = "run.json"
"""In a run's folder."""
RECORD_LIMIT = 8 << 20
"""Characters of one that is read."""
_POD_FOLDER = re.compile(rb"(?<![\w./-])/fairlead/(in|out|code|secrets)\b")
"""As a program names it; not this package's own files, which its tracebacks name."""


@dataclass(frozen=True)
class Asked:
    """What a person has asked for."""

    file: Path
    documents: Sequence[Json] | None = None
    """What the file describes; None: it is YAML, and is read."""
    components: Sequence[Path] = ()
    """Further files, with Components."""
    data: Sequence[str] = ()
    """See data.located."""
    params: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[str] = ()
    """Empty: all."""
    out: Path = Path(".fairlead/runs")
    keep_going: bool = False
    containers: bool = False
    parallel: int = 1
    workdir: Path = Path()


@dataclass
class Prepared:
    """A run that can begin."""

    number: int
    folder: Path
    run: Run
    machine: Machine
    runs: Runs
    versions: list[Version]
    notes: list[str]

    def record(self) -> Json:
        """The run as an object, its outputs where they lie on this machine."""
        found: Json = self.here(self.run.manifest())
        return found

    def models(self) -> list[Json]:
        """The ModelVersions that it has made, as a cluster would have them."""
        return self.run.world.select(MODEL_VERSION)

    def here(self, value: Any) -> Any:
        """A JSON value with this machine's addresses in the place of the store's."""
        return _moved(value, f"s3://{BUCKET}/", f"file://{self.run.world.store}/{BUCKET}/")

    def failed_logs(self) -> list[str]:
        """For each step that failed: where its log is, and what to try where it looked for a pod's folders."""
        found = []
        for step in self.run.status.steps:
            tried = [p for p in self.machine.attempts.values() if p.step == step.name and p.phase != "Succeeded"]
            if step.items:  # those that were stopped because of it are not what failed
                tried = [pod for pod in tried if not pod.stopped] or tried
            logs = [pod.place.log for pod in tried]
            if step.phase != "Failed" or not logs:
                continue
            found.append(f"step {step.name} failed: {logs[-1]}")
            if not self.contained and _names_pod_folders(logs[-1]):
                found.append(
                    "  its program names /fairlead/… itself, which is in a pod: let it ask FAIRLEAD_IN and "
                    "FAIRLEAD_OUT (they are set in the cluster too), or run it in its image: --containers"
                )
        return found

    @property
    def contained(self) -> bool:
        """Whether steps run in containers."""
        return isinstance(self.runs, Containers)


def _moved(value: Any, start: str, to: str) -> Any:
    """A JSON value with other beginnings of addresses."""
    if isinstance(value, dict):
        return {key: _moved(one, start, to) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, start, to) for one in value]
    return to + value.removeprefix(start) if isinstance(value, str) and value.startswith(start) else value


def _names_pod_folders(log: Path) -> bool:
    try:
        with log.open("rb") as file:
            return any(_POD_FOLDER.search(line) for line in file)
    except OSError:
        return False


class Watcher(Protocol):
    """Who is told what happens."""

    def changed(self, status: PipelineRunStatus) -> None:
        """After each look that has changed it."""

    def heard(self, step: str, line: str) -> None:
        """A step has printed a line. From any thread."""

    def told(self, note: str) -> None:
        """Something that people should know, once. From any thread."""


def prepared(asked: Asked, watcher: Watcher) -> Prepared:
    """Read and check everything before anything runs. Raises Trouble."""
    more = asked.components
    given = files.read(asked.file, more) if asked.documents is None else files.given(asked.file, asked.documents, more)
    fields.check(given.pipeline.spec)
    spec = files.expanded(given, _with_components(Here(Path()), given)).spec
    if unknown := sorted(set(asked.params) - set(spec.params)):
        known = ", ".join(sorted(spec.params)) or "none"
        raise Trouble(f"--param {unknown[0]}: the Pipeline declares no such parameter; it has {known}")
    spec = only.steps(spec, asked.steps) if asked.steps else spec
    fields.check_chosen(spec)
    if asked.keep_going and (last := next((step for step in spec.steps if dag.is_last(step)), None)):
        raise Trouble(
            f"--keep-going: step {last.name} has `when: {last.when}`, and would not know how the run went; leave the "
            "option out, or name other steps by --step"
        )
    places = data.located(asked.data, dag.datasets(spec))
    engine = _engine() if asked.containers else ""
    number, folder = _new_folder(asked.out)
    try:
        return _ready(asked, given, spec, places, engine, number, folder, watcher)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # nothing has run: its number is free again
        raise


def _ready(
    asked: Asked, given: files.Given, spec: PipelineSpec, places: Mapping[str, Path], engine: str, number: int,
    folder: Path, watcher: Watcher,
) -> Prepared:  # fmt: skip
    world, stamp = _with_components(Here(folder / ".store"), given), rfc3339(CLOCK())
    versions = [
        data.version(name, path, given.datasets.get(name), given.namespace, world.store)
        for name, path in places.items()
    ]
    for made in versions:
        world.add(DATASET, made.manifest, stamp)
    find = partial(_completed, asked.out, number)
    for one in handed.over(handover.wanted(spec), find, asked.out, world.store, _moved):
        world.add(PIPELINE_RUN, one, stamp)
    if any(map(types.own_run, spec.steps)) and (last := find(given.name)):
        world.add(PIPELINE_RUN, last[1], stamp)  # what tells of this run compares it with that one
    written = only.same(given.pipeline.spec, spec)
    body = fields.local(written).model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    world.add(PIPELINE, {"metadata": {"name": given.name, "namespace": given.namespace}, "spec": body}, stamp)
    wanted = PipelineRunSpec(pipeline=given.name, params=dict(asked.params))
    run = Run(f"{given.name}-{number}", given.namespace, wanted, world, watcher.changed, asked.keep_going)
    code, notes = _code(asked.workdir, spec), fields.notes(spec, containers=asked.containers)
    where = code.root / code.path if code else asked.workdir.resolve()
    processes = Processes(where, shims(folder / ".bin"), code, watcher.told)
    runs: Runs = Containers(engine, processes, code) if engine else processes
    machine = Machine(folder / "steps", world.store, runs, asked.parallel, run.wake, watcher.heard)
    notes += [f"not used: {', '.join(given.others)}"] if given.others else []
    if code:
        at = f" (commit {code.commit[:12]} and what is not committed)" if code.commit else ""
        notes.append(f"the code is what lies in {code.root}{at}, not what spec.code says")
    return Prepared(number, folder, run, machine, runs, versions, notes)


def _with_components(world: Here, given: files.Given) -> Here:
    """A world with the Components that were given."""
    for one in given.components:
        if one["metadata"].get("namespace") in (None, given.namespace):
            world.add(COMPONENT, one, rfc3339(CLOCK()))
        else:
            world.add_elsewhere(COMPONENT, one)
    return world


def _code(workdir: Path, spec: PipelineSpec) -> Code | None:
    """What lies here in the place of a repository's commit: the working tree around the folder. Raises Trouble."""
    if spec.code is None:
        return None
    asked = ["git", "-C", str(workdir), "rev-parse", "--show-toplevel", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False) if shutil.which("git") else None
    root, commit = done.stdout.splitlines() if done and done.returncode == 0 else [str(workdir.resolve()), ""]
    git = spec.code.git
    if git and not Path(root, git.path).is_dir():
        raise Trouble(f"spec.code.git.path: there is no folder {git.path} in {root}; name another by --workdir")
    return Code(Path(root), git.path if git else "", commit)


def _engine() -> str:
    """The first container engine that answers."""
    there = [name for name in ENGINES if shutil.which(name)]
    for name in there:
        if subprocess.run([name, "version"], capture_output=True, check=False).returncode == 0:
            return name
    why = f"none of {', '.join(ENGINES)} is on this machine"
    if there:
        why = f"{', '.join(there)} is here and does not answer (`{there[0]} version` says why)"
    raise Trouble(f"--containers: {why}; without it steps run as processes")


def _new_folder(out: Path) -> tuple[int, Path]:
    """The next run's number and folder."""
    try:
        if not out.exists():
            out.mkdir(parents=True)
            (out / ".gitignore").write_text("*\n")
        number = max(numbers(out), default=0)
        while True:
            number += 1
            folder = out.resolve() / str(number)
            try:
                folder.mkdir()
            except FileExistsError:  # somebody else's, at the same moment
                continue
            return number, folder
    except OSError as error:
        raise Trouble(f"--out {out}: {error.strerror}; name a folder that can be written") from None


def numbers(out: Path) -> list[int]:
    """Of the runs in a folder, rising."""
    return sorted(int(name) for name in os.listdir(out) if name.isdecimal() and len(name) < 10)


def finish(done: Prepared) -> None:
    """Write the record, and the models as they would be in a cluster."""
    (done.folder / RECORD).write_text(json.dumps(done.record(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for one in done.here(done.models()):
        models = done.folder / "models"
        models.mkdir(exist_ok=True)
        name = one["metadata"]["name"]
        (models / f"{name}.json").write_text(json.dumps(one, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _completed(out: Path, number: int, pipeline: str) -> tuple[int, Json] | None:
    """The last run of a Pipeline before this one that has completed."""
    found = before(out, number, pipeline)
    while found is not None and (found[1].get("status") or {}).get("phase") != "Completed":
        found = before(out, found[0], pipeline)
    return found


def before(out: Path, number: int, pipeline: str) -> tuple[int, Json] | None:
    """The last run of a Pipeline before this one: its number and its record."""
    for earlier in reversed([one for one in numbers(out) if one < number]):
        try:
            found = foreign.parse((out / str(earlier) / RECORD).read_text(encoding="utf-8"), length=RECORD_LIMIT)
        except (OSError, ValueError):
            continue  # it was stopped before it had a record, or is another program's folder
        if isinstance(found, dict) and (found.get("spec") or {}).get("pipeline") == pipeline:
            return earlier, found
    return None
