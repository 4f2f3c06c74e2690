"""What a query of a check decides: by Arrow, as DuckDB's own way to Python's objects wants modules that are not in the
image (pytz, for any time with a zone), and fails for times that Python's calendar lacks."""

from __future__ import annotations

import duckdb
import pyarrow as pa

_INTEGERS_TOO = (pa.types.is_boolean, pa.types.is_integer)
_SAID = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_string, pa.types.is_null)


def decision(answer: duckdb.DuckDBPyConnection) -> tuple[bool, str]:
    """Whether the first value of an answer is true, or an integer other than 0; and that value in words."""
    for batch in answer.to_arrow_reader(1):
        if batch.num_rows:
            return _decided(batch.column(0)[0])
    return False, "no row"


def _decided(value: pa.Scalar) -> tuple[bool, str]:
    kind = value.type
    whole = pa.types.is_decimal(kind) and kind.scale == 0  # integers beyond 64 bits, such as sums
    if whole or any(test(kind) for test in _INTEGERS_TOO):
        return bool(value.as_py()), repr(value.as_py())
    return False, repr(value.as_py()) if any(test(kind) for test in _SAID) else f"a value of type {kind}"
