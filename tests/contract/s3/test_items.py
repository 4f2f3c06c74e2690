"""What the items of a step leave is gathered whole or not at all; and which items a Dataset has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.items import PAGE, counted, item_id, left, tally_digest, text_of
from fairlead.api.tasks import FetchItem, FetchTask, ItemsTask, Outcomes, PublishItem, PublishResult, PublishTask
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch
from fairlead.worker.items import items
from fairlead.worker.publish import publish

STEP = "ns/pipelines/p/uid/train"
VALUES = [{"region": region} for region in ("NE", "../../etc/passwd", "ÜÄ 'x' $(HOME)", "a/b\n", "")] + [
    {"region": None}
]


def left_by(s3: Any, bucket: str, folder: Path, number: int, attempt: int = 1) -> PublishResult:
    """An item leaves a folder with a model, and a file."""
    name, out = item_id(number, VALUES[number]), folder / f"{number}-{attempt}"
    (out / "model").mkdir(parents=True)
    (out / "model" / "weights").write_text(f"of {number}")
    (out / "score").write_text(f"0.{number}")
    return publish(PublishTask(
        store=s3.place(bucket, f"{STEP}/items/{name}"), attempt=attempt, item=VALUES[number],
        outcome=f"{STEP}/outcomes/{name}.json",
        outputs=[PublishItem(name="model", type="model", path=str(out / "model")),
                 PublishItem(name="score", type="file", path=str(out / "score"))],
    ))  # fmt: skip


def tally_of(found: dict[int, PublishResult]) -> str:
    tally = ""
    for number in reversed(found):  # in whatever order they come
        outputs = [(one.name, one.uri, one.sha256) for one in found[number].outputs]
        tally = counted(tally, left(number, outputs))
    return tally_digest(tally)


def asked(s3: Any, bucket: str, dest: Path, sha256: str = "", **outcomes: Any) -> FetchTask:
    return FetchTask(items=[FetchItem(
        access=s3.access(), uri=f"s3://{bucket}/{STEP}/outcomes/", sha256=sha256, dest=str(dest),
        outcomes=Outcomes(**outcomes),
    )])  # fmt: skip


@pytest.fixture
def done(s3: Any, bucket: str, tmp_path: Path) -> dict[int, PublishResult]:
    """All items have left something, but for the third, which has failed."""
    return {number: left_by(s3, bucket, tmp_path / "out", number) for number in range(len(VALUES)) if number != 2}


def test_all_of_them_make_a_folder_for_each_and_an_index(
    s3: Any, bucket: str, tmp_path: Path, done: dict[int, PublishResult]
) -> None:
    left_by(s3, bucket, tmp_path / "zombie", 2)  # its outcome came after it was given up
    how = {"output": "model", "count": 5, "without": text_of(1 << 2)}
    fetch(asked(s3, bucket, tmp_path / "in", tally_of(done), **how))
    index = json.loads((tmp_path / "in/items.json").read_text())
    assert [(one["id"][:5], one["item"]) for one in index] == [
        (f"{number:05d}", VALUES[number]) for number in (0, 1, 3, 4, 5)
    ]  # fmt: skip
    for number, one in zip((0, 1, 3, 4, 5), index, strict=True):
        assert (tmp_path / "in" / one["path"] / "weights").read_text() == f"of {number}"
    assert len([path for path in (tmp_path / "in").rglob("*") if path.is_file()]) == 6
    fetch(asked(s3, bucket, tmp_path / "scores", tally_of(done), **how | {"output": "score"}))
    index = json.loads((tmp_path / "scores/items.json").read_text())
    assert [(tmp_path / "scores" / one["path"]).read_text() for one in index] == ["0.0", "0.1", "0.3", "0.4", "0.5"]


@pytest.mark.parametrize("how", ["gone", "changed", "another", "moved"])
def test_an_outcome_that_is_not_what_was_counted_is_refused(
    s3: Any, bucket: str, tmp_path: Path, done: dict[int, PublishResult], how: str
) -> None:
    first, second = (f"{STEP}/outcomes/{item_id(n, VALUES[n])}.json" for n in (0, 1))
    body = s3.client.get_object(Bucket=bucket, Key=first)["Body"].read()
    if how in ("gone", "moved"):
        s3.client.delete_object(Bucket=bucket, Key=first)
    if how == "changed":
        s3.client.put_object(Bucket=bucket, Key=first, Body=body.replace(b"0", b"1"))
    if how == "another":
        s3.client.put_object(Bucket=bucket, Key=second, Body=body)
    if how == "moved":
        s3.client.put_object(Bucket=bucket, Key=f"{STEP}/outcomes/00002-0123456789.json", Body=body)
    with pytest.raises(TaskFailed, match="are not those 5 that were committed"):
        fetch(asked(s3, bucket, tmp_path / "in", tally_of(done), output="model", count=5, without=""))
    assert not list((tmp_path / "in").glob("*"))


def test_one_of_them_is_its_output_alone(s3: Any, bucket: str, tmp_path: Path, done: dict[int, PublishResult]) -> None:
    fetch(asked(s3, bucket, tmp_path / "a", output="model", only=item_id(3, VALUES[3])))
    assert (tmp_path / "a/weights").read_text() == "of 3"
    fetch(asked(s3, bucket, tmp_path / "b", output="score", values=VALUES[5]))
    assert (tmp_path / "b/score").read_text() == "0.5"
    for number in (2, None):
        values = VALUES[number] if number else {"region": "nobody"}
        with pytest.raises(TaskFailed, match="has left anything"):
            fetch(asked(s3, bucket, tmp_path / "c", output="model", values=values))
    key = done[3].outputs[0].uri.removeprefix(f"s3://{bucket}/")
    s3.client.put_object(Bucket=bucket, Key=f"{key}weights", Body=b"evil")
    with pytest.raises(TaskFailed, match="has sha256"):
        fetch(asked(s3, bucket, tmp_path / "d", output="model", only=item_id(3, VALUES[3])))


def test_a_late_attempt_at_an_item_adopts_what_was_committed(
    s3: Any, bucket: str, tmp_path: Path, done: dict[int, PublishResult]
) -> None:
    assert left_by(s3, bucket, tmp_path / "late", 0, attempt=2) == done[0]


# --- the distinct rows of a Dataset --------------------------------------------------------------------------------


def listed(s3: Any, bucket: str, folder: Path, *columns: str) -> list[Any]:
    """The items, as they are written down."""
    found = items(ItemsTask(columns=list(columns), folder=str(folder), store=s3.place(bucket, f"{STEP}/")))
    rows: list[Any] = []
    for page in found.pages:
        body = s3.client.get_object(Bucket=bucket, Key=f"{STEP}/pages/{page}.json")["Body"].read()
        rows += json.loads(body)
    assert found.total == len(rows)
    return rows


def test_they_are_sorted_by_value_with_nulls_last_and_told_as_they_are(s3: Any, bucket: str, tmp_path: Path) -> None:
    table = pa.table({
        "n": pa.array([10, 9, None, 10, 9, 10], pa.int32()),
        "s": ["b", "ÜÄ '$(X)\n", "../x", "b", None, "a"],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "part.parquet")
    assert listed(s3, bucket, tmp_path, "n", "s") == [
        ["9", "ÜÄ '$(X)\n"], ["9", None], ["10", "a"], ["10", "b"], [None, "../x"],
    ]  # fmt: skip
    assert listed(s3, bucket, tmp_path, "n") == [["9"], ["10"], [None]]


def test_many_are_written_in_pages(s3: Any, bucket: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": list(range(2 * PAGE + 1)) * 3}), tmp_path / "part.parquet")
    assert listed(s3, bucket, tmp_path, "n") == [[str(n)] for n in range(2 * PAGE + 1)]
    assert len(s3.keys(bucket)) == 3


@pytest.mark.parametrize(("column", "values", "said"), [
    ("x", [1], "there is no column x; the data have n"),
    ("n", [[1, 2]], "an item is made of plain values"),
    ("n", [{"a": 1}], "an item is made of plain values"),
    ("n", list(range(10_001)), "more than 10000 different values"),
    ("n", ["a" * 257], "a value of more than 256 bytes"),
    ("n", ["ä" * 129], "a value of more than 256 bytes"),
    ("n", ["a\x00b"], "the character NUL"),
    ("n", [], "no rows"),
])  # fmt: skip
def test_what_can_not_be_items_is_refused_with_its_reason(
    s3: Any, bucket: str, tmp_path: Path, column: str, values: list[Any], said: str
) -> None:
    pq.write_table(pa.table({"n": pa.array(values, pa.int64() if not values else None)}), tmp_path / "part.parquet")
    with pytest.raises(TaskFailed, match=said) as caught:
        listed(s3, bucket, tmp_path, column)
    assert caught.value.error.reason == "BadData"
    assert not s3.keys(bucket)


def test_all_values_of_an_item_together_are_bounded_too(s3: Any, bucket: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({name: ["x" * 250] for name in "abc"}), tmp_path / "part.parquet")
    with pytest.raises(TaskFailed, match="more than 512 bytes"):
        listed(s3, bucket, tmp_path, "a", "b", "c")
