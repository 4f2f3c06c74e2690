"""`fairlead profile`: make a profile of files, or look at one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.cli import stores
from fairlead.cli.session import FAILED, NOT_FOUND, OK, USAGE, Problem, Session, add_options, command, guarded

if TYPE_CHECKING:
    from fairlead.monitor.profile import Profile

FORMS = ("text", "html", "json")
_KINDS = ("mv", "modelversion", "modelversions")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "profile", help="what a model learnt from, and how it answers: made of files, or shown of a model version",
        description="Make a profile of rows (Parquet, CSV, JSON lines), which needs no cluster; or show one: that of a "
        "model version (mv/NAME), or a file's (--show). A profile has bins, categories and gaps of each feature, the "
        "model's answers to held-out rows, and how right they were; it has no rows.",
    )  # fmt: skip
    parser.add_argument(
        "rows", nargs="*", metavar="ROWS|mv/NAME", help="files or folders with rows; or a model version"
    )
    parser.add_argument("--show", metavar="FILE", help="a profile that was made before")
    parser.add_argument("--features", type=_names, default=[], metavar="A,B",
                        help="columns that the model is asked with (default: all others)")  # fmt: skip
    parser.add_argument("--prediction", metavar="COLUMN", help="what the model answered: a number, or a class")
    parser.add_argument("--score", metavar="COLUMN", help="the probability of the positive class; of more than two "
                        "classes that of the answer")  # fmt: skip
    parser.add_argument("--target", metavar="COLUMN", help="what would have been right")
    parser.add_argument("--slices", type=_names, default=[], metavar="A,B",
                        help="columns whose values tell groups of people or things apart")  # fmt: skip
    parser.add_argument("--time", metavar="COLUMN", help="when a row came: then of each feature so much is "
                        "tolerated as the rows' own windows differ from the whole")  # fmt: skip
    parser.add_argument("--window", default="1d", metavar="LENGTH",
                        help="with --time: as long as the windows that will be judged (default: 1d)")  # fmt: skip
    parser.add_argument("--task", choices=("regression", "classification"))
    parser.add_argument("--positive", metavar="CLASS", help="the class that scores are of (default: the later of two)")
    parser.add_argument("-o", "--output", default="text", metavar="FILE|text|html|json",
                        help="a file to write the profile to (.html: a page); or what to print")  # fmt: skip
    stores.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def run(args: argparse.Namespace) -> int:
    """Make it, or show it. Returns the exit code."""
    kind, slash, _ = args.rows[0].partition("/") if len(args.rows) == 1 else ("", "", "")
    if slash and kind in _KINDS and not Path(args.rows[0]).exists():
        return int(_of_version(args))
    return guarded(lambda: _offline(args))


def _offline(args: argparse.Namespace) -> int:
    if args.show and args.rows:
        raise Problem("--show is of a profile that was made before: leave the rows out", USAGE)
    if args.show:
        return _tell(args, _read(Path(args.show)), args.show)
    if not args.rows:
        raise Problem("name files with rows, mv/NAME, or a profile by --show", USAGE)
    from fairlead.cli.profiled import make

    made = make(args)
    return _tell(args, made.profile, "profile", made.left_out, made.notes)


def _read(path: Path) -> Profile:
    from fairlead.monitor.profile import SIZE, BadProfile, parse

    try:
        with path.open("rb") as file:
            return parse(file.read(SIZE + 1))
    except OSError as failed:
        raise Problem(str(failed), NOT_FOUND) from None
    except BadProfile as bad:
        raise Problem(f"{path}: {bad}", FAILED) from None


@command
async def _of_version(session: Session, args: argparse.Namespace) -> int:
    """Show that of a model version, from the store."""
    name = args.rows[0].partition("/")[2]
    profile, told = await fetched(session, args, name)
    return _tell(args, profile, f"mv/{name}", notes=[told] if told else [])


async def fetched(session: Session, args: argparse.Namespace, name: str) -> tuple[Profile, str]:
    """The profile of a model version, and what its evaluation says of it. Raises Problem."""
    import asyncio

    from fairlead.api.modelversion import ModelVersion
    from fairlead.monitor.profile import SIZE, BadProfile, parse
    from fairlead.plan.core import MODEL_VERSION
    from fairlead.store.layout import split

    found = ModelVersion.model_validate(await session.get(MODEL_VERSION, name))
    evidence = found.status.evidence
    kept = evidence.profile if evidence else None
    if kept is None:
        told = evidence.no_profile if evidence else ""
        why = told or "it has no evaluation, or one that is not over, or was before this release"
        raise Problem(f"model version {name!r} has no profile: {why}. Of rows on this machine: fairlead profile ROWS… "
                      "--prediction COLUMN", FAILED)  # fmt: skip
    bucket, key = split(kept.uri)
    async with stores.opened(session, args, bucket) as store:
        body = await asyncio.to_thread(store.read, key, SIZE + 1)
    try:
        return parse(body, kept.digest), kept.message
    except BadProfile as bad:
        raise Problem(f"{kept.uri}: {bad}", FAILED) from None


def _tell(
    args: argparse.Namespace, profile: Profile, title: str, left_out: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> int:  # fmt: skip
    from fairlead.cli import show_profile
    from fairlead.cli.blocks import show

    if args.output in ("html", "json"):
        sys.stdout.write(_form(profile, title, args.output))
        return OK
    if args.output not in FORMS:
        form = "html" if args.output.endswith(".html") else "json"
        try:
            Path(args.output).write_text(_form(profile, title, form), encoding="utf-8")
        except OSError as failed:
            raise Problem(str(failed), FAILED) from None
        notes = [*notes, f"written to {args.output}"]
    show(show_profile.blocks(profile, left_out, notes))
    return OK


def _form(profile: Profile, title: str, form: str) -> str:
    """A page; or the document, byte by byte, so that its digest is that of the file."""
    from fairlead.cli.profile_page import page

    return page(profile, f"Profile of {title}") if form == "html" else profile.dumped().decode()
