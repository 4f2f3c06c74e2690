"""CSV is read as RFC 4180 and the declared dialect say, or refused with the reason."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairlead.api.dataset import Column
from fairlead.api.reading import Csv, Reading
from fairlead.worker import tables
from fairlead.worker.formats import csv
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable

Rows = list[tuple[str | None, ...]]


def written(folder: Path, *contents: bytes) -> list[LocalFile]:
    files = [LocalFile(folder / f"{number}.csv", f"{'abcdef'[number]}.csv") for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.path.write_bytes(content)
    return files


def read(
    folder: Path, *contents: bytes, names: Sequence[str] = (), fixed: Reading | None = None, **spec: Any
) -> tuple[Reading, list[str], Rows]:
    """The dialect, the columns, and the cells; the independent count agrees."""
    files = written(folder, *contents)
    declared = Declared(columns=[Column(name=name, type="string") for name in names], csv=Csv(**spec))
    reading = csv.dialect(files, declared, fixed)
    with tables.connect(folder) as database:
        found = database.execute(csv.raw(database, files, reading))
        columns, rows = [column[0] for column in found.description], found.fetchall()
    assert sum(csv.count(file, reading) for file in files) == len(rows)
    return reading, columns, rows


def refused(folder: Path, *contents: bytes, **options: Any) -> str:
    with pytest.raises(Unreadable) as caught:
        read(folder, *contents, **options)
    message = str(caught.value)
    assert len(message) <= 1000
    assert message.isprintable()
    return message


def zstd(data: bytes) -> bytes:
    found = pa.BufferOutputStream()
    with pa.CompressedOutputStream(found, "zstd") as stream:
        stream.write(data)
    return bytes(found.getvalue())


def test_d01_wider_in_the_middle(tmp_path: Path) -> None:
    message = refused(tmp_path, b"id,x\n1,1.0\n2,2.0\nid,x,y\n3,3.0,1\n", names=["id", "x"])
    assert message.startswith("a.csv: line 4 has 3 fields, the header has 2; ")


def test_d01_wider_in_a_long_file(tmp_path: Path) -> None:
    rows = [b"%d,%d.5" % (n, n) for n in range(500_000)]
    rows[400_000] += b",1"
    assert "line 400002 has 3 fields, the header has 2" in refused(tmp_path, b"id,x\n" + b"\n".join(rows) + b"\n")


def test_d01_one_column_of_text(tmp_path: Path) -> None:
    _, columns, rows = read(tmp_path, b"note\nhello\nb;c\n", names=["note"])
    assert (columns, rows) == (["note"], [("hello",), ("b;c",)])


def test_d02_a_quote_that_comes_late(tmp_path: Path) -> None:
    plain = "".join(f"{n},0.5,plain\n" for n in range(25_000))
    _, _, rows = read(tmp_path, f'id,x,t\n{plain}25000,1.5,"a, b"\n'.encode())
    assert len(rows) == 25_001
    assert rows[-1] == ("25000", "1.5", "a, b")


def test_d03_what_is_not_utf_8_is_said_and_read_as_declared(tmp_path: Path) -> None:
    content = b"id,x,t\n1,1.5,Z\xfcrich\n"
    assert refused(tmp_path, content).startswith("a.csv: not UTF-8 at line 2 (byte 0xfc); declare csv.encoding")
    for encoding in ("latin-1", "cp1252"):
        assert read(tmp_path, content, encoding=encoding)[2] == [("1", "1.5", "Zürich")]


def test_d03_short_rows(tmp_path: Path) -> None:
    assert "line 3 has 2 fields, the header has 3" in refused(tmp_path, b"id,x,y\n1,1.5,2\n2,2.5\n3,1,1\n")


def test_d03_compressed_files_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    for pack in (gzip.compress, zstd):
        assert read(tmp_path, pack(b"id,x\n1,1.5\n"))[2] == [("1", "1.5")]
        several = pack(b"id,x\n1,1.5\n") + pack(b"2,2.5\n") + pack("3,ü\n".encode())
        assert read(tmp_path, several)[2] == [("1", "1.5"), ("2", "2.5"), ("3", "ü")]
        assert read(tmp_path, pack("id;x\n1;ü\n".encode("cp1252")), encoding="cp1252")[2] == [("1", "ü")]
