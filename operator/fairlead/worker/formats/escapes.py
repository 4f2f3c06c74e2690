"""CSV whose quotes are escaped by another character than the quote (Spark's and MySQL's backslash), as RFC 4180.

Writers disagree on what the escape means where it need not stand. What all of them read alike is rewritten; what two of
them would read differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fairlead.worker.formats.base import LocalFile, Unreadable


def rewritten(file: LocalFile, pieces: Iterable[bytes], delimiter: str, quote: str, escape: str) -> Iterator[bytes]:
    """The same records with quotes doubled. Within quotes the escape stands before a quote or another escape; outside
    of them it is a character like any other, but not before what it could be meant to escape. Raises Unreadable."""
    state = _State(file, delimiter, quote, escape)
    for piece in pieces:
        yield state.take(piece)
    yield state.take(b"", last=True)


class _State:
    def __init__(self, file: LocalFile, delimiter: str, quote: str, escape: str) -> None:
        self._file = file
        self._quote, self._escape = quote.encode(), escape.encode()
        q, e = re.escape(self._quote), re.escape(self._escape)
        # A run of ordinary bytes, an escape with what follows it, or a quote with what follows it.
        self._token = re.compile(rb"[^" + q + e + rb"]+|" + e + rb"[\s\S]|" + q)
        self._special = {self._quote, self._escape, delimiter.encode(), b"\n", b"\r"}
        self._within = False
        self._closed = False
        """Whether the last byte was a closing quote."""
        self._rest = b""
        self._line = 1

    def take(self, piece: bytes, *, last: bool = False) -> bytes:
        data, parts, end = self._rest + piece, [], 0
        for match in self._token.finditer(data):
            token, end = match.group(), match.end()
            parts.append(self._one(token))
            self._line += token.count(b"\n")
        self._rest = data[end:]
        if last and self._rest:
            raise self._refused(self._rest, "stands at the end of the file")
        return b"".join(parts)

    def _one(self, token: bytes) -> bytes:
        closed, self._closed = self._closed, False
        if token == self._quote:
            if closed:
                raise self._refused(token, "is doubled, though csv.escape is declared")
            self._within = not self._within
            self._closed = not self._within
            return token
        if token[:1] != self._escape:
            return token
        meant = token[1:]
        if not self._within:
            if meant in self._special:
                raise self._refused(token, "stands outside of quotes, where writers mean different things by it")
            return token
        if meant == self._quote:
            return self._quote * 2
        if meant == self._escape:
            return self._escape
        raise self._refused(token, "stands within quotes before neither a quote nor another escape")

    def _refused(self, token: bytes, what: str) -> Unreadable:
        shown = token.decode("utf-8", "replace")
        return Unreadable(
            f"{self._file.name}: line {self._line}: {shown} {what}; write quotes doubled (RFC 4180), and declare no "
            "csv.escape"
        )
