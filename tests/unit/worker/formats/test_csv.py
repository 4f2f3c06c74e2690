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
from fairlead.worker.formats import compressed, csv
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
    declared = Declared(columns=[Column(name=name, type="string") for name in names], options=Csv(**spec))
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


def test_d03_archives_that_are_broken_or_foreign_are_named(tmp_path: Path) -> None:
    rows = b"id,x\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000))
    for pack in (gzip.compress, zstd):
        assert "archive is damaged" in refused(tmp_path, pack(rows)[:-9])
    assert "those of zip, which is not read here" in refused(tmp_path, b"PK\x03\x04abc")


def test_an_archive_holds_no_more_than_the_disk_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "room", lambda _: 100_000)
    assert read(tmp_path, gzip.compress(b"x\n" + b"1\n" * 40_000))[2][-1] == ("1",)
    message = refused(tmp_path, gzip.compress(b"x\n" + b"1\n" * 60_000))
    assert "more than 100000 bytes when decompressed" in message
    assert "scratch space" in message


def test_d13_messages_say_line_and_remedy_and_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    message = refused(tmp_path, 'a,b\n1,\x1b[31m\u202ex"y\n'.encode())
    assert message.startswith("a.csv: line 2: a quote in the middle of a field that is not quoted, at ")
    assert "declare csv.quote" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, without a header"),
        (b"\na\n", "line 1 is empty, wanted a header"),
        (b"a,b,a\n", 'the header names "a" twice'),
        (b"id,ID\n", 'the header names "id" and "ID", which SQL does not tell apart'),
        (b'a,b\n1,"x"y\n', "line 2: more text after a closing quote"),
        (b'a,b\n1,2\n3,"x\n4,5\n', "line 3: a quoted field of this record is never closed"),
        (b"a,b\n1,2\r\n", "line 2 does not end with LF, as line 1 does"),
        (b"a,b\r\n1,2\r\n3,4\n", "line 3 does not end with CR LF, as line 1 does"),
        (b"a,b\n1\r,2\n", "line 2 does not end with LF, as line 1 does"),
        (b"a,b\n\n1,2\n3\x00,4\n", "line 4 has a NUL byte"),
        (b'a,b\n"1\n2",2\n"1\n2"\n', "line 4 has 1 field, the header has 2"),
        (b"a,b\n1,2,\n", "line 2 has 3 fields, the header has 2"),
        (b"a,b;c\n1,2;3\n", 'fields could be divided by "," or ";"; declare csv.delimiter'),
        (b"note\nhello, world\n", "line 2 has 2 fields, the header has 1"),
        ("a,b\n1,2\n".encode("utf-16-le"), "line 1 has a NUL byte, which is no text; if it is UTF-16"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in refused(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a,b\n", ["a", "b"], []),
        (b"a,b", ["a", "b"], []),
        (b"a,b\n1,2", ["a", "b"], [("1", "2")]),
        (b"a,b\r1,2\r3,4", ["a", "b"], [("1", "2"), ("3", "4")]),
        (b"a,b\n\n1,2\n\n", ["a", "b"], [("1", "2")]),
        (b"a,b\r\n\r\n1,2\r\n", ["a", "b"], [("1", "2")]),
        (b'a\n\n1\n""\n', ["a"], [(None,), ("1",), ("",)]),
        (b'a,b\n,""\n', ["a", "b"], [(None, "")]),
        (b",a\n0,x\n", ["column0", "a"], [("0", "x")]),
        (b"a, b\n 1 ,#2\n", ["a", " b"], [(" 1 ", "#2")]),
        (b"a\tb\n1\t2,5\n", ["a", "b"], [("1", "2,5")]),
        (b"a|b\n1|2\n", ["a", "b"], [("1", "2")]),
        (b'\xef\xbb\xbf"a\tb"\tc\n1\t2\n', ["a\tb", "c"], [("1", "2")]),
        (b'"a\nb",c\r\n,\r\n', ["a\nb", "c"], [(None, None)]),
        (b"id,x\nid,x\n", ["id", "x"], [("id", "x")]),
        (b"flag,label\nT,no\n007,yes\n", ["flag", "label"], [("T", "no"), ("007", "yes")]),
    ],
)
def test_what_is_csv_is_read_as_it_is(tmp_path: Path, content: bytes, columns: list[str], rows: Rows) -> None:
    assert read(tmp_path, content)[1:] == (columns, rows)


def test_the_delimiter_is_found_over_all_of_all_files(tmp_path: Path) -> None:
    ambiguous, clear = b"a,b;c\n1,2;3\n", b"d;e\n1,5;2\n"
    reading, columns, rows = read(tmp_path, ambiguous, clear)
    assert reading.delimiter == ";"
    assert columns == ["a,b", "c", "d", "e"]
    assert rows == [("1,2", "3", None, None), (None, None, "1,5", "2")]
    assert read(tmp_path, ambiguous, names=["a"])[0].delimiter == ","
    assert read(tmp_path, ambiguous, delimiter=";")[2] == [("1,2", "3")]


def test_what_was_found_is_fixed_for_later_files(tmp_path: Path) -> None:
    first = read(tmp_path, b"a;b\n1;2\n")[0]
    assert read(tmp_path, b"a;b\n1,5;2,5\n", fixed=first)[2] == [("1,5", "2,5")]
    assert "line 2 has 2 fields, the header has 1" in refused(tmp_path, b"a,b\n1,2;3\n", fixed=first)
    assert read(tmp_path, b"a,b\n1,2\n", fixed=first, delimiter=",")[2] == [("1", "2")]


def test_byte_order_marks_decide_and_must_agree(tmp_path: Path) -> None:
    reading, _, rows = read(tmp_path, "a,b\nü,2\n".encode("utf-16"))
    assert (reading.encoding, rows) == ("utf-16", [("ü", "2")])
    assert "written differently" in refused(tmp_path, "a\n".encode("utf-16"), b"a\n")
    assert "not cp1252 at line 2 (byte 0x81)" in refused(tmp_path, b"a,b\n\x81,2\n", encoding="cp1252")


def test_quotes_and_nulls_mean_what_is_declared(tmp_path: Path) -> None:
    assert read(tmp_path, b'a,b\n5",2\n', quote="")[2] == [('5"', "2")]
    assert read(tmp_path, b"a,b\n'1,2','it''s'\n", quote="'")[2] == [("1,2", "it's")]
    assert read(tmp_path, b'a,b\nNA,"NA"\n,""\n', null="NA")[2] == [(None, "NA"), ("", "")]


def test_escapes_are_read_where_all_writers_mean_the_same(tmp_path: Path) -> None:
    content = b'a,b\n"say \\"x\\"","c\\\\"\n"C:\\\\new, x",C:\\new\n'
    assert read(tmp_path, content, escape="\\")[2] == [('say "x"', "c\\"), ("C:\\new, x", "C:\\new")]
    for broken in (b'a,b\n"x\\gy",1\n', b"a,b\nx\\,1\n", b'a,b\n"x""y",1\n'):
        assert "line 2: " in refused(tmp_path, broken, escape="\\")


def test_long_records_are_read_and_endless_ones_refused(tmp_path: Path) -> None:
    long = b"x" * (5 << 20)
    _, _, rows = read(tmp_path, b"a,b\n1," + long + b'\n2,"' + b"\n" * (5 << 20) + b'"\n')
    assert [len(row[1] or "") for row in rows] == [5 << 20, 5 << 20]
    assert "on line 2 is longer than 16777216 bytes" in refused(tmp_path, b'a,b\n1,"' + b"x\n" * (20 << 20))
    assert "on line 3 is longer than 16777216 bytes" in refused(tmp_path, b"a,b\n1,2\n1," + b"x" * (17 << 20) + b"\n")


def test_wide_files_are_read_up_to_a_bound(tmp_path: Path) -> None:
    def wide(count: int) -> bytes:
        return b",".join(b"c%d" % n for n in range(count)) + b"\n" + b",".join([b"1"] * count) + b"\n"

    assert read(tmp_path, wide(5000))[2] == [("1",) * 5000]
    assert "line 1 names 5001 columns, and 5000 are read at most" in refused(tmp_path, wide(5001))


def test_a_file_with_another_delimiter_than_the_others_is_no_column_more(tmp_path: Path) -> None:
    said = 'line 1 has 1 field "id,x", and other files have columns that it has if "," divides them, not ";"'
    assert said in refused(tmp_path, b"id;x\n1;2,3\n", b"id,x\n1,2\n")
    before = Reading.model_validate({
        "format": "csv", "delimiter": ";", "encoding": "utf-8",
        "columns": [{"name": "id", "type": "integer"}, {"name": "x", "type": "integer"}],
    })  # fmt: skip
    with pytest.raises(Unreadable, match="write all files with one delimiter"):
        csv.dialect(written(tmp_path, b"id,x\n1,2\n"), Declared(), before)
    alone = before.model_copy(update={"columns": []})
    assert csv.dialect(written(tmp_path, b"id,x\n1,2\n"), Declared(), alone).delimiter == ";"


@pytest.mark.parametrize(
    ("spec", "what"),
    [({"null": '""'}, "quote"), ({"null": "a;b"}, "delimiter"), ({"null": "N\nA"}, "line end")],
)
def test_what_no_field_can_be_does_not_mean_null(tmp_path: Path, spec: dict[str, str], what: str) -> None:
    assert f"has the {what} in it" in refused(tmp_path, b"id;x\n1;2\n", **spec)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_blank_line_of_one_column_is_null_or_refused_where_nulls_are_a_text(tmp_path: Path, end: str) -> None:
    content = end.join(["note", "a", "", '""', "NA", ""]).encode()
    assert read(tmp_path, content)[2] == [("a",), (None,), ("",), ("NA",)]
    assert "line 3 has nothing on it" in refused(tmp_path, content, null="NA")
    whole = end.join(["note", "a", '""', "NA", ""]).encode()
    assert read(tmp_path, whole, null="NA")[2] == [("a",), ("",), (None,)]
