"""What is wrong with a row, as SQL: a cell that is not what its column is, a null, a value that is not allowed.

A cell that can't be what is declared is a failed row of its own kind. It never becomes a null that other rules then
pass over: each rule says what it means for such a cell. Bounds are compared exactly where numbers are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from fairlead.api.dataset import Column
from fairlead.worker.formats import typed
from fairlead.worker.tables import name, text

_INT64 = (-(2**63), 2**63 - 1)
_HUGE = Decimal(2**127 - 1)
_DIGITS = 38
"""Of DuckDB's decimals."""


@dataclass(frozen=True)
class Rule:
    """SQL that is true for a wrong row, over the cells that Cells.select names."""

    column: str
    words: str
    """As in "3 of 5 rows …"."""
    condition: str
    cell: str
    """The name of the cell, of which an example is shown."""
    shape: bool = False
    """Whether the cell is not of its column's type: then a query over typed columns can't be run."""


@dataclass
class Cells:
    """Cells by short names, and rules over them; each expression is evaluated once a row."""

    select: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    def text(self, column: str, kind: str, declared: Column | None) -> None:
        """A column of texts that is to be of a type, declared or, as it was so far, inferred."""
        if declared is None:
            self._inferred(column, kind)
            return
        n = len(self.select)
        cell, value, good = f"c{n}", f"v{n}", f"k{n}"
        self.select.append(f"{name(column)} AS {cell}")
        if kind == typed.INTEGER:
            self.select += [f"{typed.like_integer(name(column))} AS {good}"]
            self.select += [f"TRY_CAST({name(column)} AS BIGINT) AS {value}"]
            self._add(column, "are not integer", f"NOT {good}", cell, shape=True)
            self._add(column, "are integers beyond 64 bits", f"{good} AND {value} IS NULL", cell, shape=True)
        elif kind not in (typed.STRING, typed.NULL, typed.JSON):
            self.select += [f"{typed.fits(kind, name(column))} AS {good}"]
            self.select += [f"{typed.maybe(kind, name(column))} AS {value}"] if kind == typed.FLOAT else []
            self._add(column, f"are not {kind}", f"{cell} IS NOT NULL AND NOT {good}", cell, shape=True)
        beyond = f"{good} AND {value} IS NULL AND starts_with(trim({cell}), '-')"
        for words, condition in _declared(declared, cell, value, "int64" if kind == typed.INTEGER else "double"):
            if kind == typed.INTEGER and words.startswith("are below") and _inside(declared.min):
                condition = f"{condition} OR ({beyond})"
            if kind == typed.INTEGER and words.startswith("are above") and _inside(declared.max):
                condition = f"{condition} OR ({beyond.replace(' AND starts', ' AND NOT starts')})"
            self._add(column, words, condition, cell)

    def _inferred(self, column: str, kind: str) -> None:
        cell, good = (f"{letter}{len(self.select)}" for letter in "ck")
        self.select += [f"{name(column)} AS {cell}", f"{typed.plainly(kind, name(column))} AS {good}"]
        self._add(column, f"are not {kind}", f"{cell} IS NOT NULL AND NOT {good}", cell, shape=True)

    def stored(self, column: Column, stored: str) -> None:
        """A column that has a type already. stored: what Arrow calls it."""
        cell = f"c{len(self.select)}"
        self.select.append(f"{name(column.name)} AS {cell}")
        for words, condition in _declared(column, cell, cell, stored):
            self._add(column.name, words, condition, cell)

    def _add(self, column: str, words: str, condition: str, cell: str, *, shape: bool = False) -> None:
        self.rules.append(Rule(column, words, condition, cell, shape))


def _declared(column: Column, cell: str, value: str, stored: str) -> Iterator[tuple[str, str]]:
    """(what is wrong with a row, SQL that is true for such a row)."""
    real = column.type == typed.FLOAT and stored in ("double", "float", "halffloat")
    if not column.nullable:
        yield "are null" + (" or NaN" if real else ""), f"{cell} IS NULL" + (f" OR isnan({value})" if real else "")
    number = f" AND NOT isnan({value})" if real else ""
    if column.min is not None:
        yield f"are below {column.min}", f"({value} < {bound(column.min, stored, up=True)}{number})"
    if column.max is not None:
        yield f"are above {column.max}", f"({value} > {bound(column.max, stored, up=False)}{number})"
    if column.in_ is not None:
        allowed = ", ".join(text(v) for v in column.in_) or "NULL"
        yield "have a value that is not allowed", f"{cell} IS NOT NULL AND {cell}::VARCHAR NOT IN ({allowed})"


def bound(limit: str, stored: str, *, up: bool) -> str:
    """SQL of a bound as numbers of a stored type can be compared with it, exactly: the next one that is a number of the
    type, upwards (of a lower bound) or downwards. Floats are compared as floats."""
    if stored in ("double", "float", "halffloat"):
        return f"CAST({text(limit)} AS {'DOUBLE' if stored == 'double' else 'FLOAT'})"
    scale = int(stored.rstrip(")").rsplit(",", 1)[1]) if stored.startswith("decimal") else 0
    with localcontext() as context:
        context.prec = 2 * _DIGITS
        largest = Decimal(10) ** (_DIGITS - scale) - Decimal(1).scaleb(-scale) if scale else _HUGE
        clipped = max(-largest, min(largest, Decimal(limit)))
        exact = clipped.scaleb(scale).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR).scaleb(-scale)
        kind = f"DECIMAL({_DIGITS}, {scale})" if scale else "HUGEINT"
        return f"CAST('{exact:f}' AS {kind})"


def _inside(limit: str | None) -> bool:
    """Whether integers of more than 64 bits are beyond this bound."""
    return limit is not None and _INT64[0] <= Decimal(limit) <= _INT64[1]
