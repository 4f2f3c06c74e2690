"""A container of a Job as a command of this machine, or of its container engine: what runs, with which variables. Pure.

Kubernetes expands `$(NAME)` in commands, arguments and variables, and takes `$$` for a dollar; so does this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead.manifests.pod import TMP
from fairlead.plan.core import Json

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
_PLAIN = re.compile(r"[A-Za-z0-9_./@%+=:,~^-]*")
"""Paths that mean the same in a shell, in quotes or not."""


@dataclass(frozen=True)
class Command:
    """What runs."""

    words: list[str]
    env: dict[str, str]


class Unusable(Exception):  # noqa: N818 - the house's names of errors
    """The container can't run in this way; the message says which field it is, and what to do."""


def expanded(text: str, env: Mapping[str, str]) -> str:
    """As the kubelet expands it: an unknown `$(NAME)` stays, `$$(NAME)` is `$(NAME)`."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else env.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def variables(container: Json) -> dict[str, str]:
    """A container's variables: each may name those before it."""
    env: dict[str, str] = {}
    for one in container.get("env") or ():
        env[one["name"]] = expanded(str(one.get("value", "")), env)
    return env


def words(container: Json, env: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Command (empty: the image's entry point) and arguments."""
    command, args = ([expanded(word, env) for word in container.get(key) or ()] for key in ("command", "args"))
    return command, args


class Folders:
    """Where the folders of a container are on this machine.

    Args:
        at: This machine's folder by the container's.
    """

    def __init__(self, at: Mapping[str, str]) -> None:
        self._at = at
        names = "|".join(re.escape(path) for path in sorted(at, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w.-])({names})(?![\w.-])")
        self.rewritten: set[str] = set()
        """The container's folders that texts have named."""

    def named(self, text: str) -> bool:
        """Whether a text names one of the container's folders."""
        return bool(self._pattern.search(text))

    def here(self, text: str) -> str:
        """A text with this machine's folders. Raises Unusable where a shell would take the path for several words."""

        def path(match: re.Match[str]) -> str:
            self.rewritten.add(match[1])
            here = self._at[match[1]]
            if not _PLAIN.fullmatch(here) and re.search(r"\s", text):
                raise Unusable(
                    f"{here} has characters that mean something to a shell, and {text[:80]!r} names {match[1]}: "
                    "give --out a folder whose path has letters, digits, '.', '_' and '-' only"
                )
            return here

        return self._pattern.sub(path, text)


def as_process(container: Json, folders: Folders, given: Mapping[str, str], python: str) -> Command:
    """The container's program as a process.

    Args:
        container: Of a pod's spec.
        folders: Where its folders are.
        given: This machine's variables; those of Fairlead are not handed on.
        python: The interpreter that `python` and `python3` are.

    Raises Unusable for a container whose program only its image knows.
    """
    written = variables(container)
    env = {name: folders.here(value) for name, value in written.items()}
    if not any(folders.named(value) for name, value in written.items() if not name.startswith("FAIRLEAD_")):
        folders.rewritten.clear()  # Fairlead's own are no texts of the manifest
    command, args = words(container, written)
    if not command:
        raise Unusable(
            f"has no command: what image {container['image']} runs is only known inside of it. Write command, "
            "or run the steps as containers: --containers"
        )
    run = [folders.here(word) for word in (*command, *args)]
    if run[0] in ("python", "python3"):
        run[0] = python
    if env.get("HOME") == TMP:  # a container has no home; a person has
        del env["HOME"]
    own = {name: value for name, value in given.items() if not name.startswith("FAIRLEAD_")}
    return Command(run, own | env)


def as_container(
    container: Json, engine: str, name: str, user: str, mounts: Mapping[str, str], read_only: Iterable[str],
    network: str = "",
) -> Command:  # fmt: skip
    """The container's program in a container of docker, podman or nerdctl.

    Args:
        container: Of a pod's spec.
        engine: The program.
        name: Of the container that is made.
        user: `uid:gid`.
        mounts: This machine's folder by the container's.
        read_only: The container's folders that it only reads.
        network: Of the container; empty: one of its own.
    """
    env, fixed = variables(container), set(read_only)
    command, args = words(container, env)
    run = [engine, "run", "--rm", "--name", name]
    run += ["--network", network] if network else []
    run += ["--workdir", container["workingDir"]] if container.get("workingDir") else []
    run += ["--userns", "keep-id"] if engine == "podman" else ["--user", user]
    for inner, outer in mounts.items():
        run += ["--mount", f"type=bind,source={outer},target={inner}" + (",readonly" if inner in fixed else "")]
    for key, value in env.items():
        run += ["--env", f"{key}={value}"]
    run += _limited(container.get("resources", {}).get("limits", {}))
    run += ["--entrypoint", command[0]] if command else []
    return Command([*run, container["image"], *command[1:], *args], {})


def _limited(limits: Json) -> list[str]:
    """Memory as the cluster limits it; all GPUs that there are to a step that asks for some."""
    found = ["--memory", _bytes(str(limits["memory"]))] if "memory" in limits else []
    return found + (["--gpus", "all"] if any("/" in name for name in limits) else [])


_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}


def _bytes(quantity: str) -> str:
    number = quantity.rstrip("kKMGTi")
    return str(int(float(number) * _UNITS[quantity[len(number) :]]))
