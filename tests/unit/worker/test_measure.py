"""A step that measures a model: real rows, a model server on loopback, and what lies in the outputs afterwards."""

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

from fairlead.api.fetching import Place
from fairlead.api.tasks import EvaluateTask, MeasureTask
from fairlead.worker import series
from fairlead.worker.errors import TaskFailed
from fairlead.worker.evaluate import evaluate
from fairlead.worker.measure import measure

Model = Callable[[dict[str, list[Any]]], tuple[int, list[Any]]]
WHERE = "spec.produces[0].version.server"


@pytest.fixture
def serve() -> Iterator[Callable[[Model], str]]:
    """Start a model server; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(model: Model) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, {})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, values = model({tensor["name"]: tensor["data"] for tensor in asked["inputs"]})
                kind = "BYTES" if values and isinstance(values[0], str) else "FP64"
                output = {"name": "predict", "datatype": kind, "shape": [len(values), 1], "data": values}
                self.reply(status, {"outputs": [output]} if status == 200 else {"error": "no such carrier"})

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


def rows(folder: Path, **columns: list[Any]) -> Path:
    data = folder / "data"
    data.mkdir()
    pq.write_table(pa.table(columns), data / "data.parquet")
    return data


def asked(data: Path, url: str, outputs: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": "delay-7", "task": "regression", "data": str(data), "data_sha256": "d" * 64,
        "subjects": [{"subject": "model", "version": "delay-7", "url": url, "name": "m", "sha256": "a" * 64}],
        "features": ["x"], "target": "y", "batch": 7, "metrics": ["mae", "rmse"], "gates": [], "ready_timeout": 5.0,
        "outputs": str(outputs), "where": WHERE, **more,
    }  # fmt: skip


def told(outputs: Path) -> tuple[dict[str, str], dict[str, Any], str]:
    """Metrics as `publish` reads them, the document, the page."""
    found = series.read(outputs / ".fairlead", outputs / "series")
    assert found.left_out() == []
    document = json.loads((outputs / ".fairlead/artifacts/evaluation.json").read_bytes())
    return found.last, document, (outputs / "evaluation.html").read_text()


def test_the_numbers_are_those_of_the_definition(tmp_path: Path, serve: Callable[[Model], str]) -> None:
    x = np.arange(50.0)
    y = 2 * x + np.where(x % 3 == 0, 1.0, -2.0)
    data, out = rows(tmp_path, x=x.tolist(), y=[*y.tolist()[:-1], None]), tmp_path / "out"
    measure(MeasureTask.model_validate(asked(data, serve(lambda f: (200, [2 * v for v in f["x"]])), out)))
    metrics, document, page = told(out)
    wrong = np.abs(y[:-1] - 2 * x[:-1])
    assert float(metrics["mae"]) == pytest.approx(wrong.mean(), rel=1e-12)
    assert float(metrics["rmse"]) == pytest.approx(np.sqrt((wrong**2).mean()), rel=1e-12)
    assert metrics["rows"] == "49"
    assert (document["data"]["rows"], document["data"]["leftOut"]) == (49, 1)
    low, high = map(float, document["intervals"]["mae"])
    assert low < wrong.mean() < high
    assert "<script" not in page
    assert document["values"]["mae"] in page


def test_the_same_model_and_rows_have_the_numbers_of_an_evaluation_and_the_same_bytes_again(
    tmp_path: Path, serve: Callable[[Model], str]
) -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=200)
    data = rows(tmp_path, x=x.tolist(), y=(x + generator.normal(size=200)).tolist())
    url = serve(lambda f: (200, [0.9 * v for v in f["x"]]))
    outs = [tmp_path / name for name in ("one", "other")]
    first, again = (measure(MeasureTask.model_validate(asked(data, url, out))) for out in outs)
    assert first == again
    assert (outs[0] / "evaluation.html").read_bytes() == (outs[1] / "evaluation.html").read_bytes()
    metrics, document, _ = told(outs[0])
    task = asked(data, url, outs[0])
    task["subjects"][0]["subject"] = "challenger"
    del task["outputs"], task["where"]
    store = Place(folder=str(tmp_path / "store"), bucket="b", prefix="reports/")
    proof = evaluate(EvaluateTask.model_validate(task | {"store": store}))
    assert proof.scores[0].values == document["values"] == {m: f"{float(metrics[m]):.6g}" for m in ("mae", "rmse")}


def test_slices_of_gaps_are_counted_and_the_gap_is_a_metric(
    tmp_path: Path, serve: Callable[[Model], str]
) -> None:  # fmt: skip
    region = ["NE"] * 400 + ["S<b>"] * 400
    truth = ["yes", "no"] * 400
    data, out = rows(tmp_path, x=[float(r == "NE") for r in region], region=region, y=truth), tmp_path / "out"
    url = serve(lambda f: (200, ["yes" if v else "no" for v in f["x"]]))
    gate = {"metric": "selection_rate_gap", "by": "region", "max": "10%"}
    more = {"task": "classification", "metrics": ["accuracy"], "gates": [gate]}
    measure(MeasureTask.model_validate(asked(data, url, out, **more)))
    metrics, document, page = told(out)
    assert float(metrics["selection_rate_gap_by_region"]) == 1.0
    assert float(metrics["accuracy"]) == 0.5
    assert {name: (one["rows"], one["share"]) for name, one in document["gaps"][0]["slices"].items()} == {
        "NE": (400, "1"), "S<b>": (400, "0"),
    }  # fmt: skip
    assert "S&lt;b&gt;" in page
    assert "S<b>" not in page


@pytest.mark.parametrize(("model", "reason", "words"), [
    (lambda f: (200, [float("nan")] * len(f["x"])), "BadData", "mae, rmse can't be measured: 3 of 3 predictions"),
    (lambda _: (500, []), "ServerFailed", "no such carrier"),
    (lambda f: (200, ["late"] * len(f["x"])), "BadData", "needs numbers"),
    (lambda f: (200, [1e200] * len(f["x"])), "BadData", "too large"),
])  # fmt: skip
def test_what_cannot_be_measured_leaves_nothing(
    tmp_path: Path, serve: Callable[[Model], str], model: Model, reason: str, words: str
) -> None:
    data, out = rows(tmp_path, x=[1.0, 2.0, 3.0], y=[1.0, 2.0, 3.0]), tmp_path / "out"
    with pytest.raises(TaskFailed, match=words) as failed:
        measure(MeasureTask.model_validate(asked(data, serve(model), out)))
    assert failed.value.error.reason == reason
    assert not out.exists()


def test_a_server_that_is_not_there_is_told_with_its_field(tmp_path: Path) -> None:
    data = rows(tmp_path, x=[1.0], y=[1.0])
    task = asked(data, "http://127.0.0.1:9", tmp_path / "out", ready_timeout=0.3)
    with pytest.raises(TaskFailed, match=re.escape(f"name {WHERE}.port")):
        measure(MeasureTask.model_validate(task))


def test_rows_without_truth_or_a_column_are_bad_data(tmp_path: Path, serve: Callable[[Model], str]) -> None:
    url = serve(lambda f: (200, f["x"]))
    data = rows(tmp_path, x=[1.0], y=pa.array([None], pa.float64()))
    with pytest.raises(TaskFailed, match="no row has a y"):
        measure(MeasureTask.model_validate(asked(data, url, tmp_path / "out")))
    with pytest.raises(TaskFailed, match="the rows lack z"):
        measure(MeasureTask.model_validate(asked(data, url, tmp_path / "out", features=["z"])))
