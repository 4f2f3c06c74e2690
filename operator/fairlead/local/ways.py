"""The two ways in which a step's container runs on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.api.tasks import INPUTS, OUTPUTS
from fairlead.local import container as containers
from fairlead.local.jobs import Place
from fairlead.local.program import Program
from fairlead.local.world import TRAINER, WORKER
from fairlead.manifests import pod
from fairlead.manifests.workers import COUNT_ENV
from fairlead.plan.core import Json
from fairlead.plan.pipeline import code

ENGINES = ("docker", "podman", "nerdctl")
POD_USER = "65532:65532"
"""User and group of pods; taken where the person is root, for a pod's program never is."""


@dataclass(frozen=True)
class Code:
    """This machine's folder in the place of a repository's commit."""

    root: Path
    path: str
    """Of the folder that steps run in, below it."""
    commit: str
    """That is checked out there; empty: it is no repository."""

    def env(self) -> dict[str, str]:
        """What a program is told of it, as in a pod."""
        return code.env(self.commit)


@dataclass
class Processes:
    """As processes: the image is not used, its program must be here.

    Args:
        folder: Where they run.
        shims: Folder with programs that come before all others.
        code: What is `/fairlead/code` in a pod, if there is something.
    """

    folder: Path
    shims: Path
    code: Code | None
    told: Callable[[str], None]
    """What people should know, once."""
    _rewritten: set[str] = field(default_factory=set)

    def program(self, container: Json, place: Place, heard: Callable[[str], None]) -> Program:
        """See Runs."""
        folders = place.folders() if self.code is None else place.folders(self.code.root)
        command = containers.as_process(_with(container, self.code), folders, os.environ, sys.executable)
        if new := folders.rewritten - self._rewritten:
            self._rewritten |= new
            self.told(
                f"texts of the manifest name {' and '.join(sorted(new))}: they are folders of the run here; a "
                "program finds them in FAIRLEAD_IN and FAIRLEAD_OUT, here and in the cluster"
            )
        path = os.pathsep.join([str(self.shims), str(Path(sys.executable).parent), command.env.get("PATH", os.defpath)])
        return Program(command.words, command.env | {"PATH": path}, self.folder, place.log, heard=heard)


def _with(container: Json, found: Code | None) -> Json:
    """A container that is told of its code too."""
    return (
        container if found is None else container | {"env": [*(container.get("env") or ()), *pod.env_list(found.env())]}
    )


def shims(folder: Path) -> Path:
    """Make programs `python` and `python3` that are this interpreter, also where a shell starts them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        path.chmod(0o755)
    return folder


@dataclass
class Containers:
    """In containers of an engine that is on this machine. What comes with Fairlead runs as it does without."""

    engine: str
    processes: Processes
    code: Code | None = None
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def program(self, container: Json, place: Place, heard: Callable[[str], None]) -> Program:
        """See Runs."""
        if container["image"] in (WORKER, TRAINER):
            return self.processes.program(container, place, heard)
        several = any(one["name"] == COUNT_ENV for one in container.get("env") or ())
        name = "-".join(["fairlead", str(os.getpid()), *place.folder.parts[-3 if several else -2 :]])
        user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else POD_USER
        mounts = {INPUTS: str(place.inputs), OUTPUTS: str(place.outputs)}
        if self.code is not None:
            mounts[code.FOLDER] = str(self.code.root)
            container = container | {"workingDir": f"{code.FOLDER}/{self.code.path}".rstrip("/")}
        if not os.getuid():
            place.outputs.chmod(0o777)
        command = containers.as_container(
            _with(container, self.code), self.engine, name, user, mounts, [INPUTS, code.FOLDER],
            network="host" if several else "",
        )  # fmt: skip

        def kill() -> None:
            subprocess.run([self.engine, "kill", name], env=dict(self.env), capture_output=True, check=False)

        return Program(command.words, self.env, place.folder, place.log, heard=heard, also=kill, reaped=False)
