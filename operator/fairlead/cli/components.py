"""`fairlead components [NAME]`: what steps can use: the Components that come with Fairlead, and the namespace's."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from fairlead.cli.session import (
    NOT_FOUND,
    OK,
    USAGE,
    Json,
    Problem,
    Session,
    add_options,
    command,
    guarded,
    print_json,
    tell,
)

if TYPE_CHECKING:
    from fairlead.cli.blocks import Block
    from fairlead.plan.pipeline.components.builtin.base import Builtin

WORDS = 100
"""Characters of a description in a list."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "components", help="programs that steps can use by name, and their parameters, inputs and outputs",
        description="Without NAME: the Components that come with Fairlead (as this command knows them), and those of "
        "the namespace. With NAME: one of them; the namespace's own comes first.",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("--builtin", action="store_true", help="only those that come with Fairlead; needs no cluster")
    add_options(parser)
    parser.add_argument(
        "-o", "--output", choices=("text", "json", "yaml"), default="text",
        help="json: for programs; yaml: of one, as a manifest to copy",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show them. Returns the exit code."""
    return guarded(lambda: _builtins_only(args)) if args.builtin else _all(args)


def _builtins_only(args: argparse.Namespace) -> int:
    return _show(_builtins(), args)


@command
async def _all(session: Session, args: argparse.Namespace) -> int:
    """Those of the namespace, too."""
    from fairlead.plan.core import COMPONENT

    return _show([*await session.all(COMPONENT), *_builtins()], args)


def _show(known: list[Json], args: argparse.Namespace) -> int:
    """All, or the first of that name. Raises Problem."""
    if args.name is None and args.output == "yaml":
        raise Problem("-o yaml is of one Component: name it", USAGE)
    if args.name is None:
        return _list(known, args)
    found = next((one for one in known if one["metadata"]["name"] == args.name), None)
    if found is None:
        names = ", ".join(sorted({one["metadata"]["name"] for one in known})) or "none"
        raise Problem(f"there is no Component {args.name!r}; there are {names}", NOT_FOUND)
    if args.output == "json":
        print_json(found)
    elif args.output == "yaml":
        tell(manifest(found))
    else:
        _print(found)
    return OK


def _print(found: Json) -> None:
    """As `fairlead get component` shows it."""
    from fairlead.api.component import Component
    from fairlead.cli import show_component
    from fairlead.cli.blocks import show

    if found["kind"] == BUILTIN:
        spec = Component.model_validate({"spec": found["spec"]}).spec
        show(show_component.of_spec(f"builtin {found['metadata']['name']}", spec))
    else:
        show(show_component.blocks(found["metadata"]["name"], Component.model_validate(found), time.time()))


def _list(found: list[Json], args: argparse.Namespace) -> int:
    from fairlead.cli.blocks import show

    if args.output == "json":
        print_json(found)
    else:
        show(listed(found))
    return OK


def _builtins() -> list[Json]:
    from fairlead.plan.pipeline.components import catalog

    return [as_object(one) for one in sorted(catalog.BUILTINS, key=lambda one: one.name)]


BUILTIN = "builtin"
"""Stands where an object has its kind."""


def as_object(one: Builtin) -> Json:
    """A Component that comes with Fairlead in the form of an object; its image is an installation's."""
    image = "images.trainer" if one.trains else "images.worker"
    return {"kind": BUILTIN, "metadata": {"name": one.name}, "spec": dict(one.said) | {"image": image}}


def listed(found: list[Json]) -> list[Block]:
    """All in a table."""
    from fairlead.cli.blocks import Lines, Table

    if not found:
        return [Lines(["there are no Components"])]
    rows = [[_how(one), str(one["spec"].get("version", "")), _state(one), _words(one)] for one in found]
    return [Table(["COMPONENT", "VERSION", "STATE", "WHAT IT DOES"], rows)]


def _how(one: Json) -> str:
    """As a step names it."""
    return f"{'builtin' if one['kind'] == BUILTIN else 'name'}: {one['metadata']['name']}"


def _words(one: Json) -> str:
    """What it does, on one line."""
    from fairlead.cli.text import one_line

    return one_line(" ".join(str(one["spec"].get("description", "")).split()), WORDS)


def _state(one: Json) -> str:
    if one["kind"] == BUILTIN:
        return "-"
    conditions = (one.get("status") or {}).get("conditions") or ()
    ready = next((c for c in conditions if c["type"] == "Ready"), None)
    return "Pending" if ready is None else "Ready" if ready["status"] == "True" else str(ready["reason"])


def manifest(one: Json) -> str:
    """A Component to copy, without what the API server has put to it."""
    from fairlead.api.common import API_VERSION
    from fairlead.cli.yamltext import dumped

    made = {"apiVersion": API_VERSION, "kind": "Component", "metadata": {"name": one["metadata"]["name"]}}
    text = dumped(made | {"spec": one["spec"]}).rstrip("\n")
    if one["kind"] != BUILTIN:
        return text
    return f"# image: put in what {one['spec']['image']} of your installation's values is\n{text}"
