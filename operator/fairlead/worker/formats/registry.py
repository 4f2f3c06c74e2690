"""The formats that are read: one line each."""

from __future__ import annotations

from fairlead.worker.formats.base import Format
from fairlead.worker.formats.csvtable import CsvTable
from fairlead.worker.formats.jsonl import JsonLines
from fairlead.worker.formats.parquet import Parquet

FORMATS: dict[str, Format] = {"parquet": Parquet(), "csv": CsvTable(), "jsonl": JsonLines()}
