"""One version's kept answers, labelled and counted by its profile, in a real bucket: as `fairlead monitor` counts them
on files, each once."""

from __future__ import annotations

import hashlib
import io
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.s3.test_join import LOG, SINCE, labelled

from fairlead.api.tasks import FetchItem, ObserveResult, ObserveTask, ProfileAt
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Category, Losses, Number, Profile, Scores, Slice
from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.observe import observe
from fairlead.worker.past import truth, windows
from fairlead.worker.past.files import Source
from fairlead.worker.past.labels import Labels
from fairlead.worker.past.stream import Names, Stream
from fairlead.worker.past.truth import Counts
from fairlead.worker.record.ship import SCHEMA

NUMBER = Number(kind="number", name="x", edges=[1.0], counts=[100, 100], low=0.0, high=2.0)
CLASSES = Profile(
    task="classification", rows=200, held_out=200, positive="1", features=[NUMBER], quality={"accuracy": 0.75},
    prediction=Category(kind="category", name="prediction", values=["0", "1"], counts=[100, 100]),
    scores=Scores(edges=[0.25, 0.5, 0.75], counts=[50] * 4, right=[5, 15, 35, 45], predicted=[0, 0, 50, 50]),
    slices=[Slice(by="sex", values=["f", "m"], counts=[100, 100]), Slice(by="age", values=["1", "2"], counts=[9, 9])],
)  # fmt: skip
THREE = Profile(
    task="classification", rows=200, held_out=200, features=[NUMBER], quality={"accuracy": 0.75},
    prediction=Category(kind="category", name="prediction", values=["a", "b", "c"], counts=[100, 50, 50]),
    scores=Scores(edges=[0.5], counts=[100, 100], right=[40, 90]),
    slices=[Slice(by="sex", values=["f", "m"], counts=[100, 100])],
)  # fmt: skip
REGRESSION = Profile(
    task="regression", rows=200, held_out=200, features=[NUMBER],
    prediction=Number(kind="number", name="prediction", edges=[5.0], counts=[100, 100], low=0.0, high=10.0),
    losses=Losses(counts=[100, 100], absolute=[100.0, 150.0], squared=[200.0, 300.0], fourth=[900.0, 1e3],
                  nonzero=[100, 100], relative=[9.0, 9.0], relative_squared=[2.0, 2.0]),
)  # fmt: skip


def body(**columns: Any) -> str:
    """A request of one row, or of more."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in columns.items()}
    return json.dumps({"inputs": [
        {"name": name, "shape": [len(values), 1], "datatype": "FP64", "data": values} for name, values in lists.items()
    ]})  # fmt: skip


def whole(answer: Any, *probabilities: float) -> str:
    """An answer with probabilities, kept whole."""
    return json.dumps({"outputs": [
        {"name": "predict", "shape": [1], "datatype": "INT64", "data": [answer]},
        {"name": "predict_proba", "shape": [1, len(probabilities)], "datatype": "FP64", "data": list(probabilities)},
    ]})  # fmt: skip


def kept(s3: Any, bucket: str, answers: list[dict[str, Any]], version: str = "m-1", name: str = "a") -> None:
    """Put answers into the prediction log."""
    rows = [
        {"version": version, "time": SINCE + timedelta(seconds=10 * at), "status": 200, "latency_ms": 1.0,
         "shadow": False, "probability": 0.5, "truncated": False, "input": None, **one}
        for at, one in enumerate(answers)
    ]  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), out, compression="zstd")
    key = f"{LOG}/version={version}/date={SINCE:%Y-%m-%d}/{name}.parquet"
    s3.client.put_object(Bucket=bucket, Key=key, Body=out.getvalue())


def task(s3: Any, bucket: str, labels: FetchItem, learnt: Profile, **more: Any) -> ObserveTask:
    text = learnt.dumped()
    s3.client.put_object(Bucket=bucket, Key="profile.json", Body=text)
    at = ProfileAt(access=s3.access(), uri=f"s3://{bucket}/profile.json", sha256=hashlib.sha256(text).hexdigest())
    fields = {
        "labels": labels, "format": "parquet", "request_id": "request_id", "label": "label",
        "log": s3.place(bucket, LOG), "version": "m-1", "since": SINCE.isoformat(), "profile": at,
        "store": s3.place(bucket, "fairlead/team/deployments/web/observed/m-1"),
    }  # fmt: skip
    return ObserveTask(**{**fields, **more})


def window(found: ObserveResult) -> LabelledWindow:
    return LabelledWindow.parsed(json.loads(json.dumps(found.window)))


def offline(tmp_path: Path, learnt: Profile, rows: dict[str, Any], labels: dict[str, Any]) -> LabelledWindow:
    """What `fairlead monitor --labels` counts on these files."""
    for name, columns in (("rows", rows), ("labels", labels)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    with tables.connect(tmp_path) as database:
        mine, theirs = (Source(database, [tmp_path / f"{name}.parquet"]) for name in ("rows", "labels"))
        names = Names(prediction="prediction", score="score" if "score" in rows else "")
        stream = Stream(database, mine, learnt, names, windows.parse("1000000"))
        known = Labels(database, stream, mine, names, target="label", file=theirs, key="request_id")
        return sum((truth.count(learnt, batch) for batch in known.batches()), Counts()).window()


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_are_counted_as_on_files(s3: Any, bucket: str, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    ids, sexes = [f"r{n}" for n in range(300)], [rng.choice(["f", "m", "x", None]) for _ in range(300)]
    scores = [rng.random() for _ in ids]
    answers = [int(one >= 0.5) for one in scores]
    kept(s3, bucket, [
        {"request_id": id_, "output": whole(answer, 1 - score, score), "input": body(x=1.0, sex=sex)}
        for id_, answer, score, sex in zip(ids, answers, scores, sexes, strict=True)
    ])  # fmt: skip
    mine = {id_: int(rng.random() < score) for id_, score in zip(ids, scores, strict=True) if rng.random() < 0.8}
    ages = [rng.choice([1, 2, 3]) for _ in mine]
    found = observe(task(s3, bucket, labelled(s3, bucket, mine, age=ages), CLASSES))
    expected = offline(
        tmp_path, CLASSES,
        {"request_id": ids, "x": [1.0] * 300, "prediction": answers, "score": scores, "sex": sexes},
        {"request_id": list(mine), "label": list(mine.values()), "age": ages},
    )  # fmt: skip
    counted = window(found)
    assert (counted.losses, counted.confusion, counted.slices) == (expected.losses, expected.confusion, expected.slices)
    assert (counted.positives, counted.negatives) == (expected.positives, expected.negatives)
    assert counted.pairs.n == expected.pairs.n == len(mine)
    assert counted.pairs.products == pytest.approx(expected.pairs.products)
    assert (found.matched, found.unread) == (len(mine), 0)
    assert found.without_rows == sum(sexes[int(id_[1:])] is None for id_ in mine)


def test_three_classes_and_their_errors_by_slice(s3: Any, bucket: str, tmp_path: Path) -> None:
    rng = random.Random(4)
    ids, answers = [f"r{n}" for n in range(200)], [rng.choice("abc") for _ in range(200)]
    sexes, right = [rng.choice("fm") for _ in ids], [rng.choice("abc") for _ in ids]
    kept(s3, bucket, [
        {"request_id": id_, "output": json.dumps([answer]), "input": body(x=1.0, sex=sex)}
        for id_, answer, sex in zip(ids, answers, sexes, strict=True)
    ])  # fmt: skip
    found = window(observe(task(s3, bucket, labelled(s3, bucket, dict(zip(ids, right, strict=True))), THREE)))
    expected = offline(
        tmp_path, THREE, {"request_id": ids, "prediction": answers, "x": [1.0] * 200, "sex": sexes},
        {"request_id": ids, "label": right},
    )  # fmt: skip
    assert found == expected
    wrong = sum(one.share("error")[0] for one in found.slices["sex"].values())
    assert wrong == found.losses.total == sum(a != b for a, b in zip(answers, right, strict=True))


def test_a_regression_is_counted_as_on_files(s3: Any, bucket: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    ids, answers = [f"r{n}" for n in range(200)], [10 * rng.random() for _ in range(200)]
    actual = [rng.choice([0.0, answer + rng.gauss(0, 2)]) for answer in answers]
    kept(s3, bucket, [
        {"request_id": id_, "output": json.dumps([[answer]]), "input": None if at % 2 else body(x=1.0)}
        for at, (id_, answer) in enumerate(zip(ids, answers, strict=True))
    ])  # fmt: skip
    labels = dict(zip(ids, actual, strict=True))
    found = window(observe(task(s3, bucket, labelled(s3, bucket, labels), REGRESSION)))
    expected = offline(
        tmp_path, REGRESSION, {"request_id": ids, "prediction": answers, "x": [1.0] * 200},
        {"request_id": ids, "label": actual},
    )  # fmt: skip
    assert found.errors
    assert expected.errors
    assert found.errors.nonzero == expected.errors.nonzero == sum(one != 0 for one in actual)
    for one in ("n", "absolute", "squared", "relative", "zero_squared", "unread"):
        assert getattr(found.errors, one) == pytest.approx(getattr(expected.errors, one))
    assert found.losses.total == pytest.approx(expected.losses.total)
    assert found.pairs.products == pytest.approx(expected.pairs.products)


def test_what_is_not_understood_is_counted_and_nothing_else(s3: Any, bucket: str) -> None:
    given = {
        "good": {"output": "[1]"}, "alone": {"output": "1"}, "one": {"output": "[[0.2,0.8]]"},
        "of-one": {"output": "[0.2,0.8]", "input": body(x=1.0)},
        "several": {"output": "[0.2,0.8]"}, "two": {"output": "[1,0]", "input": body(x=[1.0, 2.0])},
        "wrapped": {"output": "[1]", "input": body(x=[1.0, 2.0])}, "object": {"output": '{"label": 1}'},
        "nothing": {"output": "[null]"}, "ragged": {"output": "[[0.2],[0.8,1]]"},
        "deep": {"output": "[" * 30 + "]" * 30},
        "three": {"output": "[[0.2,0.2,0.6]]"}, "copy": {"output": "[1]", "shadow": True},
        "refused": {"output": "[1]", "status": 500}, "huge": {"output": "[" + "9" * 70 + "]"},
    }  # fmt: skip
    kept(s3, bucket, [{"request_id": id_, **one} for id_, one in given.items()])
    labels = dict.fromkeys([*given, "nobody"], 1)
    found = observe(task(s3, bucket, labelled(s3, bucket, labels), CLASSES))
    counted = window(found)
    assert counted.losses.n == 4
    assert (found.matched, found.unread, found.unmatched) == (13, 9, 3)
    assert sum(counted.positives) == counted.positives[3] == 2


def test_each_label_counts_once_also_by_later_versions(s3: Any, bucket: str) -> None:
    kept(s3, bucket, [{"request_id": f"r{n}", "output": "[1]"} for n in range(100)])
    first = observe(task(s3, bucket, labelled(s3, bucket, {f"r{n}": n % 2 for n in range(60)}), CLASSES))
    later = labelled(s3, bucket, {f"r{n}": 1 for n in range(100)})
    second = observe(task(s3, bucket, later, CLASSES, used=first.used))
    assert (window(first).losses.n, window(second).losses.n, second.changed) == (60, 40, 30)
    third = observe(task(s3, bucket, later, CLASSES, used=second.used))
    assert (third.window, third.matched, third.used) == (None, 0, second.used)


def test_labels_of_other_answers_are_strange_and_say_nothing(s3: Any, bucket: str) -> None:
    kept(s3, bucket, [{"request_id": f"r{n}", "output": "[1]"} for n in range(40)])
    theirs = labelled(s3, bucket, {f"q{n}": 1 for n in range(40)})
    found = observe(task(s3, bucket, theirs, CLASSES))
    assert (found.strange, found.window, found.matched) == (True, None, 0)
    kept(s3, bucket, [{"request_id": f"q{n}", "output": "[1]"} for n in range(40)], version="m-2")
    assert not observe(task(s3, bucket, theirs, CLASSES)).strange


def test_a_wrong_column_and_a_changed_profile_are_refused(s3: Any, bucket: str) -> None:
    kept(s3, bucket, [{"request_id": "r", "output": "[1]"}])
    labels = labelled(s3, bucket, {"r": 1})
    with pytest.raises(TaskFailed, match=r"labels\.label \(truth\).*spec\.monitors\.labels"):
        observe(task(s3, bucket, labels, CLASSES, label="truth"))
    asked = task(s3, bucket, labels, CLASSES)
    s3.client.put_object(Bucket=bucket, Key="profile.json", Body=REGRESSION.dumped())
    with pytest.raises(TaskFailed, match="digest"):
        observe(asked)
