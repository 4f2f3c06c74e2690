"""`fairlead export FILE.py[:NAME]`: a pipeline that is written in Python, as YAML."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.cli.session import FAILED, OK, USAGE, Json, Problem, guarded

if TYPE_CHECKING:
    from fairlead.sdk.pipelines import Pipeline


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "export", help="print a pipeline that is written in Python as YAML",
        description="Run a Python file, and print its function with @fairlead.pipeline as a Pipeline in YAML: always "
        "the same for the same file. Needs no cluster.",
    )  # fmt: skip
    add_options(parser)
    parser.add_argument("-n", "--namespace", help="written into the manifest (default: the decorator's, else none)")
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, and with which image."""
    parser.add_argument("file", metavar="FILE.py[:NAME]", help="NAME: of the function, if there are several pipelines")
    parser.add_argument("--image", help="of steps that name none (default: the decorator's)")


def run(args: argparse.Namespace) -> int:
    """Print it. Returns the exit code."""
    return guarded(lambda: _print(args))


def _print(args: argparse.Namespace) -> int:
    from fairlead.cli.yamltext import dumped

    made = manifest(args.file, args.image)
    if made is None:
        return FAILED
    if args.namespace:
        made["metadata"]["namespace"] = args.namespace
    print(dumped(made), end="")
    return OK


def is_python(named: str) -> bool:
    """Whether it is `FILE.py` or `FILE.py:NAME`."""
    return named.partition(":")[0].endswith(".py")


def manifest(named: str, image: str | None, otherwise: str | None = None) -> Json | None:
    """The Pipeline that a file describes; None if the file has failed, which was shown then. Raises Problem for what is
    no file, no pipeline, or none that Fairlead understands.

    Args:
        named: `FILE.py` or `FILE.py:NAME`.
        image: Of steps that name none; None: the pipeline's.
        otherwise: Of these, where the pipeline has none either.
    """
    from fairlead.sdk.errors import show

    file, _, name = named.partition(":")
    if not Path(file).is_file():
        raise Problem(f"there is no file {file!r}; write FILE.py or FILE.py:NAME", USAGE)
    try:
        chosen = _chosen(file, name)
        made = chosen.manifest(image or chosen.image or otherwise)
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001 - it is the user's code that has failed, and they see where
        show(error)
        return None
    check(made)
    return made


def _chosen(file: str, name: str) -> Pipeline:
    from fairlead.sdk.modules import load
    from fairlead.sdk.pipelines import Pipeline

    there = {key: one for key, one in vars(load(Path(file))).items() if isinstance(one, Pipeline)}
    if name:
        if name not in there:
            raise Problem(f"{file} has no pipeline {name!r}; it has {', '.join(there) or 'none'}", USAGE)
        return there[name]
    if not there:
        raise Problem(f"{file} has no function with @fairlead.pipeline", USAGE)
    if len(there) > 1:
        raise Problem(f"{file} has several pipelines; write {' or '.join(f'{file}:{one}' for one in there)}", USAGE)
    return next(iter(there.values()))


def check(made: Json) -> None:
    """Raises Problem with the first field that no Pipeline has, or can't have so. Where a step uses a Component of the
    cluster, only the cluster can tell of the steps."""
    from pydantic import ValidationError

    from fairlead.api.pipeline import PipelineSpec
    from fairlead.local.world import Here
    from fairlead.plan.core import Invalid
    from fairlead.plan.pipeline import dag
    from fairlead.plan.pipeline.components.expand import expand
    from fairlead.plan.pipeline.components.find import NotUsable

    try:
        spec = PipelineSpec.model_validate(made["spec"])
        try:
            dag.validate(expand(spec, Here(Path()), made["metadata"].get("namespace", "")).spec)
        except NotUsable:
            dag.validate_rest(spec)
    except ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise Problem(f"spec{path}: {first['msg']}") from None
    except Invalid as error:
        raise Problem(str(error)) from None
    strange = unknown(made["spec"], spec.model_dump(mode="json", by_alias=True, exclude_unset=True), "spec")
    if strange:
        raise Problem(strange)


def unknown(given: Any, read: Any, path: str) -> str:
    """The first field that was given and not read, and what to do about it; empty: none."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key, one in given.items():
            if key not in read:
                meant = re.sub("_([a-z])", lambda found: found[1].upper(), key)
                instead = f"write {meant}" if meant in read else "see docs/reference/pipeline.md"
                return f"{path}.{key} is no field of a Pipeline; {instead}"
            if found := unknown(one, read[key], f"{path}.{key}"):
                return found
    elif isinstance(given, list) and isinstance(read, list):
        for index, (one, other) in enumerate(zip(given, read, strict=True)):
            if found := unknown(one, other, f"{path}[{index}]"):
                return found
    return ""
