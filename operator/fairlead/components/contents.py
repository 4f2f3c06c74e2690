"""What is in a row, as one text: two rows have the same text if, and only if, their values are the same.

The text says nothing of files, of the order of rows or of columns, or of how a number is stored: 1 is 1.0, -0.0 is 0,
every NaN is NaN, NULL is not an empty text and equal to NULL. So whatever follows from its hash stays when the same
rows are written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.worker.tables import name, text

DATA = "data"
"""The view of all rows, of which cells are asked."""
_EXACT = 1 << 53
"""Floats below are integers exactly if they are whole."""


def cell(column: str) -> str:
    """SQL: a row's value; with the view's name, for other tables and expressions have columns too."""
    return f"{DATA}.{name(column)}"


def alike(columns: Mapping[str, Any], some: Sequence[str]) -> str:
    """SQL: the text of these columns of a row; never null.

    Args:
        columns: DuckDB's type of each column.
        some: Which of them.
    """
    # its length first, so that no text can be taken for two
    parts = (f"coalesce(strlen({t}) || ':' || {t}, '-')" for t in (one(cell(c), columns[c]) for c in sorted(some)))
    return f"concat({', '.join(parts)})"


def named(columns: Mapping[str, Any], some: Sequence[str]) -> str:
    """SQL: the text of what names a row: these columns, or all if there are none. Where one of them is null they name
    nothing, and the row stands for itself: all of its columns do."""
    whole = f"'r' || {alike(columns, list(columns))}"
    if not some:
        return whole
    return f"CASE WHEN {unnamed(some)} THEN {whole} ELSE 'k' || {alike(columns, some)} END"


def unnamed(some: Sequence[str]) -> str:
    """SQL: whether one of these columns is null."""
    return " OR ".join(f"{cell(one)} IS NULL" for one in some) or "false"


def number(of: str, seed: int) -> str:
    """SQL: the place of a text among 2^128, which nobody can foresee and everybody gets alike. MD5, because DuckDB's
    own hash may change with its version."""
    return f"md5_number({text(f'{seed}|')} || {of})"


def one(value: str, kind: Any, depth: int = 0) -> str:
    """SQL: a value as text, null for null.

    Args:
        value: SQL of it.
        kind: DuckDB's type of it.
        depth: How many lists it is in.
    """
    what = str(kind.id)
    if what in ("float", "double"):
        whole = f"abs({value}) < {_EXACT} AND trunc({value}) = {value}"
        return (
            f"CASE WHEN isnan({value}) THEN 'nan' WHEN {whole} THEN CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({value} AS VARCHAR) END"
        )
    if what == "blob":
        return f"hex({value})"
    if what in ("list", "array"):
        element, inner = f"e{depth}", kind.children[0][1]
        listed = f"CAST({value} AS {inner}[])" if what == "array" else value
        return _listed(value, f"list_transform({listed}, lambda {element}: {one(element, inner, depth + 1)})")
    if what == "struct":
        fields = (one(f"struct_extract({value}, {text(key)})", inner, depth) for key, inner in kind.children)
        return _listed(value, f"[{', '.join(fields)}]")
    if what == "map":
        entry, (key, item) = f"e{depth}", (inner for _, inner in kind.children)
        pair = f"[{one(f'{entry}.key', key, depth + 1)}, {one(f'{entry}.value', item, depth + 1)}]"
        pairs = f"list_transform(map_entries({value}), lambda {entry}: to_json({pair})::VARCHAR)"
        return _listed(value, f"list_sort({pairs})")
    return f"CAST({value} AS VARCHAR)"


def _listed(value: str, texts: str) -> str:
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE to_json({texts})::VARCHAR END"
