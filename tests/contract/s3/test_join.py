"""Labels joined with the prediction log in a real bucket: what is counted, once, and what can't be."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.s3.test_snapshot import SECRET, task

from fairlead.api.tasks import FetchItem, JoinResult, JoinTask
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.sources.registry import list_source
from fairlead.worker.errors import TaskFailed
from fairlead.worker.join import join
from fairlead.worker.record.ship import SCHEMA
from fairlead.worker.snapshot import snapshot

SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=10)
LOG = "fairlead/team/deployments/web/predictions"
Answer = tuple[str, float, str | None]
"""Request id, seconds after `SINCE`, output."""


def parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def answered(s3: Any, bucket: str, version: str, answers: list[Answer], *, shadow: bool = False, status: int = 200,
             name: str = "a") -> None:  # fmt: skip
    """Put answers into the prediction log, a file a day."""
    times = [SINCE + timedelta(seconds=at) for _, at, _ in answers]
    for day in sorted({f"{at:%Y-%m-%d}" for at in times}):
        mine = [(one, at) for one, at in zip(answers, times, strict=True) if f"{at:%Y-%m-%d}" == day]
        rows = [
            {"request_id": one[0], "version": version, "time": at, "status": status, "latency_ms": 1.0,
             "output": one[2], "shadow": shadow, "probability": 0.5, "truncated": False}
            for one, at in mine
        ]  # fmt: skip
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), out, compression="zstd")  # as the recorder does
        body = out.getvalue()
        s3.client.put_object(Bucket=bucket, Key=f"{LOG}/version={version}/date={day}/{name}.parquet", Body=body)


def labelled(s3: Any, bucket: str, rows: dict[str, Any], form: str = "parquet", **columns: Any) -> FetchItem:
    """Publish labels as a version of a Dataset."""
    table = {"request_id": list(rows), "label": list(rows.values())} | columns
    text = "\n".join(["request_id,label", *(f"{key},{value}" for key, value in rows.items())])
    body = parquet(table) if form == "parquet" else text.encode()
    s3.client.put_object(Bucket=bucket, Key="in/labels", Body=body)
    asked = ListObjects("n", s3.endpoint, bucket, "s3", "in/")
    found = snapshot(task(s3, bucket, dataset="truth", listing=list_source(asked, SECRET).digest, schema_=None,
                          store=s3.place(bucket, "fairlead/team/datasets/truth"), format=form)).version  # fmt: skip
    assert found
    return FetchItem(access=s3.access(), manifest=True, uri=found.manifest, sha256=found.digest, dest="")


def asked(s3: Any, bucket: str, labels: FetchItem, **more: Any) -> JoinTask:
    fields = {
        "labels": labels, "format": "parquet", "request_id": "request_id", "label": "label",
        "log": s3.place(bucket, LOG),
        "stable": "m-1", "candidate": "m-2", "since": SINCE.isoformat(),
        "store": s3.place(bucket, "fairlead/team/deployments/web/labels/m-2"),
    }  # fmt: skip
    return JoinTask(**{**fields, **more})


def sums(found: JoinResult) -> tuple[list[int], list[int]]:
    """(answered, labelled, alone, wrong) of the live version and of the candidate."""
    return tuple([sum(cell[i] for cell in found.cells) for i in part] for part in (range(1, 5), range(5, 9)))  # type: ignore[return-value]


def test_answers_are_counted_by_version_and_time(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [(f"a{i}", i * 300.0, "[1]") for i in range(100)])
    answered(s3, bucket, "m-2", [(f"b{i}", i * 300.0, "[1]") for i in range(50)])
    answered(s3, bucket, "m-1", [("early", -60.0, "[1]")], name="early")
    truth = {f"a{i}": int(i % 10 > 0) for i in range(80)} | {f"b{i}": int(i % 5 > 0) for i in range(50)}
    found = join(asked(s3, bucket, labelled(s3, bucket, truth | {"early": 1, "nobody": 1})))
    live, candidate = sums(found)
    assert (live[1:], candidate[1:]) == ([80, 80, 8], [50, 50, 10])
    assert 80 <= live[0] <= 82  # those of a stretch without any label don't count
    assert candidate[0] == 50
    assert (found.rows, found.matched, found.unmatched, found.pairs) == (132, 130, 2, [])
    assert len(found.cells) > 20
    assert all(cell[0] % 60 == 0 for cell in found.cells)


def test_by_a_loss_answers_are_drawn_as_wrong_alike_for_both_versions(s3: Any, bucket: str) -> None:
    ids = [f"r{i}" for i in range(400)]
    answered(s3, bucket, "m-1", [(one, 10.0 * i, "[12]") for i, one in enumerate(ids)])
    answered(s3, bucket, "m-2", [(one, 10.0 * i, "[15]") for i, one in enumerate(ids)], shadow=True)
    answered(s3, bucket, "m-2", [(f"alone{i}", 10.0 * i, "[15]") for i in range(200)], name="b")
    truth = dict.fromkeys([*ids, *(f"alone{i}" for i in range(200))], 10)
    found = join(asked(s3, bucket, labelled(s3, bucket, truth), loss="absolute", cap="10"))
    neither, candidate, live, both = found.pairs
    assert live == 0
    assert (both, candidate, neither) == pytest.approx((80, 120, 200), abs=40)
    assert sums(found)[1][3] == pytest.approx(100, abs=30)


def test_each_label_counts_once_and_the_first_one_does(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [(f"a{i}", 10.0 * i, "[1]") for i in range(100)])
    rng, rows, used = random.Random(1), dict[str, int](), []
    total, changed = 0, 0
    for _ in range(6):
        for i in rng.sample(range(100), 30):
            rows[f"a{i}"] = rng.choice([0, 1])
        shuffled = rng.sample(sorted(rows.items()), len(rows))
        found = join(asked(s3, bucket, labelled(s3, bucket, dict(shuffled)), used=used))
        total += sums(found)[0][2]
        changed += found.changed
        used = found.used
    assert total == len(rows) == sum(one.rows for one in used)
    assert changed > 0
    assert [one.rows for one in used] == sorted((one.rows for one in used), reverse=True)
    again = join(asked(s3, bucket, labelled(s3, bucket, rows), used=used))
    assert (again.matched, again.cells) == (0, [])


def test_a_label_that_is_earlier_than_its_answer_counts_later(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 10.0, "[1]")])
    labels = labelled(s3, bucket, {"a": 1, "b": 0})
    first = join(asked(s3, bucket, labels))
    assert (first.matched, first.unmatched) == (1, 1)
    answered(s3, bucket, "m-2", [("b", 20.0, "[1]")])
    second = join(asked(s3, bucket, labels, used=first.used))
    assert sums(second)[1] == [1, 1, 1, 1]
    assert sums(second)[0] == [0, 0, 0, 0]


def test_requests_that_both_answered_are_pairs_and_nothing_else(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("rr", 1.0, "[1]"), ("rw", 2.0, "[1]"), ("wr", 3.0, "[0]"), ("ww", 4.0, "[0]"),
                                 ("only", 5.0, "[0]")])  # fmt: skip
    answered(s3, bucket, "m-2", [("rr", 1.0, "[1]"), ("rw", 2.0, "[0]"), ("wr", 3.0, "[1]"), ("ww", 4.0, "[2]"),
                                 ("lonely", 6.0, "[1]")], shadow=True)  # fmt: skip
    rows = dict.fromkeys(["rr", "rw", "wr", "ww", "only", "lonely"], 1)
    found = join(asked(s3, bucket, labelled(s3, bucket, rows)))
    assert found.pairs == [1, 1, 1, 1]
    assert sums(found) == ([5, 5, 1, 1], [0, 0, 0, 0])
    assert found.kept == [5, 5]
    assert (found.matched, found.unmatched) == (5, 1)


def test_where_weights_change_a_stretch_ends(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 100.0, "1"), ("b", 250.0, "1")])
    labels = labelled(s3, bucket, {"a": 1, "b": 1})
    assert len(join(asked(s3, bucket, labels)).cells) == 1
    cut = (SINCE + timedelta(seconds=200)).isoformat()
    assert [cell[0] for cell in join(asked(s3, bucket, labels, cuts=[cut])).cells] == [0, 200]


def test_what_has_no_answer_or_no_single_one_is_left_out(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("null", 1.0, None), ("json", 1.0, "null"), ("batch", 1.0, "[1,2]"), ("ok", 1.0, "1")])
    answered(s3, bucket, "m-1", [("failed", 1.0, '"error"')], status=500, name="failed")
    rows = {"null": 1.0, "json": 1.0, "batch": 1.0, "ok": 1.0, "failed": 1.0, "nan": float("nan")}
    found = join(asked(s3, bucket, labelled(s3, bucket, rows)))
    assert sums(found)[0] == [2, 2, 1, 0]
    assert (found.unjudgeable, found.rows) == (1, 5)


def test_two_labels_of_a_request_are_none(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 1.0, "1"), ("b", 1.0, "1")])
    item = labelled(s3, bucket, {}, request_id=["a", "a", "b", "b"], label=[1, 0, 1, 1])
    found = join(asked(s3, bucket, item))
    assert (found.contradictory, sums(found)[0][2]) == (1, 1)


def test_text_files_and_answers_sent_twice(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 1.0, '["cat"]'), ("a", 5.0, '["dog"]'), ("b", 1.0, '["dog"]')])
    found = join(asked(s3, bucket, labelled(s3, bucket, {"a": "cat", "b": "cat"}, "csv"), format="csv"))
    assert sums(found)[0][2:] == [2, 1]


def test_labels_of_something_else(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [(f"a{i}", 1.0, "1") for i in range(30)])
    strange = labelled(s3, bucket, {f"x{i}": 1 for i in range(30)})
    assert join(asked(s3, bucket, strange)).strange
    old = labelled(s3, bucket, {f"a{i}": 1 for i in range(30)})
    later = (SINCE + timedelta(hours=1)).isoformat()
    assert not join(asked(s3, bucket, old, since=later)).strange  # labels of answers before the rollout


def test_columns_that_are_not_there(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 1.0, "1")])
    with pytest.raises(TaskFailed, match=r"labels.label \(truth\); it has request_id, label") as failed:
        join(asked(s3, bucket, labelled(s3, bucket, {"a": 1}), label="truth"))
    assert failed.value.error.reason == "BadData"


def test_many_files_of_the_log_are_counted_like_one(s3: Any, bucket: str) -> None:
    """More than are read at once, of both versions."""
    for number in range(70):
        for version in ("m-1", "m-2"):
            answered(s3, bucket, version, [(f"{version}-{number}", 60.0 * number, "[1]")], name=f"pod-{number}")
    truth = {f"{version}-{number}": int(number % 7 > 0) for version in ("m-1", "m-2") for number in range(70)}
    found = join(asked(s3, bucket, labelled(s3, bucket, truth)))
    assert sums(found) == ([70, 70, 70, 10], [70, 70, 70, 10])
    assert found.kept == [70, 70]


def test_a_file_of_the_log_that_can_not_be_read_is_named(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [("a", 1.0, "1")])
    key = f"{LOG}/version=m-1/date={SINCE:%Y-%m-%d}/torn.parquet"
    s3.client.put_object(Bucket=bucket, Key=key, Body=b"PAR1 and no more")
    with pytest.raises(TaskFailed, match=r"torn.parquet can't be read: .*; remove it, or restore it") as failed:
        join(asked(s3, bucket, labelled(s3, bucket, {"a": 1})))
    assert failed.value.error.reason == "CorruptFile"


@pytest.mark.parametrize(("right", "other"), [("yes", "no"), ("T", "F"), ("true", "false"), ("007", "7")])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_d08_labels_and_ids_are_text(s3: Any, bucket: str, right: str, other: str, form: str) -> None:
    ids = [f"{n:03}" for n in range(10)]
    answered(s3, bucket, "m-1", [(one, 10.0 * n, json.dumps([right])) for n, one in enumerate(ids)])
    answered(s3, bucket, "m-2", [(one, 10.0 * n, json.dumps([other])) for n, one in enumerate(ids)])
    labels = labelled(s3, bucket, dict.fromkeys(ids, right), form)
    found = join(asked(s3, bucket, labels, format=form))
    assert (found.matched, found.pairs) == (10, [0, 10, 0, 0])


def test_d08_ids_with_gaps_that_were_stored_as_floats_are_found(s3: Any, bucket: str) -> None:
    answered(s3, bucket, "m-1", [(str(n), 10.0 * n, "[1]") for n in range(10)])
    rows: dict[str, Any] = {"request_id": [*(float(n) for n in range(10)), None], "label": [1] * 11}
    found = join(asked(s3, bucket, labelled(s3, bucket, {}, **rows)))
    assert (found.rows, found.matched) == (10, 10)


def test_an_answer_that_can_not_be_parsed_is_a_wrong_one(s3: Any, bucket: str) -> None:
    outputs = ["[1]", "[" * 100_000, "9" * 100_000, '{"a":' * 100_000]
    answered(s3, bucket, "m-1", [(f"a{n}", 10.0 * n, output) for n, output in enumerate(outputs)])
    found = join(asked(s3, bucket, labelled(s3, bucket, {f"a{n}": 1 for n in range(4)})))
    assert sums(found)[0][1:] == [4, 4, 3]
