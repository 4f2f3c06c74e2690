"""Characters: whatever the bytes are, readers see UTF-8 without a byte order mark."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from fairlead.worker.formats.base import LocalFile, Unreadable
from fairlead.worker.formats.compressed import Stream, opened

BLOCK = 256 << 10
"""Bytes that are read at once: few enough to stay in a processor's cache, where the grammar goes over them thrice."""
_MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16-LE", "utf-16-be": "UTF-16-BE"}


def marked(file: LocalFile) -> str | None:
    """The encoding that a file's byte order mark says: utf-8, utf-16-le or utf-16-be. Raises Unreadable."""
    with opened(file) as stream:
        start = _full(stream, 3)
    return next((encoding for encoding, mark in _MARKS.items() if start.startswith(mark)), None)


def blocks(file: LocalFile, encoding: str) -> Iterator[bytes]:
    """The file in pieces of UTF-8, without a byte order mark; a piece may end within a character. Raises Unreadable
    with the line of what is not of the encoding. That UTF-8 is valid is left to whoever sees whole lines (`verify`)."""
    if encoding == "utf-16":
        if (found := marked(file)) not in ("utf-16-le", "utf-16-be"):
            raise Unreadable(f"{file.name}: no byte order mark of UTF-16; declare csv.encoding as what it is")
        encoding = found
    mark = _MARKS.get(encoding, b"")
    with opened(file) as stream:
        start = _full(stream, len(mark)) if mark else b""
        first = b"" if start == mark else start
        if encoding == "utf-8":
            yield first + stream.read(BLOCK)
            while data := stream.read(BLOCK):
                yield data
        else:
            yield from _transcoded(file, encoding, first, stream)


def verify(file: LocalFile, data: bytes, line: int) -> None:
    """That `data`, whole lines of a file from its line `line` on (the first is 1), is UTF-8. Raises Unreadable."""
    if data.isascii():
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong(file, "utf-8", line + data.count(b"\n", 0, error.start), data[error.start]) from error


def _transcoded(file: LocalFile, encoding: str, first: bytes, stream: Stream) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    data, line = first + stream.read(BLOCK), 1
    while True:
        try:
            text = decoder.decode(data, not data)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "ignore").count("\n")
            raise _wrong(file, encoding, line + before, error.object[error.start]) from error
        line += text.count("\n")
        yield text.encode("utf-8", "strict")
        if not data:
            return
        data = stream.read(BLOCK)


def _wrong(file: LocalFile, encoding: str, line: int, byte: int) -> Unreadable:
    name = _NAMES.get(encoding, encoding)
    return Unreadable(f"{file.name}: not {name} at line {line} (byte 0x{byte:02x}); declare csv.encoding as what it is")


def _full(stream: Stream, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found
