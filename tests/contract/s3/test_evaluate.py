"""An evaluation whole: real rows, model servers on loopback, the report in a real store."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api import answers
from fairlead.api.modelversion import Gate, ProfileRef
from fairlead.api.tasks import EvaluateTask, GoldenTask, ProfileAt, Subject
from fairlead.monitor.profile import Category, Profile, parse
from fairlead.worker.errors import TaskFailed
from fairlead.worker.evaluate import evaluate
from fairlead.worker.manifest import READING
from fairlead.worker.record.replay import replay

Model = Callable[[dict[str, list[Any]]], tuple[int, Any]]


def answer(values: list[Any], datatype: str = "FP64", name: str = "predict", width: int = 1) -> tuple[int, Any]:
    shape = [len(values) // width, width]
    return 200, {"outputs": [{"name": name, "datatype": datatype, "shape": shape, "data": values}]}


@pytest.fixture
def serve() -> Iterator[Callable[[Model], str]]:
    """Start a model server; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(model: Model) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, {})

            def do_POST(self) -> None:
                assert self.path == "/v2/models/m/infer"
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert asked["parameters"] == {"content_type": "pd"}
                self.reply(*model({tensor["name"]: tensor["data"] for tensor in asked["inputs"]}))

            def reply(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """1,000 rows in two files; y = 2·x + 10·(carrier is UA), one row without truth, one gap in x."""
    generator = np.random.default_rng(1)
    for part in range(2):
        x = generator.integers(1, 50, 500).tolist()
        carrier = generator.choice(["AA", "UA"], 500).tolist()
        y: list[float | None] = [2.0 * a + 10.0 * (c == "UA") for a, c in zip(x, carrier, strict=True)]
        if part == 0:
            y[7], x[3] = None, None
        table = pa.table({"x": pa.array(x, pa.int64()), "carrier": carrier, "y": y, "late": [v and v > 60 for v in y]})
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "data" / f"{part}.parquet")
    return tmp_path / "data"


def linear(bias: float) -> Model:
    def model(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        pairs = zip(inputs["x"], inputs["carrier"], strict=True)
        return answer([2.0 * (25 if x is None else x) + 10.0 * (c == "UA") + bias for x, c in pairs])

    return model


def task(s3: Any, bucket: str, rows: Path, urls: list[str], gates: list[Any], **changed: Any) -> EvaluateTask:
    subjects = [
        Subject.model_validate({"subject": name, "version": f"m-{index}", "url": url, "name": "m"})
        for index, (name, url) in enumerate(zip(["challenger", "champion"], urls, strict=False))
    ]
    fields = {
        "version": "m-0", "task": "regression", "subjects": subjects, "data": str(rows), "data_sha256": "ab" * 32,
        "reference": str(rows), "by": ["carrier"], "features": ["x", "carrier"], "target": "y", "batch": 300,
        "metrics": ["mae", "rmse"], "gates": [Gate.model_validate(g) for g in gates],
        "store": s3.place(bucket, "ns/models/m-0"), "ready_timeout": 2.0,
    }  # fmt: skip
    return EvaluateTask(**{**fields, **changed})


GATES: list[dict[str, Any]] = [
    {"metric": "mae", "max": "3"}, {"metric": "mae", "against": "champion", "margin": "1%"},
    {"metric": "rmse", "against": "baseline", "betterBy": "50%"},
]  # fmt: skip


def test_a_better_model_passes_and_the_evidence_is_repeatable(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    asked = task(s3, bucket, rows, [serve(linear(1.0)), serve(linear(2.0))], GATES)
    result = evaluate(asked)
    assert [g.verdict for g in result.gates] == ["Passed"] * 3
    assert result.rows == 999
    scores = {s.subject: s for s in result.scores}
    assert set(scores) == {"challenger", "champion", "baseline"}
    assert float(scores["champion"].values["mae"]) == pytest.approx(2.0, rel=0.05)
    assert scores["champion"].version == "m-1"
    key, golden, profile = s3.keys(bucket)
    assert golden == f"ns/models/m-0/golden/{result.golden.digest}.json"
    assert result.golden.rows == 32
    assert key == f"ns/models/m-0/{result.digest}.json"
    assert profile == f"ns/models/m-0/profiles/{result.profile.digest}.json"
    assert result.report == f"s3://{bucket}/{key}"
    sample = json.loads(result.sample)
    assert [t["datatype"] for t in sample["inputs"]] == ["FP64", "BYTES"], "integers with gaps go as floats"
    assert evaluate(asked).digest == result.digest


def test_a_worse_model_fails_with_value_bound_and_interval(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(linear(4.0)), serve(linear(2.0))], GATES))
    top, against, baseline = result.gates
    assert (top.verdict, against.verdict, baseline.verdict) == ("Failed", "Failed", "Passed")
    assert "wanted at most 3" in top.message
    assert "allowed 1%" in against.message
    assert float(against.low) <= float(against.value) <= float(against.high)


def test_without_a_champion_its_gates_are_skipped(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], GATES))
    assert [g.verdict for g in result.gates] == ["Passed", "Skipped", "Passed"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda _: (500, "Internal Server Error"), "answered 500"),
        (lambda inputs: answer([float("nan")] * len(inputs["x"])), "NaN or infinite"),
        (lambda _: answer([1.0]), "shape \\[1, 1\\] for"),
        (lambda inputs: answer(["a"] * len(inputs["x"]), "BYTES"), "needs numbers"),
        (lambda _: (200, {"hello": 1}), "not one of the protocol"),
        (
            lambda inputs: answer(["1"] * n, "BYTES") if (n := len(inputs["x"])) < 300 else answer([1.0] * n),
            "strings to some rows and numbers to others",
        ),
        (lambda inputs: answer([{}] * len(inputs["x"]), "BYTES"), "an object where its datatype"),
    ],
)
def test_a_model_that_does_not_answer_the_rows_closes_its_gates(
    s3: Any, bucket: str, rows: Path, serve: Any, model: Model, words: str
) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(model), serve(linear(2.0))], GATES))
    failed = [g for g in result.gates if g.verdict == "Failed"]
    assert len(failed) >= 3
    for gate in failed:
        assert re.search(words, gate.message)


def test_b20_a_row_that_is_refused_is_named_with_its_column(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    def picky(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        if None in inputs["x"]:
            return 500, {"error": "bad input"}
        return linear(1.0)(inputs)

    result = evaluate(task(s3, bucket, rows, [serve(picky), serve(linear(2.0))], GATES))
    told = result.gates[0]
    assert (told.gate, told.verdict) == ("answers every row", "Failed")
    assert re.fullmatch(
        r'row 3 \(x=null, carrier="..+"\): the server answered 500: \{"error": "bad input"\}; it is column x: with \d+ '
        r"instead of null the row is answered", told.message,
    )  # fmt: skip


def test_rows_that_break_a_server_are_named(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    def breaks(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        if len(inputs["x"]) > 1:
            raise ConnectionError  # it ends without an answer
        return linear(1.0)(inputs)

    with pytest.raises(TaskFailed, match=r"at POST :\d+/v2/models/m/infer; .*; it was asked for rows 0 to 299"):
        evaluate(task(s3, bucket, rows, [serve(breaks)], GATES))


def test_a_server_that_never_starts_is_named(s3: Any, bucket: str, rows: Path) -> None:
    with pytest.raises(TaskFailed, match=r"challenger's server is not ready after 0\.5 s: nothing listens") as caught:
        evaluate(task(s3, bucket, rows, ["http://127.0.0.1:1"], GATES, ready_timeout=0.5))
    assert caught.value.error.reason == "ServerFailed"


def test_classes_by_label_and_by_probability(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    def late(inputs: dict[str, list[Any]]) -> list[bool]:
        pairs = zip(inputs["x"], inputs["carrier"], strict=True)
        return [2 * (x or 0) + 10 * (c == "UA") > 60 for x, c in pairs]

    def labelled(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        return answer([float(v) for v in late(inputs)])

    def probable(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        found = [0.9 if v else 0.2 for v in late(inputs)]
        return answer([p for high in found for p in (1 - high, high)], name="predict_proba", width=2)

    gates = [{"metric": "error_rate", "against": "baseline", "betterBy": "50%"}, {"metric": "accuracy", "min": "0.99"}]
    kind: dict[str, Any] = {"task": "classification", "target": "late"}
    result = evaluate(task(s3, bucket, rows, [serve(labelled)], gates, metrics=["error_rate", "accuracy"], **kind))
    assert [g.verdict for g in result.gates] == ["Passed", "Passed"]
    gates = [{"metric": "log_loss", "against": "champion", "margin": "0%"}]
    result = evaluate(task(s3, bucket, rows, [serve(probable), serve(probable)], gates, metrics=["log_loss"], **kind))
    assert result.gates[0].verdict == "Passed"
    value = float(result.scores[0].values["log_loss"])
    assert 0.1 < value < 0.3
    gates = [{"metric": "log_loss", "max": "1"}]
    result = evaluate(task(s3, bucket, rows, [serve(labelled)], gates, metrics=["log_loss"], **kind))
    assert "needs probabilities" in result.gates[0].message


def test_columns_that_are_not_there(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    with pytest.raises(TaskFailed, match="the rows lack distance; they have carrier, late, x, y"):
        evaluate(task(s3, bucket, rows, [serve(linear(0.0))], [], features=["x", "distance"]))


@pytest.mark.parametrize("words", [("no", "yes"), ("F", "T"), ("0", "1")])
def test_d08_class_names_are_text_from_the_file_to_the_verdict(
    s3: Any, bucket: str, tmp_path: Path, serve: Any, words: tuple[str, str]
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "a.csv").write_text("x,id,y\n" + "".join(f"{i},00{i % 7},{words[i % 2]}\n" for i in range(50)))
    types = {"x": "integer", "id": "string", "y": "string"}
    columns = [{"name": name, "type": kind, "declared": True} for name, kind in types.items()]
    reading = {"format": "csv", "delimiter": ",", "quote": '"', "encoding": "utf-8", "null": "", "columns": columns}
    (folder / READING).write_text(json.dumps(reading))

    def model(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        assert set(inputs["id"]) <= {f"00{n}" for n in range(7)}
        return answer([words[x % 2] for x in inputs["x"]], "BYTES")

    asked = task(
        s3, bucket, folder, [serve(model)], [{"metric": "accuracy", "min": "1"}], task="classification", target="y",
        features=["x", "id"], data_format="csv", reference_format="csv", metrics=["accuracy"], by=["id"],
    )  # fmt: skip
    result = evaluate(asked)
    assert [g.verdict for g in result.gates] == ["Passed"]
    key = f"ns/models/m-0/{result.digest}.json"
    report = json.loads(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert report["data"]["reading"]["columns"] == columns
    assert report["data"]["reading"]["of"] == "dataset"


def test_d11_lists_are_tensors_and_what_can_not_be_sent_stops_before_anybody_is_asked(
    s3: Any, bucket: str, tmp_path: Path, serve: Any
) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    lists = [[float(i), 1.0] for i in range(40)]
    table = pa.table({"f": lists, "big": pa.array(range(40), pa.uint64()), "s": [{"a": 1}] * 40, "y": [1.0] * 40})
    pq.write_table(table, folder / "a.parquet")

    def model(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        assert len(inputs["f"]) == 2 * len(inputs["big"])
        return answer([1.0] * len(inputs["big"]))

    lone = {"reference": None, "by": [], "metrics": ["mae"]}
    gates = [{"metric": "mae", "max": "0"}]
    asked = task(s3, bucket, folder, [serve(model)], gates, features=["f", "big"], batch=10, **lone)
    result = evaluate(asked)
    assert [g.verdict for g in result.gates] == ["Passed"]
    assert [(t["datatype"], t["shape"]) for t in json.loads(result.sample)["inputs"]] == [
        ("FP64", [1, 2]), ("UINT64", [1, 1]),
    ]  # fmt: skip
    nobody = task(s3, bucket, folder, ["http://127.0.0.1:1"], gates, features=["f", "s"], **lone)
    with pytest.raises(TaskFailed, match=r"column s is STRUCT.*: the protocol can't carry it; flatten it"):
        evaluate(nobody)


# --- fairness ------------------------------------------------------------------------------------------------------


def people(folder: Path) -> Path:
    """4,000 rows: score is 0 to 9 for everybody, late from 5 on; sex is no feature."""
    folder.mkdir()
    table = pa.table({
        "score": [i % 10 for i in range(4000)], "late": [i % 10 >= 5 for i in range(4000)],
        "sex": [None if i // 20 % 4 == 3 else "FM"[i // 10 % 2] for i in range(4000)],
        "age": list(range(4000)), "tags": [["a"]] * 4000,
        "secret": [i // 10 % 2 for i in range(4000)],
    })  # fmt: skip
    pq.write_table(table, folder / "a.parquet")
    return folder


FAIR: dict[str, Any] = {
    "task": "classification", "target": "late", "features": ["score", "secret"], "metrics": ["accuracy"],
    "reference": None, "by": [],
}  # fmt: skip


def strict(bias: int) -> Model:
    """Late from 5 on; of those whom the secret column betrays, earlier by `bias`."""

    def model(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        pairs = zip(inputs["score"], inputs["secret"], strict=True)
        return answer([float(score >= 5 - bias * secret) for score, secret in pairs])

    return model


def test_a_fair_model_passes_and_an_unfair_one_does_not(s3: Any, bucket: str, tmp_path: Path, serve: Any) -> None:
    rows = people(tmp_path / "people")
    gates = [
        {"metric": "accuracy", "min": "0.7"}, {"metric": "selection_rate_gap", "by": "sex", "max": "15%"},
        {"metric": "fpr_gap", "by": "sex", "max": "15%"}, {"metric": "error_gap", "by": "sex", "max": "15%"},
    ]  # fmt: skip
    result = evaluate(task(s3, bucket, rows, [serve(strict(0)), serve(strict(2))], gates, **FAIR))
    assert [(g.verdict, g.value) for g in result.gates] == [
        ("Passed", "1"), ("Passed", "0"), ("Passed", "0"), ("Passed", "0"),
    ]  # fmt: skip
    unfair = task(s3, bucket, rows, [serve(strict(2)), serve(strict(0))], gates, **FAIR)
    result = evaluate(unfair)
    assert [g.verdict for g in result.gates] == ["Passed", "Failed", "Failed", "Failed"]
    assert result.gates[1].message.endswith("70% of M, 50% of F (positive is 1), wanted at most 15%")
    assert evaluate(unfair).digest == result.digest
    key = f"ns/models/m-0/{result.digest}.json"
    body = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    chosen = json.loads(body)["gaps"][0]
    assert chosen["gate"] == "selection_rate_gap by sex at most 15%"
    slices = {name: (one["rows"], one["share"]) for name, one in chosen["slices"].items()}
    assert slices == {"(none)": (1000, "0.6"), "F": (1500, "0.5"), "M": (1500, "0.7")}
    told = answers.parsed("evaluate", body, result.digest, s3.place(bucket, "ns/models/m-0")).result.evaluate
    assert told == result, "the operator reads it from the report"


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("gender", "the rows lack gender; they have"),
        ("tags", r"tags is VARCHAR\[\]: it can't be what slices are made by"),
    ],
)
def test_slices_that_can_not_be_made(s3: Any, bucket: str, tmp_path: Path, by: str, words: str) -> None:
    gates = [{"metric": "fpr_gap", "by": by, "max": "15%"}]
    with pytest.raises(TaskFailed, match=words) as caught:
        evaluate(task(s3, bucket, people(tmp_path / "people"), ["http://127.0.0.1:1"], gates, **FAIR))
    assert caught.value.error.reason == "BadData"


def test_a_column_of_too_many_values_is_no_slice(s3: Any, bucket: str, tmp_path: Path, serve: Any) -> None:
    gates = [{"metric": "fpr_gap", "by": "age", "max": "15%"}]
    result = evaluate(task(s3, bucket, people(tmp_path / "people"), [serve(strict(0))], gates, **FAIR))
    assert result.gates[0].message.startswith("age has more than 100 values")


# --- the profile ---------------------------------------------------------------------------------------------------


def document(s3: Any, bucket: str, found: ProfileRef) -> Profile:
    key = found.uri.removeprefix(f"s3://{bucket}/")
    return parse(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read(), found.digest)


def test_golden_rows_are_what_the_model_answers(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    """Replayed as a pod replays them: against the same model, and against one that answers a little otherwise."""
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], GATES))
    kept, where = result.golden, s3.place(bucket, "ns/models/m-0")
    assert kept is not None
    said = []
    for bias in (1.0, 1.01, 2.0):
        url = serve(linear(bias))
        at = ProfileAt(access=where, uri=kept.uri, sha256=kept.digest)
        said.append(replay(GoldenTask(
            at=at, tolerance=0.001, proven=True, port=0, server=int(url.rpartition(":")[2]), ready="/",
            infer="/v2/models/m/infer",
        )))  # fmt: skip
    assert [one["state"] for one in said] == ["Ok", "Ok", "Skew"], "1.01 is within a thousandth of 60"
    assert "32 of 32 rows differ" in said[2]["message"]


def test_an_evaluation_leaves_a_profile(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], GATES, reference_sha256="cd" * 32))
    assert result.profile is not None
    found = document(s3, bucket, result.profile)
    assert (result.profile.rows, result.profile.features, result.profile.message) == (999, 2, "")
    assert [one.name for one in found.features] == ["x", "carrier"]
    assert (found.reference, found.data, found.held_out) == ("cd" * 32, "ab" * 32, 999)
    assert found.features[0].missing == 1
    assert found.losses is not None
    assert sum(found.losses.counts) == 999
    assert f"{found.quality['mae']:.6g}" == result.scores[0].values["mae"], "the same rows, scored by two programs"
    assert [(one.by, sum(one.counts)) for one in found.slices] == [("carrier", 999)]
    place = s3.place(bucket, "ns/models/m-0")
    report = s3.client.get_object(Bucket=bucket, Key=f"ns/models/m-0/{result.digest}.json")["Body"].read().decode()
    told = answers.parsed("evaluate", report, result.digest, place).result.evaluate
    assert told is not None
    assert told == result, "the operator reads it from the report"


def test_without_rows_that_the_model_learnt_from_the_held_out_ones_stand_for_them(
    s3: Any, bucket: str, rows: Path, tmp_path: Path, serve: Any
) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], [], reference=None, by=[]))
    found = document(s3, bucket, result.profile)
    assert found.reference == found.data == "ab" * 32
    assert "no baseline.reference" in result.profile.message
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"carrier": ["AA"], "y": [1.0]}), other / "a.parquet")
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], [], reference=str(other)))
    assert document(s3, bucket, result.profile).rows == 999
    assert "lacks x" in result.profile.message


@pytest.mark.parametrize("metrics", [["log_loss"], ["accuracy"]])
def test_scores_are_those_of_the_later_class_where_probabilities_were_asked_for(
    s3: Any, bucket: str, rows: Path, serve: Any, metrics: list[str]
) -> None:
    def probable(inputs: dict[str, list[Any]]) -> tuple[int, Any]:
        late = [0.9 if x is not None and x > 25 else 0.2 for x in inputs["x"]]
        if metrics == ["accuracy"]:
            return answer([float(p > 0.5) for p in late])
        return answer([v for p in late for v in (1 - p, p)], name="predict_proba", width=2)

    kind = {"task": "classification", "target": "late", "reference": None, "by": [], "metrics": metrics}
    result = evaluate(task(s3, bucket, rows, [serve(probable)], [], **kind))
    found = document(s3, bucket, result.profile)
    assert isinstance(found.prediction, Category)
    assert (sorted(found.prediction.values), found.positive) == (["0", "1"], "1")
    assert (found.scores is not None) == (metrics == ["log_loss"])
    if found.scores is not None:
        assert (found.scores.edges, sum(found.scores.counts)) == ([0.9], 999)
        assert found.scores.right[1] > found.scores.right[0]
        assert f"{found.quality['log_loss']:.6g}" == result.scores[0].values["log_loss"]


def test_a_profile_that_can_not_be_made_is_no_reason_to_fail(
    s3: Any, bucket: str, rows: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("fairlead.worker.profiling.build.reference", refuse)
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], GATES))
    assert [g.verdict for g in result.gates] == ["Passed", "Skipped", "Passed"]
    assert (result.profile, result.no_profile) == (None, "it could not be made: no room")


def test_an_evaluation_waits_for_a_profile_only_so_long(
    s3: Any, bucket: str, rows: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.worker.profiling.evaluated.LEAST", 0.0)
    monkeypatch.setattr("fairlead.worker.profiling.evaluated.MOST", 0.0)
    result = evaluate(task(s3, bucket, rows, [serve(linear(1.0))], GATES))
    assert [g.verdict for g in result.gates] == ["Passed", "Skipped", "Passed"]
    assert result.profile is None
    assert result.no_profile.startswith("the rows are too many for it: make it with `fairlead profile`")
    assert [key for key in s3.keys(bucket) if "/profiles/" in key] == []


def test_a_model_that_answers_nonsense_has_a_profile_of_its_rows(s3: Any, bucket: str, rows: Path, serve: Any) -> None:
    result = evaluate(task(s3, bucket, rows, [serve(lambda _: (500, "no"))], []))
    found = document(s3, bucket, result.profile)
    assert (found.rows, found.prediction) == (999, None)
    assert "no answers" in result.profile.message
