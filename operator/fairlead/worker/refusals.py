"""Which row of a refused request it was, and which of its columns: found by asking for less, not by reading logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from fairlead.api.units import many
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import cell
from fairlead.worker.oip import Refused
from fairlead.worker.rows import Batch

MOST = 48
"""Requests that are sent to find it: halving needs 28 at most, for the largest batch, the rest is for columns."""
LONGEST = 60.0
"""Seconds after which it is searched no further."""
SHOWN = 12
"""Columns whose values are shown."""

Ask = Callable[[Batch], None]
"""Sends rows, and forgets the answer. Raises Refused; TaskFailed for a server that is gone."""


class _Enough(Exception):  # noqa: N818 - the house's names of errors
    """No more requests are to be sent."""


class Search:
    """Sends parts of a refused request. columns: those that are sent; answered: a row that the server has answered, if
    there is one."""

    def __init__(self, ask: Ask, columns: Sequence[str], answered: Batch | None) -> None:
        self._ask, self._columns, self._answered = ask, columns, answered
        self._left, self._until = MOST, time.monotonic() + LONGEST

    def told(self, rows: Batch, first: int, error: Refused) -> str:
        """What was refused, as narrowly as it could be found: a row with its values and, where one column alone makes
        the difference, that. first: the number of the first of these rows."""
        begin, end = 0, rows.num_rows
        try:
            while end - begin > 1:
                begin, end, error = self._half(rows, begin, end)
        except (_Enough, TaskFailed):  # a server that goes meanwhile has refused all the same
            return f"{_numbered(first + begin, first + end)}: {error}"
        row = rows.slice(begin, 1)
        return f"row {first + begin} ({self._values(row)}): {error}{self._difference(rows, row)}"

    def _half(self, rows: Batch, begin: int, end: int) -> tuple[int, int, Refused]:
        """The half that is refused, and why. Raises _Enough where neither is."""
        half = (begin + end) // 2
        for start, stop in ((begin, half), (half, end)):
            refused = self._refused(rows.slice(start, stop - start))
            if refused is not None:
                return start, stop, refused
        raise _Enough

    def _refused(self, rows: Batch) -> Refused | None:
        if self._left == 0 or time.monotonic() > self._until:
            raise _Enough
        self._left -= 1
        try:
            self._ask(rows)
        except Refused as error:
            return error
        self._answered = rows.slice(0, 1)
        return None

    def _difference(self, rows: Batch, row: Batch) -> str:
        """What of a refused row makes the difference, as far as it is found."""
        try:
            for at in (rows.num_rows - 1, rows.num_rows // 2):
                if self._answered is None:
                    self._refused(rows.slice(at, 1))
            return self._column(row, self._answered) if self._answered else "; no row has been answered"
        except (_Enough, TaskFailed):
            return ""

    def _column(self, row: Batch, good: Batch) -> str:
        """The column with whose value from an answered row the refused one is answered too, if there is one."""
        for name in self._columns:
            mine, other = row.column(name), good.column(name)
            if mine.equals(other):
                continue
            at = row.schema.get_field_index(name)
            if self._refused(row.set_column(at, row.schema.field(at), other)) is None:
                if self._refused(row) is None:
                    return "; asked once more, it was answered: the server does not always answer alike"
                return (
                    f"; it is column {name}: with {_value(other[0])} instead of {_value(mine[0])} the row is answered"
                )
        return ""

    def _values(self, row: Batch) -> str:
        shown = [f"{name}={_value(row.column(name)[0])}" for name in self._columns[:SHOWN]]
        more = len(self._columns) - len(shown)
        return ", ".join(shown) + (f", and {many(more, 'column more', 'columns more')}" if more > 0 else "")


def _value(value: Any) -> str:
    found = value.as_py()
    if found is None or isinstance(found, (bool, int, float)):
        return "null" if found is None else str(found)
    return cell(found, 40)


def _numbered(begin: int, end: int) -> str:
    return f"row {begin}" if end - begin == 1 else f"rows {begin} to {end - 1}"
