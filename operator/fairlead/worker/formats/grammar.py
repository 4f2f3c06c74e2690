"""The grammar of CSV (RFC 4180), over whole files at the speed of memory: how many records there are, whether each has
as many fields as the header, and where it is broken. It gives no cells: those come from a library's reader, and this is
the proof that it lost none.

Records end as the first one does: with a line feed, with CR LF, or with a carriage return. (Mixed ends are refused: in
a file of line feeds a CR before one can be the end of a cell that nobody has quoted.) A field is quoted whole or not at
all; a quote inside of quotes is doubled. A line without anything on it is no record, but in a file of one column it is
one: a cell without a value.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fairlead.worker.formats import encodings
from fairlead.worker.formats.base import LocalFile, Unreadable
from fairlead.worker.formats.words import cell

Positions = NDArray[np.int64]
LineEnd = Literal["\n", "\r\n", "\r"]
LONGEST = 16 << 20
"""Bytes of the longest record that is read."""
WIDEST = 5000
"""Columns of the widest file that is read: DuckDB needs some 30 kB a column and thread."""
_LF, _CR = 10, 13
_NO_BYTE = -1
_NONE: Positions = np.empty(0, np.int64)


class Irregular(Unreadable):
    """The file is no table under this dialect; it may be one under another."""


@dataclass(frozen=True)
class Dialect:
    """How fields and records are told apart."""

    delimiter: str
    quote: str
    """Nothing: quotes mean nothing."""


@dataclass(frozen=True)
class Layout:
    """What a file is, seen as CSV."""

    header: tuple[str, ...]
    records: int
    """Without the header."""
    line_end: LineEnd
    multiline: bool
    """Whether a line end stands within quotes."""
    longest: int
    """Bytes of the longest record, with its line end."""
    blank: int = 0
    """In a file of one column: the first line without anything on it, which is a record; 0 if there is none."""


def layout(file: LocalFile, pieces: Iterable[bytes], dialect: Dialect) -> Layout:
    """Go over all of a file.

    Args:
        file: For messages.
        pieces: Its bytes, in UTF-8 without a byte order mark.
        dialect: Delimiter and quote are ASCII.

    Raises:
        Irregular: With the line of what is wrong.
        Unreadable: It is not UTF-8, has NUL bytes, is empty, or has a record longer than LONGEST.
    """
    scan = _Scan(file, dialect)
    for block in _joined(pieces, scan):
        scan.block(block)
    return scan.result()


def _joined(pieces: Iterable[bytes], scan: _Scan) -> Iterator[bytes]:
    """Pieces, each with what of the one before was not a whole record, and at least as much again, so that a long
    record is not gone over too often; at last the rest, with a line end."""
    pending = b""
    for piece in pieces:
        if len(scan.rest) > LONGEST:
            raise scan.too_long(scan.line)
        pending += piece
        if len(pending) >= len(scan.rest):
            yield scan.rest + pending
            pending = b""
    if pending:
        yield scan.rest + pending
    if scan.rest:
        scan.found_end(scan.rest, last=True)
        yield scan.rest if scan.rest.endswith(scan.line_end.encode()) else scan.rest + scan.line_end.encode()


class _Scan:
    """One pass over a file."""

    def __init__(self, file: LocalFile, dialect: Dialect) -> None:
        self.file, self.dialect = file, dialect
        self.rest = b""
        """Bytes of a record whose end was not seen yet."""
        self.line = 1
        """On which the next record begins."""
        self.end = 0
        """The byte that ends records; 0 before it is known."""
        self._delimiter = ord(dialect.delimiter)
        self._quote = ord(dialect.quote) if dialect.quote else _NO_BYTE
        self._header: tuple[str, ...] = ()
        self._records = 0
        self._longest = 0
        self._blank = 0
        self._multiline = False
        self._crlf: bool | None = None

    def result(self) -> Layout:
        """What was found, after the last block."""
        if self.rest:
            self._quotes(self.rest, _Structure(self.rest, self._delimiter, self._quote, self.end or _LF))
            raise Irregular(
                f"{self.file.name}: line {self.line}: a quoted field of this record is never closed; close it"
            )
        if not self._header:
            raise Unreadable(f"{self.file.name}: empty, without a header; remove it, or write a line of column names")
        return Layout(self._header, self._records, self.line_end, self._multiline, self._longest, self._blank)

    def too_long(self, line: int) -> Irregular:
        """What to say of the record that begins on a line."""
        return Irregular(
            f"{self.file.name}: the record that begins on line {line} is longer than {LONGEST} bytes; is a quote there "
            "never closed? Write shorter records, or declare csv.quote"
        )

    @property
    def line_end(self) -> LineEnd:
        """What ends records, as far as is known."""
        return "\r" if self.end == _CR else "\r\n" if self._crlf else "\n"

    def block(self, data: bytes) -> None:
        """Take whole records from the beginning of `data`, and keep the rest."""
        if not self.found_end(data):
            self.rest = data
            return
        found = _Structure(data, self._delimiter, self._quote, self.end)
        if not len(found.ends):
            self.rest = data
            return
        size = int(found.ends[-1]) + 1
        whole = data[:size]
        self.rest = data[size:]
        self._characters(whole)
        self._quotes(whole, found)
        self._lines(whole, found)
        self._fields(whole, found)
        self._multiline = self._multiline or found.multiline
        self.line += whole.count(bytes([self.end]))

    def found_end(self, data: bytes, *, last: bool = False) -> bool:
        """Whether what ends the first record, and so all, is known. With the `last` data it is."""
        if self.end:
            return True
        found, none = _Structure(data, self._delimiter, self._quote, _LF), len(data) + 1
        feed = int(found.ends[0]) if len(found.ends) else none
        returned = int(found.others[0]) if len(found.others) else none
        if min(feed, returned + 1) >= len(data) and not last:
            return False
        self.end = _LF if feed <= returned + 1 else _CR
        return True

    def _characters(self, whole: bytes) -> None:
        encodings.verify(self.file, whole, self.line)
        if b"\0" in whole:
            line = self.line + whole.count(b"\n", 0, whole.index(b"\0"))
            raise Unreadable(
                f"{self.file.name}: line {line} has a NUL byte, which is no text; if it is UTF-16, declare csv.encoding"
            )

    def _quotes(self, whole: bytes, found: _Structure) -> None:
        """Quotes stand around whole fields, or doubled inside of them."""
        if not len(found.opening):
            return
        size = len(whole)
        opening, closing = found.opening[found.opening < size], found.closing[found.closing < size]
        allowed = np.zeros(256, bool)
        allowed[[self._delimiter, _LF, _CR, self._quote]] = True
        bytes_ = np.frombuffer(whole, np.uint8)
        before = opening[~allowed[bytes_[opening - 1]] & (opening > 0)]
        after = closing[closing + 1 < size]
        after = after[~allowed[bytes_[after + 1]]]
        first = min(int(before[0]) if len(before) else size, int(after[0]) if len(after) else size)
        if first < size:
            raise self._broken_quote(whole, first, stray=bool(len(before)) and first == int(before[0]))

    def _broken_quote(self, whole: bytes, at: int, *, stray: bool) -> Irregular:
        line = self.line + whole.count(bytes([self.end]), 0, at)
        near = whole[max(at - 20, 0) : at + 20].decode("utf-8", "replace")
        what = "a quote in the middle of a field that is not quoted" if stray else "more text after a closing quote"
        return Irregular(
            f"{self.file.name}: line {line}: {what}, at {cell(near)}; quote the whole field and double the quotes in "
            "it, or declare csv.quote (nothing, if quotes mean nothing) or csv.escape"
        )

    def _lines(self, whole: bytes, found: _Structure) -> None:
        """What ends lines outside of quotes."""
        others = found.others[found.others < len(whole)]
        if self._crlf is None:
            self._crlf = self.end == _LF and len(others) > 0 and int(others[0]) + 1 == int(found.ends[0])
        if not self._crlf:
            wrong = others
        elif np.array_equal(others + 1, found.ends):
            return
        else:
            wrong = np.setxor1d(others + 1, found.ends)
        if len(wrong):
            line = self.line + whole.count(bytes([self.end]), 0, int(wrong[0]))
            shown = {"\n": "LF", "\r": "CR", "\r\n": "CR LF"}[self.line_end]
            raise Irregular(
                f"{self.file.name}: line {line} does not end with {shown}, as line 1 does; write the same line ends "
                "everywhere, and quote fields that have a carriage return or a line feed in them"
            )

    def _fields(self, whole: bytes, found: _Structure) -> None:
        """All records have as many fields as the header."""
        ends = found.ends
        starts = np.concatenate(([0], ends[:-1] + 1))
        longest = int((ends - starts).argmax())
        self._longest = max(self._longest, int(ends[longest] - starts[longest]) + 1)
        if self._longest > LONGEST:
            raise self.too_long(self.line + whole.count(bytes([self.end]), 0, int(starts[longest])))
        skip = 0
        if not self._header:
            self._header = header(self.file, whole[: int(ends[0])].removesuffix(b"\r"), self.dialect)
            skip = 1
        wanted = len(self._header) - 1
        delimiters = found.delimiters[: np.searchsorted(found.delimiters, len(whole))]
        self._records += len(ends) - skip
        if not wanted and not self._blank:
            self._blank = self._first_blank(whole, starts, ends)
        if len(delimiters) == len(ends) * wanted and _regular(delimiters, starts, ends, wanted):
            return
        counts = np.diff(np.searchsorted(delimiters, ends), prepend=0)
        wrong = np.flatnonzero(counts != wanted)
        bytes_ = np.frombuffer(whole, np.uint8)
        blank = _blank(bytes_, starts[wrong], ends[wrong])
        if not blank.all():
            bad = int(wrong[~blank][0])
            line = self.line + whole.count(bytes([self.end]), 0, int(starts[bad]))
            raise Irregular(
                f"{self.file.name}: line {line} has {_number(int(counts[bad]) + 1)}, the header has {wanted + 1}; "
                "write as many as the header, quote fields that have the delimiter in them, or declare csv.delimiter"
            )
        self._records -= int(blank.sum())

    def _first_blank(self, whole: bytes, starts: Positions, ends: Positions) -> int:
        """Its line; 0 if there is none."""
        blank = np.flatnonzero(_blank(np.frombuffer(whole, np.uint8), starts, ends))
        return self.line + whole.count(bytes([self.end]), 0, int(starts[blank[0]])) if len(blank) else 0


def _blank(bytes_: NDArray[np.uint8], starts: Positions, ends: Positions) -> NDArray[np.bool_]:
    """Which records are lines without anything on them."""
    lengths = ends - starts
    found: NDArray[np.bool_] = (lengths == 0) | ((lengths == 1) & (bytes_[starts] == _CR))
    return found


class _Structure:
    """Where a piece that begins with a record has what matters: outside of quotes the record ends (`ends`), delimiters,
    and the other one of CR and LF (`others`); opening and closing quotes."""

    def __init__(self, data: bytes, delimiter: int, quote: int, end: int) -> None:
        bytes_ = np.frombuffer(data, np.uint8)
        other = _CR if end == _LF else _LF
        has_other = other in data
        self.opening = self.closing = _NONE
        self.multiline = False
        if quote < 0 or quote not in data:
            self.ends = np.flatnonzero(bytes_ == end)
            self.delimiters = np.flatnonzero(bytes_ == delimiter)
            self.others = np.flatnonzero(bytes_ == other) if has_other else _NONE
            return
        mask = bytes_ == quote
        mask |= bytes_ == delimiter
        mask |= bytes_ == end
        if has_other:
            mask |= bytes_ == other
        at = np.flatnonzero(mask)
        code = bytes_[at]
        quotes = code == quote
        within = (np.cumsum(quotes, dtype=np.uint8) & 1).astype(bool)
        outside = ~(within | quotes)
        self.opening, self.closing = at[quotes & within], at[quotes & ~within]
        self.ends = at[outside & (code == end)]
        self.delimiters = at[outside & (code == delimiter)]
        self.others = at[outside & (code == other)] if has_other else _NONE
        self.multiline = bool((within & ((code == _LF) | (code == _CR))).any())


def _regular(delimiters: Positions, starts: Positions, ends: Positions, wanted: int) -> bool:
    """Whether each record has `wanted` delimiters, known that there are as many in all: then the first of each lies
    behind its start, and the last before its end."""
    if wanted == 0:
        return True
    table = delimiters.reshape(len(ends), wanted)
    return bool((table[:, 0] >= starts).all() and (table[:, -1] < ends).all())


def first(file: LocalFile, pieces: Iterable[bytes], quote: str) -> bytes:
    """The first record, without its line end; it is the same under all delimiters."""
    data, mark = b"", ord(quote) if quote else _NO_BYTE
    for piece in pieces:
        data += piece
        found = _Structure(data, _NO_BYTE, mark, _LF)
        ends = np.concatenate((found.ends, found.others))
        if len(ends):
            return data[: int(ends.min())]
        if len(data) > LONGEST:
            raise Unreadable(
                f"{file.name}: no line ends within {LONGEST} bytes; is it CSV? Write a line of column names"
            )
    return data


def header(file: LocalFile, record: bytes, dialect: Dialect) -> tuple[str, ...]:
    """Names of columns: the first record's cells. One without a name (pandas' index has none) is called by its number,
    as `column0`. Raises Irregular if two are the same, or differ in upper and lower case only, which SQL does not tell
    apart."""
    cells = split(record, dialect)
    if len(cells) > WIDEST:
        raise Irregular(
            f"{file.name}: line 1 names {len(cells)} columns, and {WIDEST} are read at most; write many columns as "
            "rows of (id, column, value), or keep them in one column"
        )
    names = tuple(name or f"column{number}" for number, name in enumerate(cells))
    seen: dict[str, str] = {}
    for name in names:
        same = seen.get(name.casefold())
        seen[name.casefold()] = name
        if same is not None:
            what = (
                f"{cell(name)} twice"
                if same == name
                else f"{cell(same)} and {cell(name)}, which SQL does not tell apart"
            )
            raise Irregular(f"{file.name}: line 1: the header names {what}; rename one")
    if cells == [""]:
        raise Irregular(f"{file.name}: line 1 is empty, wanted a header; begin with a line of column names")
    return names


def split(record: bytes, dialect: Dialect) -> list[str]:
    """The cells of one record, without its line end."""
    text = record.decode("utf-8")
    if not dialect.quote or dialect.quote not in text:
        return text.split(dialect.delimiter)
    options: dict[str, Any] = {"delimiter": dialect.delimiter, "quotechar": dialect.quote, "strict": True}
    try:
        return next(csv.reader([text], **options))
    except csv.Error as error:
        raise Irregular(f"line 1: {error}") from error


def _number(count: int) -> str:
    return f"{count} field" + ("s" if count != 1 else "")
