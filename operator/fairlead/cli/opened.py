"""`fairlead open run/NAME STEP[.OUTPUT]`: fetch what a step has left, verify it, and show it as far as a terminal can.

Pages and pictures are somebody else's: a page may have a program in it, which a browser runs. They are saved, and a
browser sees a page only in a frame that has no origin and no network.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import html
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.api.units import many
from fairlead.cli import runs, stores
from fairlead.cli.session import FAILED, NOT_FOUND, OK, USAGE, Problem, Session, add_options, command, tell
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.api.pipelinerun import StepStatus
    from fairlead.api.tasks import PublishResult
    from fairlead.store.s3 import Bucket

LARGE = 256 << 20
"""Bytes that are fetched without being told where to."""
ROWS, COLUMNS, CELL = 20, 12, 40
"""Of a table that is shown, and characters of a cell."""
LINES, TEXT = 200, 1 << 20
"""Of a text that is shown, and bytes that are looked at."""
FRAMED = 24 << 20
"""Bytes of a page that is put into a frame."""
_TABLES = {"text/csv": "csv", "application/vnd.apache.parquet": "parquet"}
_TEXTS = ("text/plain", "text/markdown", "application/json", "application/jsonl", "application/yaml")
_NOTEBOOK = "application/x-ipynb+json"
NOTEBOOK = 4 << 20
"""Bytes of a notebook that is shown."""
_FRAME = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:\">"
    "<title>{title}</title><style>body{{margin:0}}iframe{{border:0;width:100vw;height:100vh}}</style>"
    '<iframe sandbox="allow-scripts" srcdoc="{page}"></iframe>'
)


@dataclass(frozen=True)
class Thing:
    """What is to be opened."""

    name: str
    uri: str
    sha256: str
    """Empty: of a log."""
    bytes: int
    media: str


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("open", help="fetch an output, a preview or an artifact of a step, and show it")
    parser.add_argument("what", metavar="run/NAME")
    parser.add_argument(
        "output", metavar="STEP[.OUTPUT]",
        help="an output, or what the step logged: train.plots/roc.png; of a step alone: its preview, such as a report",
    )  # fmt: skip
    parser.add_argument("--save", metavar="PATH", help="save it there instead of showing it")
    parser.add_argument("--browser", action="store_true", help="let the browser show it; a page only in a closed frame")
    stores.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Fetch, verify, show."""
    from fairlead.store.layout import split

    name, found = await runs.found(session, args.what)
    asked, dot, output = args.output.partition(".")
    if not asked or (dot and not output):
        raise Problem(f"{args.output!r} is not STEP.OUTPUT; see: fairlead artifacts run/{name}", USAGE)
    step = runs.step_of(name, found, asked)
    output = output or preview_of(step)
    thing = _of_status(step, output) or _of_store(await runs.committed(session, args, step), step, output, name)
    if thing.bytes > LARGE and not args.save:
        raise Problem(f"{args.output} has {thing.bytes >> 20} MiB: say where to by --save PATH", USAGE)
    bucket, key = split(thing.uri)
    target = _target(args.save, f"{name}-{step.name}", thing)
    async with stores.opened(session, args, bucket) as store:
        await asyncio.to_thread(fetched, store, key, thing, target)
    _tell(thing, target, saved=bool(args.save), browser=args.browser)
    return OK


# --- what is meant -------------------------------------------------------------------------------------------------


def preview_of(step: StepStatus) -> str:
    """The preview of a step that has left one, such as a report. Raises Problem."""
    found = [one.name for one in step.outputs if one.type == "preview"]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{step.name}.{one}" for one in found or [one.name for one in step.outputs]) or "nothing"
    raise Problem(f"step {step.name} has {len(found) or 'no'} previews: say what of it to open; it has left {there}",
                  USAGE if step.outputs else NOT_FOUND)  # fmt: skip


def _of_status(step: StepStatus, output: str) -> Thing | None:
    for one in step.outputs:
        if one.name == output:
            return Thing(one.name, one.uri, one.sha256, one.bytes, one.media)
    if output == "log" and step.log is not None and step.log.uri:
        return Thing("log.txt", step.log.uri, "", step.log.bytes, "text/plain")
    return None


def _of_store(said: PublishResult | None, step: StepStatus, output: str, run: str) -> Thing:
    """Of what the step has logged. Raises Problem."""
    logged = [*said.artifacts, *([said.series] if said.series else [])] if said else []
    for one in logged:
        if one.name == output:
            return Thing(one.name, one.uri, one.sha256, one.bytes, one.media)
    there = ", ".join([*(o.name for o in step.outputs), *(one.name for one in logged)][:12]) or "nothing"
    raise Problem(f"step {step.name} has left no {output!r}; it has left {there}. See: fairlead artifacts run/{run}",
                  NOT_FOUND)  # fmt: skip


# --- fetching ------------------------------------------------------------------------------------------------------


def _target(save: str | None, prefix: str, thing: Thing) -> Path:
    """Where it is written to. A folder goes into a folder that is new."""
    from fairlead.store.names import problem

    last = thing.uri.rstrip("/").rpartition("/")[2]
    last = "output" if problem(last) else last
    if save is None:
        return Path(tempfile.mkdtemp(prefix=f"fairlead-{prefix}-")) / last
    target = Path(save)
    if thing.uri.endswith("/"):
        if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
            raise Problem(f"{save} is there already; say another place, for {thing.name} is a folder", USAGE)
        return target
    return target / last if target.is_dir() else target


def fetched(store: Bucket, key: str, thing: Thing, target: Path) -> None:
    """Write it, verified by its digest: else nothing is left. Raises Problem, StoreError, OSError."""
    try:
        digest = _folder(store, key, target) if key.endswith("/") else _file(store, key, target)
    except OSError as failed:
        raise Problem(f"{target} can't be written: {failed}", FAILED) from None
    if thing.sha256 and digest != thing.sha256:
        _remove(target)
        raise Problem(f"{thing.uri} is not what the step left: its digest is {digest[:12]}…, and {thing.sha256[:12]}… "
                      "was committed. Nothing of it was kept", FAILED)  # fmt: skip


def _file(store: Bucket, key: str, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fairlead-") as scratch:
        part = Path(scratch) / "part"
        digest = store.download(key, part).sha256
        part.replace(target)
    return digest


def _folder(store: Bucket, key: str, target: Path) -> str:
    from fairlead.worker import digests
    from fairlead.worker.errors import TaskFailed
    from fairlead.worker.paths import inside

    found: list[tuple[str, str]] = []
    for one in store.list(key):
        relative = one.key.removeprefix(key)
        try:
            path = inside(target, relative)
        except TaskFailed as bad:
            raise Problem(f"{store.uri(one.key)} can't be a file here: {bad.error.message}", FAILED) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        found.append((relative, store.download(one.key, path).sha256))
    return digests.of_folder(found)


def _remove(target: Path) -> None:
    import shutil

    if target.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)


# --- showing -------------------------------------------------------------------------------------------------------


def _tell(thing: Thing, target: Path, *, saved: bool, browser: bool) -> None:
    """Show it, or say where it is."""
    media = thing.media or ("" if target.is_dir() else _media(target))
    if browser:
        _browse(target, media)
    elif saved or target.is_dir():
        tell(f"{target}: verified, saved")
    elif media in _TABLES:
        _table(target, _TABLES[media])
    elif media == _NOTEBOOK:
        _notebook(target)
    elif media in _TEXTS:
        _text(target)
    else:
        tell(f"{target}: {media or 'of no known type'}, verified, saved")
    if media in ("text/html", "image/svg+xml") and not browser:
        tell("It is somebody else's page, and may have a program in it: open it in a browser by --browser, which puts "
             "it into a frame without a network", sys.stderr)  # fmt: skip


def _media(path: Path) -> str:
    from fairlead.api.logged import media_of

    with path.open("rb") as file:
        return media_of(path.name, file.read(512))


def _text(path: Path) -> None:
    with path.open("rb") as file:
        body = file.read(TEXT + 1)
    lines = body[:TEXT].decode("utf-8", "replace").split("\n")
    tell("\n".join(lines[:LINES]).rstrip("\n"))
    if len(lines) > LINES or len(body) > TEXT:
        tell(f"… only its beginning; all of it is in {path}", sys.stderr)


def _notebook(path: Path) -> None:
    from fairlead.api import foreign

    try:
        with path.open("rb") as file:
            found = foreign.parse(file.read(NOTEBOOK + 1), length=NOTEBOOK)
    except foreign.Unreadable as bad:
        tell(f"{path}: verified, saved; it can't be shown here: {bad}")
        return
    lines = "\n\n".join(cells(found)).split("\n")
    tell("\n".join(lines[:LINES]))
    more = "only its beginning is shown, and no pictures" if len(lines) > LINES else "without its pictures"
    tell(f"{more}; all of it is in {path}", sys.stderr)


def cells(notebook: object) -> list[str]:
    """The cells of a notebook as text: what was written, and what came out. What has another form is left out."""
    listed = notebook.get("cells") if isinstance(notebook, dict) else None
    found = []
    for cell in listed if isinstance(listed, list) else []:
        if not isinstance(cell, dict):
            continue
        source = _joined(cell.get("source"))
        if cell.get("cell_type") == "code":
            source = "\n".join(f"    {line}" for line in source.split("\n"))
        outputs = cell.get("outputs")
        texts = [_output(one) for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
        found.append("\n".join(part for part in (source, *texts) if part.strip()))
    return [one for one in found if one]


def _output(one: dict[str, object]) -> str:
    data = one.get("data")
    text = _joined(one.get("text")) or _joined(data.get("text/plain") if isinstance(data, dict) else None)
    if one.get("output_type") == "error":
        return f"{one.get('ename')}: {one.get('evalue')}"
    return text.rstrip("\n")


def _joined(value: object) -> str:
    """A text, which notebooks write as one or as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _table(path: Path, form: str) -> None:
    from fairlead.cli.blocks import Table, show

    readers: dict[str, Callable[[Path], tuple[list[str], list[list[str]], str]]] = {
        "csv": csv_head,
        "parquet": parquet_head,
    }
    headers, rows, note = readers[form](path)
    hidden = len(headers) - COLUMNS
    cells = [[_cell(one) for one in row[:COLUMNS]] for row in rows]
    show([Table([_cell(one) for one in headers[:COLUMNS]], cells)])
    more = f", {many(hidden, 'more column')}" if hidden > 0 else ""
    tell(f"{note}{more}; all of it is in {path}", sys.stderr)


def _cell(text: str) -> str:
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def csv_head(path: Path) -> tuple[list[str], list[list[str]], str]:
    """(header, rows, how many are shown). What is no table is shown as lines of one column. Raises Problem."""
    import csv
    from itertools import islice

    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            found = list(islice(csv.reader(file), ROWS + 2))
    except csv.Error as bad:
        raise Problem(f"{path} is no CSV: {bad}", FAILED) from None
    if not found:
        return ["(empty)"], [], "no rows"
    width = max(map(len, found))
    padded = [[*row, *[""] * (width - len(row))] for row in found]
    shown = padded[1 : ROWS + 1]
    return (
        padded[0],
        shown,
        f"its first {many(len(shown), 'row')}" if len(found) > ROWS + 1 else f"{many(len(shown), 'row')}",
    )


def parquet_head(path: Path) -> tuple[list[str], list[list[str]], str]:
    """The same of a Parquet file. Raises Problem."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Problem(
            f"a Parquet table is shown with pyarrow, which is not installed here; it is saved: {path}"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            total = file.metadata.num_rows
            head = next(file.iter_batches(batch_size=ROWS), None)
            names = list(file.schema_arrow.names)
    except (pyarrow.ArrowException, OSError) as bad:
        raise Problem(f"{path} can't be read as Parquet: {bad}", FAILED) from None
    columns = [[str(one) for one in column.to_pylist()] for column in head.columns] if head is not None else []
    rows = [list(row) for row in zip(*columns, strict=True)]
    return (
        names,
        rows,
        f"its first {len(rows)} of {amount(total, 'row')}" if total > len(rows) else f"{many(total, 'row')}",
    )


def _browse(target: Path, media: str) -> None:
    """Let the browser show it. A page is put into a frame; a picture is no program, and is shown as it is."""
    import webbrowser

    shown = target
    if media == "text/html":
        shown = framed(target)
    elif media == "image/svg+xml":
        shown = framed(target, picture=True)
    webbrowser.open(shown.resolve().as_uri())
    tell(f"{shown}: verified, given to the browser")


def framed(page: Path, *, picture: bool = False) -> Path:
    """A page beside it that has it in a frame: its programs have no origin, and reach nothing. Raises Problem."""
    if page.stat().st_size > FRAMED:
        raise Problem(f"{page} is too large for a frame ({page.stat().st_size >> 20} MiB); it is saved there", FAILED)
    body = page.read_bytes()
    if picture:
        text = f'<img src="data:image/svg+xml;base64,{base64.b64encode(body).decode()}">'
    else:
        text = body.decode("utf-8", "replace")
    found = page.with_name(f"{page.name}.frame.html")
    found.write_text(_FRAME.format(title=html.escape(page.name), page=html.escape(text, quote=True)), encoding="utf-8")
    return found
