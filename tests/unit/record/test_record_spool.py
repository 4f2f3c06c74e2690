"""Answers on their way to the store."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairlead.worker.record.ship import SCHEMA, table
from fairlead.worker.record.spool import Segment, Spool

DAY = "2026-11-21"
LINE = b'["r",1795275660.25,200,1.5,[1],false,0.5,null,false]\n'


class Dropped:
    count = 0

    def __call__(self, number: int) -> None:
        self.count += number


def spool(folder: Path, boot: str = "b", **bounds: int) -> tuple[Spool, Dropped]:
    dropped = Dropped()
    return Spool(folder, boot, dropped, **bounds), dropped


def test_a_file_for_each_day_and_kind(tmp_path: Path) -> None:
    found, _ = spool(tmp_path)
    for day, failed in ((DAY, False), (DAY, True), ("2026-11-22", False), (DAY, False)):
        found.add(LINE, day, failed)
    assert found.waiting() == []
    found.close()
    keys = sorted(segment.key("pod") for segment in found.waiting())
    assert keys == [f"date={DAY}/pod-b-000001.parquet", f"date={DAY}/pod-b-000002.parquet",
                    "date=2026-11-22/pod-b-000003.parquet"]  # fmt: skip


def test_a_file_that_is_large_is_due(tmp_path: Path) -> None:
    found, _ = spool(tmp_path, segment=2 * len(LINE))
    found.add(LINE, DAY, False)
    assert not found.full
    found.add(LINE, DAY, False)
    assert found.full
    assert [segment.path.stat().st_size for segment in found.waiting()] == [2 * len(LINE)]
    found.add(LINE, DAY, False)
    found.close()
    assert not found.full
    assert len(found.waiting()) == 2


def test_the_next_process_takes_over(tmp_path: Path) -> None:
    first, _ = spool(tmp_path, "one")
    first.add(LINE, DAY, False)
    first.flush()
    second, _ = spool(tmp_path, "two")
    second.add(LINE, DAY, False)
    second.close()
    assert {segment.key("pod") for segment in second.waiting()} == {
        f"date={DAY}/pod-one-000001.parquet", f"date={DAY}/pod-two-000001.parquet",
    }  # fmt: skip


def test_over_the_limit_successes_go_first(tmp_path: Path) -> None:
    found, dropped = spool(tmp_path, limit=3 * len(LINE))
    for failed in (True, False, False, True):
        found.add(LINE, DAY, failed)
        found.close()
    assert dropped.count == 1
    assert [segment.failed for segment in found.waiting()] == [True, False, True]
    for _ in range(3):
        found.add(LINE, DAY, True)
        found.close()
    assert dropped.count == 4
    assert all(segment.failed for segment in found.waiting())
    assert found.size() == 3 * len(LINE)


@pytest.mark.parametrize("torn", [b"", b'["r",17952', b'["r",1795', b'["r"]', b'["r",17["r",1]\n'])
def test_a_line_that_a_kill_tore_off_is_left_out(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "b_000001_2026-11-21_ok.ndjson"
    path.write_bytes(LINE + torn)
    found = table(path, "web-1")
    assert found.schema.equals(SCHEMA)
    (row,) = found.to_pylist()
    assert (row["request_id"], row["version"], row["output"], row["input"]) == ("r", "web-1", "[1]", None)
    assert row["time"].isoformat() == "2026-11-21T15:41:00.250000+00:00"


def test_the_same_file_makes_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "b_000001_2026-11-21_ok.ndjson"
    path.write_bytes(LINE * 3)
    for name in ("one", "two"):
        pq.write_table(table(path, "web-1"), tmp_path / name, compression="zstd")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_boots_with_dashes_keep_their_names() -> None:
    segment = Segment(Path("0f-1a_000002_2026-11-21_failed.ndjson"))
    assert segment.failed
    assert segment.key("9-uid") == "date=2026-11-21/9-uid-0f-1a-000002.parquet"
