"""`fairlead digest PATH|s3://…`: the digest that `spec.artifact.sha256` wants, of a file or a folder."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.cli import stores
from fairlead.cli.session import NOT_FOUND, OK, USAGE, Problem, Session, add_options, command, guarded, tell

if TYPE_CHECKING:
    from fairlead.store.s3 import Bucket

S3 = "s3://"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "digest", help="the sha256 of a file or folder, as spec.artifact wants it",
        description="Print the digest of a file or folder as `spec.artifact.sha256` wants it: of a file that of its "
        "bytes; of a folder that of its files' sorted lines `sha256  path` (two spaces, a newline each). What is on "
        "this machine needs no cluster; what is in a store (s3://bucket/key, of a folder with a slash at its end) is "
        "read from there.",
    )  # fmt: skip
    parser.add_argument("path", metavar="PATH|s3://BUCKET/KEY")
    stores.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it. Returns the exit code."""
    if args.path.startswith(S3):
        return int(_from_store(args))
    return guarded(lambda: _tell(of_path(Path(args.path))))


def _tell(digest: str) -> int:
    tell(digest)
    return OK


def of_path(path: Path) -> str:
    """Of a file or a folder of this machine. Raises Problem."""
    from fairlead.worker import digests

    try:
        if path.is_file():
            return digests.of_file(path)
        if not path.is_dir():
            raise Problem(f"{path} is not there", NOT_FOUND)
        files = sorted(_files(path, frozenset({path.resolve()})))
        if not files:
            raise Problem(f"{path} has no file; an artifact is a file, or a folder with files", USAGE)
        return digests.of_folder((one.relative_to(path).as_posix(), digests.of_file(one)) for one in files)
    except OSError as failed:
        raise Problem(f"{path} can't be read: {failed}", USAGE) from None
    except UnicodeEncodeError:
        raise Problem(f"{path} has a file whose name is no UTF-8 text, as those of objects are", USAGE) from None


def _files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """All files below a folder, also behind links, as uploads take them. above: folders that it lies in, itself too."""
    for one in folder.iterdir():
        if one.is_file():
            yield one
        elif one.is_dir() and (there := one.resolve()) not in above:
            yield from _files(one, above | {there})


@command
async def _from_store(session: Session, args: argparse.Namespace) -> int:
    """Print that of an object, or of a folder of objects."""
    import asyncio

    from fairlead.store.layout import split

    try:
        name, key = split(args.path)
    except ValueError as bad:
        raise Problem(str(bad), USAGE) from None
    async with stores.opened(session, args, name) as bucket:
        return _tell(await asyncio.to_thread(of_objects, bucket, key))


def of_objects(bucket: Bucket, key: str) -> str:
    """Of an object, or below a key that ends with a slash of all objects. Raises Problem, StoreError."""
    from fairlead.worker import digests

    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        digest = _digester(bucket, Path(folder) / "object")
        if not key.endswith("/"):
            return digest(key)
        keys = [entry.key for entry in bucket.list(key)]
        if not keys:
            raise Problem(f"there is nothing under {bucket.uri(key)}", NOT_FOUND)
        return digests.of_folder((one.removeprefix(key), digest(one)) for one in keys)


def _digester(bucket: Bucket, scratch: Path) -> Callable[[str], str]:
    """Of one object after the other: no more room is needed than for the largest one."""
    return lambda key: bucket.download(key, scratch).sha256
