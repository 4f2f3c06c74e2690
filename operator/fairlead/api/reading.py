"""How the files of a Dataset's version are read: what was declared, and what was inferred once over all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.formats import FormatName
from fairlead.api.schema import LIST_ATOMIC, Model, cel

Encoding = Literal[
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1250", "cp1251", "cp1252", "iso8859-2", "iso8859-15",
    "shift_jis", "gb18030",
]  # fmt: skip
Character = Annotated[str, Field(max_length=1, pattern=r"^[\x01-\x7f]$")]
"""One of ASCII."""


class Csv(Model):
    """How CSV is written. What is left out is inferred once over all files, and kept for later ones."""

    delimiter: Character | None = None
    """Between two fields."""
    quote: Annotated[str, Field(max_length=1, pattern=r"^[\x01-\x7f]?$")] | None = None
    """Around fields that have delimiters, quotes or line ends in them. Nothing: quotes mean nothing."""
    escape: Character | None = None
    """Before a quote inside of quotes. Default: the quote itself, doubled (RFC 4180); Spark writes `\\`."""
    encoding: Encoding | None = None
    """Of the characters. Default: UTF-8, or UTF-16 if a byte order mark says so."""
    null: Annotated[str | None, Field(alias="nullText", max_length=64)] = None
    """The unquoted text that means null. Default: no text at all."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.delimiter) || !(self.delimiter in ['\\n', '\\r', '\"'])",
                "delimiter can't be a quote or line end",
            ),
            (
                "!has(self.quote) || self.quote.matches('^[^\\\\sA-Za-z0-9]?$')",
                "quote can't be a letter, a digit or white space",
            ),
            (
                "!has(self.quote) || !has(self.delimiter) || self.quote != self.delimiter",
                "quote and delimiter are the same",
            ),
            (
                "!has(self.escape) || !has(self.delimiter) || self.escape != self.delimiter",
                "escape and delimiter are the same",
            ),
            ("!has(self.escape) || !(self.escape in ['\\n', '\\r'])", "escape can't be a line end"),
            ("!has(self.nullText) || !self.nullText.matches('[\\n\\r]')", "nullText is text without line ends"),
            (
                "!has(self.nullText) || !has(self.delimiter) || !self.nullText.contains(self.delimiter)",
                "nullText can't have the delimiter in it: no field could be it",
            ),
            ("!has(self.escape) || !has(self.quote) || self.quote != ''", "an escape without a quote means nothing"),
        )
    )


class ReadColumn(Model):
    """A column, as it is read."""

    name: str
    type: str
    """string, integer, float, boolean, timestamp or date; else what Parquet calls it, such as `list<double>`."""
    declared: bool = False
    """By spec.schema; else inferred over all files."""


class Reading(Model):
    """How the files of a version are read: declared, or inferred once over all of them, then fixed for later files."""

    format: FormatName
    delimiter: str | None = None
    """Of CSV; so are the next four."""
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    null: str | None = None
    columns: Annotated[list[ReadColumn], Field(json_schema_extra=LIST_ATOMIC)] = []

    def types(self) -> dict[str, str]:
        """Type by column."""
        return {column.name: column.type for column in self.columns}

    def after(self, before: Reading) -> Reading:
        """This reading of later files, with the columns that only the files before have."""
        mine = {column.name: column for column in self.columns}
        old = [mine.get(column.name, column) for column in before.columns]
        names = {column.name for column in old}
        return self.model_copy(update={"columns": [*old, *(c for c in self.columns if c.name not in names)]})


SHOWN = 100
"""Columns of a reading in a status."""
_NAME, _TYPE = 63, 63


class ShownColumn(Model):
    """A column, as it is read."""

    name: Annotated[str, Field(max_length=_NAME)]
    type: Annotated[str, Field(max_length=_TYPE)]
    declared: bool = False
    """By spec.schema; else inferred over all files, and kept for later ones."""


class ShownReading(Model):
    """How the current version's files are read."""

    format: Annotated[str, Field(max_length=16)]
    delimiter: Annotated[str, Field(max_length=8)] | None = None
    quote: Annotated[str, Field(max_length=8)] | None = None
    escape: Annotated[str, Field(max_length=8)] | None = None
    encoding: Annotated[str, Field(max_length=16)] | None = None
    null: Annotated[str | None, Field(alias="nullText", max_length=64)] = None
    columns: Annotated[list[ShownColumn], Field(max_length=SHOWN, json_schema_extra=LIST_ATOMIC)] = []
    more: int = 0
    """Columns besides the ones shown; the version's manifest has all."""


def shown(reading: Reading) -> ShownReading:
    """What a status has room for."""
    columns = [
        ShownColumn(name=_cut(c.name, _NAME), type=_cut(c.type, _TYPE), declared=c.declared) for c in reading.columns
    ]
    return ShownReading(
        format=reading.format, delimiter=reading.delimiter, quote=reading.quote, escape=reading.escape,
        encoding=reading.encoding, null=reading.null, columns=columns[:SHOWN], more=max(0, len(columns) - SHOWN),
    )  # fmt: skip


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
