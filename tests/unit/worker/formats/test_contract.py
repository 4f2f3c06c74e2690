"""What every format holds to: nothing is left out or becomes null in silence, and later files are read as the first."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.worker.formats.reading import Read, read, reader
from tests.unit.worker.formats.writers import WRITERS

from fairlead.api.formats import self_describing
from fairlead.api.reading import Reading
from fairlead.worker.formats.base import LocalFile, Unreadable
from fairlead.worker.formats.registry import FORMATS

ROWS = {"id": [1, 2, 3], "x": [0.5, 1.5, 2.5], "name": ["a", "ü, b", 'c"']}
TYPES = {"id": "integer", "x": "float", "name": "string"}
TABLE = list(zip(*ROWS.values(), strict=True))
MANY = {"id": list(range(3000)), "x": [n + 0.5 for n in range(3000)], "name": [f"n{n}" for n in range(3000)]}

pytestmark = pytest.mark.parametrize("form", sorted(FORMATS))


def read_or_refused(folder: Path, form: str, *bodies: bytes) -> Read | None:
    """None: refused, in a line that people can read."""
    found, said = None, "refused"
    try:
        found = read(folder, form, {f"{n}.{form}": body for n, body in enumerate(bodies)})
    except Unreadable as why:
        said = str(why)
    assert said.isprintable()
    assert 0 < len(said) <= 1000
    if found is None:
        return None
    assert found.rows == len(found.table), "records by the grammar, and rows that were read"
    return found


def test_what_is_written_is_read_and_counted(tmp_path: Path, form: str) -> None:
    found = read(tmp_path, form, {"a": WRITERS[form](ROWS), "b": WRITERS[form](ROWS)})
    assert (found.types, found.table, found.rows, found.problems) == (TYPES, TABLE * 2, 6, {})


def test_three_ways_to_read_a_file_agree(tmp_path: Path, form: str) -> None:
    file, one = LocalFile(tmp_path / f"a.{form}", "a"), FORMATS[form]
    file.path.write_bytes(WRITERS[form](MANY))
    known = read(tmp_path, form, {"b": file.path.read_bytes()}).reading
    with reader(tmp_path) as database:
        counted = [
            database.execute(f"SELECT count(*) FROM ({query})").fetchone()
            for query in (one.raw(database, [file], known), one.scan(database, [file], known))
        ]
        assert (list(one.columns(database, file, known)), one.count(file, known)) == (list(MANY), 3000)
    assert counted == [(3000,), (3000,)]


def test_no_rows_are_no_rows(tmp_path: Path, form: str) -> None:
    """A header, a footer, or nothing at all, as the format has it."""
    typed = {name: pa.array([], pa.array(cells).type) for name, cells in ROWS.items()}
    nothing = WRITERS[form](typed)
    assert read(tmp_path, form, {"a": nothing, "b": WRITERS[form](ROWS)}).table == TABLE
    alone = read(tmp_path, form, {"c": nothing})
    assert (alone.rows, alone.table) == (0, [])


def test_a_file_without_a_byte_has_no_rows_or_is_refused(tmp_path: Path, form: str) -> None:
    found = read_or_refused(tmp_path, form, b"", WRITERS[form](ROWS))
    assert found is None or found.table == TABLE
    assert found is None or not self_describing(form)


def test_a_byte_order_mark_is_no_data(tmp_path: Path, form: str) -> None:
    found = read_or_refused(tmp_path, form, b"\xef\xbb\xbf" + WRITERS[form](ROWS))
    assert (found is None) == self_describing(form)
    assert found is None or (found.types, found.table) == (TYPES, TABLE)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_what_is_compressed_is_known_by_its_bytes(tmp_path: Path, form: str, codec: str) -> None:
    plain = WRITERS[form](ROWS)
    found = read_or_refused(tmp_path, form, pa.compress(plain, codec=codec, asbytes=True), plain)
    assert (found is None) == self_describing(form)
    assert found is None or (found.types, found.table) == (TYPES, TABLE * 2)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.9, 0.999])
def test_what_is_cut_off_is_refused_where_a_format_can_tell(tmp_path: Path, form: str, pack: Any, left: float) -> None:
    whole = pack(WRITERS[form](MANY))
    found = read_or_refused(tmp_path, form, whole[: int(len(whole) * left)])
    if found is not None:
        assert not self_describing(form)
        assert pack is bytes, "an archive says where it ends"
        assert found.rows < 3000
        assert found.table[:-1] == list(zip(*MANY.values(), strict=True))[: found.rows - 1]


@pytest.mark.parametrize("at", [0.02, 0.3, 0.6])
def test_bytes_that_are_of_no_such_format_are_refused(tmp_path: Path, form: str, at: float) -> None:
    whole = WRITERS[form](MANY)
    begin = int(len(whole) * at)
    assert read_or_refused(tmp_path, form, whole[:begin] + b"\xff" * 300 + whole[begin + 300 :]) is None
    assert read_or_refused(tmp_path, form, b"PAR1" + bytes(range(256))) is None


def test_columns_are_found_by_their_names_in_any_order(tmp_path: Path, form: str) -> None:
    turned = dict(reversed(ROWS.items()))
    assert read(tmp_path, form, {"a": WRITERS[form](ROWS), "b": WRITERS[form](turned)}).table == TABLE * 2


@pytest.mark.parametrize("files", [1, 2])
def test_columns_that_differ_in_case_only_are_refused(tmp_path: Path, form: str, files: int) -> None:
    together = [{"key": [1], "KEY": [2]}]
    apart = [{"key": [1], "x": [1]}, {"KEY": [1], "x": [1]}]
    bodies = {f"{n}": WRITERS[form](columns) for n, columns in enumerate(together if files == 1 else apart)}
    with pytest.raises(Unreadable, match=r"key.*KEY.*rename one|KEY.*key.*rename one"):
        read(tmp_path, form, bodies)


def test_types_follow_from_all_rows_of_all_files(tmp_path: Path, form: str) -> None:
    late = {"id": [1, 2], "x": [0.5, 1.5], "name": ["a", "b"]}
    whole = {**MANY, "x": [float(n) for n in range(3000)]}
    assert read(tmp_path, form, {"a": WRITERS[form](whole), "b": WRITERS[form](late)}).types == TYPES


def test_later_files_are_read_as_the_first_ones_were(tmp_path: Path, form: str) -> None:
    first = read(tmp_path / "1", form, {"a": WRITERS[form](ROWS)}).reading
    same = read(tmp_path / "2", form, {"b": WRITERS[form]({**ROWS, "new": [1, 2, 3]})}, fixed=first)
    assert same.types == {**TYPES, "new": "integer"}
    assert refused_later(tmp_path / "3", form, {**ROWS, "id": ["one", "two", "three"]}, first)


def refused_later(folder: Path, form: str, columns: dict[str, list[Any]], fixed: Reading) -> bool:
    """Whether a file is no table as the ones before: by its types, or by its cells."""
    try:
        return "column id" in read(folder, form, {"c": WRITERS[form](columns)}, fixed=fixed).problems
    except Unreadable as why:
        return "column id" in str(why)


def test_what_is_declared_is_what_it_is_or_is_named(tmp_path: Path, form: str) -> None:
    schema = [{"name": "id", "type": "float"}, {"name": "name", "type": "integer"}, {"name": "gone", "type": "date"}]
    found = read(tmp_path, form, {"a": WRITERS[form](ROWS)}, schema)
    assert set(found.problems) == {"column name", "column gone"}
    assert found.types["id"] == "float"


def test_what_a_file_says_of_its_columns_stays_when_its_rows_go(tmp_path: Path, form: str) -> None:
    file, one = LocalFile(tmp_path / f"a.{form}", "a"), FORMATS[form]
    file.path.write_bytes(WRITERS[form](MANY))
    before = one.stored(file)
    assert {column: said.kind for column, said in before.items()} == (TYPES if self_describing(form) else {})
    one.shrink(file)
    assert one.stored(file) == before
    rows = one.count(file, read(tmp_path, form, {"b": WRITERS[form](MANY)}).reading)
    assert rows == (0 if self_describing(form) else 3000)
