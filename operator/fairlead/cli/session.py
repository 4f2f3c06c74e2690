"""What all commands share: options, the way to the API server, errors as people need them, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from fairlead.cluster.port import Door
    from fairlead.plan.core import Kind

Json = dict[str, Any]

OK, FAILED, USAGE, NOT_FOUND, DENIED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_TRIES = 5


class Problem(Exception):  # noqa: N818 - what a person reads
    """Why a command can't do what was asked, and what to do instead."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Session:
    """A connection to the API server, and the namespace that is spoken of."""

    kube: Door
    namespace: str

    async def get(self, kind: Kind, name: str) -> Json:
        """One object. Raises Problem if it is not there."""
        from fairlead.cluster.errors import NotFound, NotServed

        if not name:  # it would be the address of all of them
            raise Problem(f"a {kind.kind}'s name is empty; is a shell variable unset?", USAGE)
        try:
            return await self.kube.get(kind, self.namespace, name)
        except NotServed as error:
            raise Problem(
                "Fairlead is not installed in this cluster, or the kubeconfig names another one. "
                "Look: kubectl config current-context; kubectl get crd | grep fairlead.dev",
                NOT_FOUND,
            ) from error
        except NotFound as error:
            raise Problem(
                f"{kind.kind} {name!r} is not in namespace {self.namespace!r}. "
                f"List them: kubectl get {kind.plural}.{kind.api_version.partition('/')[0]} -A",
                NOT_FOUND,
            ) from error

    async def all(self, kind: Kind) -> list[Json]:
        """All objects of a kind in the namespace."""
        return [item async for page in self.kube.pages(kind, self.namespace) for item in page.items]

    async def change(self, kind: Kind, name: str, edit: Callable[[Json], bool]) -> Json:
        """Edit an object in place and write it back; again from the newest one if somebody else was faster. `edit`
        returns False if nothing has to be changed."""
        from fairlead.cluster.errors import Conflict

        for _ in range(_TRIES):
            found = await self.get(kind, name)
            if not edit(found):
                return found
            try:
                return await self.kube.replace(kind, found)
            except Conflict:
                continue
        raise Problem(f"{kind.kind} {name!r} keeps changing while it is edited. Try again.")


def add_options(parser: argparse.ArgumentParser, *, output: bool = False) -> None:
    """The options of every command."""
    parser.add_argument("-n", "--namespace", help="namespace (default: the kubeconfig's current one)")
    parser.add_argument("--kubeconfig", help="kubeconfig file (default: $KUBECONFIG or ~/.kube/config)")
    if output:
        parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")


def command(work: Callable[[Session, argparse.Namespace], Awaitable[int]]) -> Callable[[argparse.Namespace], int]:
    """A sub-command's `run(args)`: connects, does the work, and turns errors into words and exit codes."""

    def run(args: argparse.Namespace) -> int:
        import asyncio  # here and below: `fairlead --help` should not wait for what it does not need

        return guarded(lambda: asyncio.run(_connected(work, args)))

    return run


def guarded(work: Callable[[], int]) -> int:
    """What the work returns, or the exit code of what was told or has ended it."""
    try:
        code = work()
        sys.stdout.flush()  # here a reader that has gone can still be told from an error
    except Problem as problem:
        tell(f"error: {problem}", sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # what is left could not be written at the end either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


async def _connected(work: Callable[[Session, argparse.Namespace], Awaitable[int]], args: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from fairlead.cluster import errors

    kube = await _kube(args.kubeconfig)
    try:
        return await work(Session(kube, args.namespace or current_namespace(args.kubeconfig)), args)
    except errors.ApiError as error:
        raise Problem(*_words(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Problem(
            f"The {error.title} can't be read by this version of fairlead: {field}: {first['msg']}. "
            "Update the command to the operator's version, or look at it with -o json."
        ) from error
    finally:
        await kube.close()


async def _kube(kubeconfig: str | None) -> Door:
    from fairlead.cluster.client import HttpKube, load_configuration

    try:
        return HttpKube(await load_configuration(kubeconfig))
    except Exception as error:
        raise Problem(
            f"The cluster's address can't be read: {error}. Set KUBECONFIG or --kubeconfig.", UNREACHABLE
        ) from error


def _words(error: Any) -> tuple[str, int]:
    from fairlead.cluster import errors

    message = str(error.message)
    if isinstance(error, errors.Forbidden):
        return f"{message}. Ask the namespace's owner for the role.", DENIED
    if isinstance(error, errors.Unauthorized):
        return f"{message}. Log in again: the credentials of the kubeconfig are not accepted.", DENIED
    if isinstance(error, errors.Unavailable):
        return f"{message}. Is the cluster up? kubectl cluster-info", UNREACHABLE
    if isinstance(error, (errors.NotFound, errors.NotServed)):
        return f"{message}. Is Fairlead installed? kubectl get crd | grep fairlead.dev", NOT_FOUND
    return message, FAILED


def current_namespace(kubeconfig: str | None) -> str:
    """The namespace of the kubeconfig's current context; in a pod its own; else `default`."""
    named = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    configs = [_yaml(Path(path)) for path in named.split(os.pathsep) if path]
    current = next((config["current-context"] for config in configs if config.get("current-context")), None)
    for config in configs:
        for entry in config.get("contexts") or ():
            if entry.get("name") == current:
                return str((entry.get("context") or {}).get("namespace") or "default")
    inside = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return inside.read_text().strip() if inside.is_file() else "default"


def _yaml(path: Path) -> Json:
    import yaml

    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return {}  # the client says what is wrong with it
    return found if isinstance(found, dict) else {}


def tell(text: str, file: TextIO | None = None) -> None:
    """Print words that may have come from an object. file: standard output by default."""
    from fairlead.cli.text import printable

    print("\n".join(printable(line) for line in text.split("\n")), file=file, flush=True)


def print_json(value: Any) -> None:
    """JSON for programs."""
    import json

    print(json.dumps(value, indent=2, sort_keys=True))
