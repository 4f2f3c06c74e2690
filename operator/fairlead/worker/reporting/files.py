"""A file as people look at it: a picture, a page in a closed frame, a table's beginning, a text; always a bounded
part."""

from __future__ import annotations

import base64
import json
import os
from html import escape
from pathlib import Path

from fairlead.api import foreign
from fairlead.api.logged import SUFFIXES
from fairlead.store.names import shown as readable
from fairlead.worker import html
from fairlead.worker.reporting import heads
from fairlead.worker.reporting.heads import Head, Unshown

PICTURE, FRAMED = 4 << 20, 4 << 20
"""Bytes of a picture, and of a page."""
TEXT, LINES, LINE = 128 << 10, 400, 2000
"""Bytes of a text that are read, lines that are shown, and characters of each."""
PRETTY = 256 << 10
"""Bytes of JSON that is laid out; of what is longer the beginning is shown as it is."""
TABLES = {SUFFIXES["csv"]: heads.of_csv, SUFFIXES["parquet"]: heads.of_parquet, SUFFIXES["jsonl"]: heads.of_jsonl}
"""How a table's beginning is read, by its media type."""
_PICTURES = tuple(SUFFIXES[one] for one in ("png", "jpg", "gif", "webp", "svg"))


def shown(path: Path, media: str) -> str:
    """A file as HTML. Raises Unshown with the reason why it is not, and OSError."""
    size = os.stat(path).st_size
    if not size:
        return "<p>It is empty.</p>"
    if media in _PICTURES:
        return _picture(path, size, media)
    if media == SUFFIXES["html"]:
        return _page(path, size)
    if media in TABLES:
        return _table(TABLES[media](path))
    if media == SUFFIXES["json"]:
        return _json(path, size)
    if media.startswith("text/") or media == SUFFIXES["yaml"]:
        return _text(path, size)
    raise Unshown(f"it has {size:,} bytes of the type {media}, which is not shown on a page")


def _whole(path: Path, size: int, most: int, what: str) -> bytes:
    if size > most:
        raise Unshown(f"it is {what} of {size / (1 << 20):.1f} MiB; up to {most >> 20} MiB are shown")
    return path.read_bytes()


def _picture(path: Path, size: int, media: str) -> str:
    """As a picture a drawing (SVG) has no programs, and reaches nothing."""
    body = base64.b64encode(_whole(path, size, PICTURE, "a picture")).decode()
    return f'<img src="data:{media};base64,{body}" alt="{escape(readable(path.name))}">'


def _page(path: Path, size: int) -> str:
    """In a frame that runs no programs, has no origin, and no network: it inherits the page's own policy."""
    body = _whole(path, size, FRAMED, "a page").decode("utf-8", "replace")
    told = (
        "<p><small>A page of the step, without its programs; open it by kubectl fairlead open … --browser</small></p>"
    )
    return f'<iframe sandbox="" loading=lazy srcdoc="{escape(body)}"></iframe>{told}'


def _table(head: Head) -> str:
    if not head.columns:
        return f"<p>{html.text(head.note)}</p>"
    names = "".join(f"<th>{html.text(one)}<br><small>{html.text(kind)}</small></th>" for one, kind in head.columns)
    rows = "".join("<tr>" + "".join(f"<td>{html.text(cell)}</td>" for cell in row) + "</tr>" for row in head.rows)
    note = f"<p><small>{html.text(head.note)}</small></p>"
    return f"<div class=wide><table><tr>{names}</tr>{rows}</table></div>{note}"


def _json(path: Path, size: int) -> str:
    if size > PRETTY:
        return _text(path, size)
    try:
        value = foreign.parse(path.read_bytes(), length=PRETTY, finite=False)
    except foreign.Unreadable:
        return _text(path, size)
    return _lines(json.dumps(value, indent=2, ensure_ascii=False), cut=False)


def _text(path: Path, size: int) -> str:
    with path.open("rb") as file:
        body = file.read(TEXT)
    return _lines(body.decode("utf-8", "replace"), cut=size > TEXT)


def _lines(body: str, *, cut: bool) -> str:
    lines = body.replace("\r\n", "\n").rstrip("\n").split("\n")
    first = [_line(one) for one in lines[:LINES]]
    more = "<p><small>Only its beginning is shown.</small></p>" if cut or len(lines) > LINES else ""
    return f"<pre>{chr(10).join(first)}</pre>{more}"


def _line(line: str) -> str:
    """Tabs stay; what else is no readable character is shown as an escape."""
    short = line if len(line) <= LINE else f"{line[:LINE]}…"
    return "\t".join(html.text(part) for part in short.split("\t"))
