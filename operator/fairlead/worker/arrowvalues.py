"""Columns of Arrow as binning wants them. What a request could not carry as a number or a text is neither."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array: TypeAlias = Any
"""pyarrow.Array."""


def gaps(values: Array) -> bool:
    """Whether some may be null."""
    return bool(values.null_count) or pa.types.is_dictionary(values.type)


def nulls(values: Array) -> NDArray[np.bool_]:
    """Which are null."""
    return np.asarray(_decoded(values).is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def floats(values: Array) -> NDArray[np.float64] | None:
    """Numbers and truths as floats, nulls as any; None: the column has no numbers. Decimals are numbers: they are sent
    so."""
    values = _decoded(values)
    kind = values.type
    if pa.types.is_null(kind):
        return np.zeros(len(values))
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        values = values.cast(pa.float64(), safe=False)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    if values.null_count:
        values = values.fill_null(pa.scalar(0, type=values.type)) if values.type != pa.float16() else _wide(values)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _wide(values: Array) -> Array:
    """Arrow can't fill half floats."""
    return values.cast(pa.float32()).fill_null(0.0)


def different(values: Array) -> tuple[list[Any], NDArray[np.intp]] | None:
    """The values that there are, and for each row which of them it has: one behind the last for null. None: the column
    has neither texts nor numbers."""
    values = _decoded(values)
    kind = values.type
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64(), safe=False)
    elif pa.types.is_float16(kind):
        values = values.cast(pa.float32())
    elif pa.types.is_null(kind):
        return [], np.zeros(len(values), dtype=np.intp)
    elif not (_is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    coded = values.dictionary_encode()
    which = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
    return _plain(coded.dictionary), which.astype(np.intp, copy=False)


def _decoded(values: Array) -> Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain(values: Array) -> list[Any]:
    """Arrow does not look whether texts are UTF-8 when it reads them from files."""
    try:
        found: list[Any] = values.to_pylist()
    except UnicodeDecodeError:
        raw = values.cast(pa.large_binary()).to_pylist()
        found = [None if one is None else one.decode(errors="replace") for one in raw]
    return found
