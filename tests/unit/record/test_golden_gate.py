"""A server counts as started when it answers golden rows as it should; what can't be compared stops nothing."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from fairlead.api.fetching import Access
from fairlead.api.tasks import GoldenTask, ProfileAt
from fairlead.manifests import server
from fairlead.monitor import golden
from fairlead.store.errors import StoreError
from fairlead.worker.errors import TaskFailed
from fairlead.worker.record import __main__ as keeper
from fairlead.worker.record import gate as gates
from fairlead.worker.record import learnt, replay
from fairlead.worker.record.gate import Gate, ask

READY, INFER = "/v2/health/ready", "/v2/models/m/infer"
ROWS = "\n".join(json.dumps({"inputs": {"x": float(x)}, "expected": 2.0 * x}) for x in range(8))


class Model(ThreadingHTTPServer):
    """Answers twice its x."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ready, self.asked, self.factor = 200, list[float](), 2.0
        self.refuses: list[int] = []
        """Statuses of the next answers."""
        self.says: bytes | None = None
        """Instead of an answer."""


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_GET(self) -> None:
        self._reply(self.server.ready if self.path == READY else 404, b"not here")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != INFER or self.server.refuses:
            self._reply(self.server.refuses.pop(0) if self.server.refuses else 404, b"who is x?")
            return
        (x,) = body["inputs"][0]["data"]
        self.server.asked.append(x)
        said = {"outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [self.server.factor * x]}]}
        self._reply(200, json.dumps(said).encode() if self.server.says is None else self.server.says)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def task(model: Model, file: Path | None = None, **more: Any) -> GoldenTask:
    given = {"file": str(file or ""), "tolerance": 0.001, "proven": False, "port": 0, "server": model.server_port}
    return GoldenTask(**(given | {"ready": READY, "infer": INFER} | more))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "golden.jsonl"
    path.write_text(ROWS)
    return path


# --- what comes of them ----------------------------------------------------------------------------------------------


def test_rows_that_are_answered_as_they_were(model: Model, rows: Path) -> None:
    said = replay.replay(task(model, rows))
    assert said == {"state": "Ok", "reason": "AsMade", "message": "8 golden rows are answered as in training"}
    assert model.asked == [float(x) for x in range(8)], "each is asked for alone, once"


def test_a_difference_is_told_with_its_row_the_values_and_what_is_tolerated(model: Model, rows: Path) -> None:
    model.factor = 2.2
    said = replay.replay(task(model, rows))
    assert said["state"] == said["reason"] == "Skew"
    assert said["message"] == (
        "golden row 2: output y is 2.2, and was 2 in training (0.001 of its size is tolerated); 7 of 8 rows differ"
    )  # fmt: skip
    assert replay.replay(task(model, rows, tolerance=0.11))["state"] == "Ok"


def test_the_document_of_an_evaluation_comes_from_the_store_by_its_digest(model: Model) -> None:
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [3.0]}]}
    body = golden.document([(request, {"outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [6.0]}]})])
    digest = hashlib.sha256(body).hexdigest()
    at = ProfileAt(access=Access(), uri="s3://b/golden.json", sha256=digest)

    class Bucket:
        def read(self, key: str, limit: int) -> bytes:
            assert (key, limit) == ("golden.json", golden.SIZE)
            return body

    with patch.object(learnt, "located", return_value=(Bucket(), "golden.json")):
        assert replay.replay(task(model, at=at, proven=True))["message"] == (
            "one golden row is answered as when the version was proven"
        )
        changed = replay.replay(task(model, at=at.model_copy(update={"sha256": "0" * 64})))
    assert (changed["state"], changed["reason"]) == ("Unknown", "GoldenRowsUnread")
    assert "it was changed" in changed["message"]


def test_a_store_that_is_away_stops_nothing(model: Model) -> None:
    at = ProfileAt(access=Access(), uri="s3://b/golden.json", sha256="0" * 64)
    away = StoreError("Unreachable", "nobody is there", transient=True)
    with patch.object(learnt, "located", side_effect=away):
        assert replay.replay(task(model, at=at))["reason"] == "GoldenRowsUnread"


@pytest.mark.parametrize(("body", "reason"), [
    (b"", "BadGoldenRows"), (b'{"inputs": {"x": 1e999}, "expected": 1}', "BadGoldenRows"),
    (b'{"inputs": {"x": 1}, "expected": {"z": 1}}', "BadGoldenRows"), (b"{}\n" * 10**6, "BadGoldenRows"),
])  # fmt: skip
def test_rows_that_can_not_be_used_stop_nothing(model: Model, tmp_path: Path, body: bytes, reason: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_bytes(body)
    said = replay.replay(task(model, path))
    assert (said["state"], said["reason"]) == ("Unknown", reason)


def test_a_file_that_is_not_there_or_leads_elsewhere_is_not_read(model: Model, tmp_path: Path, rows: Path) -> None:
    assert replay.replay(task(model, tmp_path / "none.jsonl"))["reason"] == "NoGoldenRows"
    link = tmp_path / "link.jsonl"
    link.symlink_to(rows)
    assert replay.replay(task(model, link))["reason"] == "NoGoldenRows"


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_a_server_that_refuses_the_rows_is_not_stopped(model: Model, rows: Path, status: int) -> None:
    model.refuses = [status]
    said = replay.replay(task(model, rows))
    assert (said["state"], said["reason"]) == ("Unknown", "Refused")
    assert f"golden row 1 is answered {status} 'who is x?'" in said["message"]


def test_a_server_that_is_not_quite_there_yet_is_asked_again(
    model: Model, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "PAUSE", 0.0)
    model.refuses = [503, 429]
    assert replay.replay(task(model, rows))["state"] == "Ok"


@pytest.mark.parametrize(
    "says", [b"", b"[]", b'{"outputs": []}', b"[" * 10**6, b'{"outputs": [{"shape": [1], "data": [{}]}]}']
)
def test_answers_that_can_not_be_read_stop_nothing(model: Model, rows: Path, says: bytes) -> None:
    model.says = says
    assert replay.replay(task(model, rows))["state"] == "Unknown"


def test_nan_is_an_answer(model: Model, rows: Path) -> None:
    model.says = b'{"outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [NaN]}]}'
    assert replay.replay(task(model, rows))["state"] == "Skew"


def test_what_was_not_asked_in_time_is_said(model: Model, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LIMIT", -1.0)
    said = replay.replay(task(model, rows))
    assert said["message"] == (
        "one golden row is answered as in training; the other 7 were not asked for within -1 s"
    )  # fmt: skip


@pytest.mark.parametrize("then", [400, 500])
def test_what_differs_does_so_whatever_comes_of_the_other_rows(model: Model, rows: Path, then: int) -> None:
    """A server that answers some rows otherwise and fails at others gets no traffic."""

    class Tired(list[int]):
        def __bool__(self) -> bool:
            return len(model.asked) >= 4

        def pop(self, _at: object = 0) -> int:
            return then

    model.factor, model.refuses = 2.2, Tired()
    said = replay.replay(task(model, rows))
    assert said["state"] == "Skew"
    assert said["message"].endswith("3 of 4 rows differ")


def test_the_probe_waits_longer_than_the_rows_may_take() -> None:
    longest = replay.LIMIT + replay.LEAST
    assert longest < gates.SECONDS < server.GOLDEN - 10, "a server must not be ended because a store is away"


def test_the_gate_outlives_a_caller_that_is_gone(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    told = task(model).model_dump()
    gate = Gate(told, verdict("Ok", tmp_path / "count"))
    accept, errors = gate._next, [ConnectionAbortedError("gone"), RuntimeError("can't start new thread")]

    def then() -> None:
        if errors:
            raise errors.pop()
        accept()

    monkeypatch.setattr(gate, "_next", then)
    port = gate.start()
    assert ask(port, golden.PATH)[0] == 503
    assert not errors


def test_a_server_that_does_not_answer_is_too_slow(
    model: Model, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for name in ("LIMIT", "ANSWER", "LEAST", "PAUSE"):
        monkeypatch.setattr(replay, name, 0.05)
    release = threading.Event()
    monkeypatch.setattr(_Handler, "do_POST", lambda _: release.wait(60))
    try:
        said = replay.replay(task(model, rows))
    finally:
        release.set()
    assert (said["state"], said["reason"]) == ("Unknown", "TooSlow")


# --- the start-up probe ----------------------------------------------------------------------------------------------


def verdict(state: str, count: Path) -> list[str]:
    """A command that notes that it ran, and says this."""
    said = json.dumps({"state": state, "reason": "Why", "message": "because"})
    return [sys.executable, "-S", "-c", f"open({str(count)!r}, 'a').write('x'); print({said!r})"]


class Probed:
    """A gate as the kubelet sees it."""

    def __init__(self, model: Model, command: list[str]) -> None:
        told = task(model).model_dump()
        self.port = Gate(told, command).start()

    def probe(self) -> tuple[int, str]:
        return ask(self.port, READY)

    def started(self) -> tuple[int, str]:
        """The first answer after the rows were asked for."""
        deadline = time.monotonic() + 120
        while (found := self.probe())[0] == 503:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return found

    def told(self) -> tuple[int, str]:
        return ask(self.port, golden.PATH)


def test_a_server_has_started_when_its_rows_were_answered(model: Model, tmp_path: Path) -> None:
    gate = Probed(model, verdict("Ok", tmp_path / "count"))
    model.ready = 404
    assert gate.probe() == (404, "not here"), "what the server says is handed on until it can answer"
    assert gate.told()[0] == 503
    assert not (tmp_path / "count").exists()
    model.ready = 200
    assert gate.probe()[0] == 503, "rows are asked for before"
    assert gate.started() == (200, "Ok Why: because")
    assert gate.told() == (200, "Ok Why: because")
    assert (tmp_path / "count").read_text() == "x"


def test_one_that_differs_never_starts(model: Model, tmp_path: Path) -> None:
    gate = Probed(model, verdict("Skew", tmp_path / "count"))
    assert gate.started() == (409, "Skew Why: because")
    assert [gate.probe()[0] for _ in range(3)] == [409, 409, 409]
    assert gate.told() == (409, "Skew Why: because")
    assert (tmp_path / "count").read_text() == "x", "its process is asked for the rows once"


def test_somebody_who_asks_as_the_kubelet_does_takes_nothing_from_it(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(gates, "FRESH", 600.0)
    gate = Probed(model, verdict("Ok", tmp_path / "count"))
    assert [gate.started()[0], gate.probe()[0], gate.probe()[0]] == [200, 200, 200]
    model.ready = 503
    gate.probe()
    model.ready = 200
    assert gate.started()[0] == 200
    assert (tmp_path / "count").read_text() == "xx", "a new process is asked all the same"


def test_a_new_process_of_the_server_is_asked_anew(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(gates, "FRESH", -1.0)
    gate = Probed(model, verdict("Skew", tmp_path / "count"))
    gate.started()
    model.ready = 503
    gate.probe()
    assert gate.told()[0] == 409, "what was known is told meanwhile"
    model.ready = 200
    gate.started()
    assert (tmp_path / "count").read_text() == "xx"
    fine = Probed(model, verdict("Ok", tmp_path / "fine"))
    fine.started()
    fine.started()  # nobody asks again of a process that has started
    assert (tmp_path / "fine").read_text() == "xx"


def test_what_is_not_known_stops_nothing(model: Model, tmp_path: Path) -> None:
    assert Probed(model, verdict("Unknown", tmp_path / "count")).started()[0] == 200
    assert Probed(model, [sys.executable, "-S", "-c", "raise SystemExit('no store')"]).started() == (
        200, "Unknown NotAsked: golden rows can't be asked for: no store",
    )  # fmt: skip
    assert Probed(model, [str(tmp_path / "nothing")]).started()[0] == 200


def test_rows_that_take_too_long_stop_nothing(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.worker.record.gate.SECONDS", 0.05)
    said = Probed(model, [sys.executable, "-S", "-c", "import time; time.sleep(60)"]).started()
    assert said[1].startswith("Unknown TooSlow")


def test_callers_that_say_nothing_keep_nobody_out(model: Model, tmp_path: Path) -> None:
    gate = Probed(model, verdict("Ok", tmp_path / "count"))
    silent = [socket.create_connection(("127.0.0.1", gate.port)) for _ in range(8)]
    try:
        assert gate.started()[0] == 200
        with socket.create_connection(("127.0.0.1", gate.port)) as strange:
            strange.sendall(b"\x00\xff" * 1000)
            assert strange.recv(20).startswith(b"HTTP/1.0 ")
    finally:
        for one in silent:
            one.close()


def test_where_nothing_listens_it_has_not_started(tmp_path: Path) -> None:
    with Model() as gone:
        pass
    gate = Probed(gone, verdict("Ok", tmp_path / "count"))
    assert gate.probe() == (503, "nothing listens")


def test_the_whole_of_it_goes_by_the_servers_own_port(model: Model, rows: Path) -> None:
    """The recorder's command, as a pod runs it."""
    told = task(model, rows)
    record = {
        "deployment": "d", "version": "m-1", "probability": 1.0, "every": 60.0, "socket": "s", "port": 1, "spool": "",
        "golden": told.model_dump(exclude_none=True),
    }  # fmt: skip
    with patch.dict("os.environ", {"FAIRLEAD_TASK": json.dumps(record)}):
        gate = Probed(model, [sys.executable, "-m", "fairlead.worker.record.replay"])
        assert gate.started() == (200, "Ok AsMade: 8 golden rows are answered as in training")
    assert len(model.asked) == 8


def test_a_port_that_is_taken_ends_no_recorder(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("", 0)) as taken:
        keeper._open(Gate(task(model, port=taken.getsockname()[1]).model_dump(), []))
    assert "nobody can be told" in caplog.text


def test_a_task_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"deployment": "d", "version": "m", "probability": 1.0, "every": 1.0, "socket": "", "port": 1, "spool": ""}
    with patch.dict("os.environ", {"FAIRLEAD_TASK": json.dumps(record)}):
        assert replay.main() == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "NotAsked"


def test_a_task_that_fails_is_no_verdict(model: Model) -> None:
    at = ProfileAt(access=Access(), uri="elsewhere", sha256="0" * 64)
    assert replay.replay(task(model, at=at))["reason"] == "GoldenRowsUnread"
    with pytest.raises(TaskFailed):
        learnt.read(at, 1)


@pytest.mark.parametrize(("answer", "said"), [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", (200, "{}")),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, "")),
    (b"HTTP/1.0 503 No\r\n\r\nloading", (503, "loading")),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", (200, "2\r\n{}\r\n")),
    (b"hello\r\n\r\n", (0, "the answer is no HTTP")), (b"x" * 100000, (0, "the answer is no HTTP")),
    (b"HTTP/1.1 twohundred\r\n\r\n", (0, "the answer is no HTTP")),
    (b"HTTP/1.1 500 No\r\nContent-Length: 999999999999\r\n\r\nno", (500, "no")),
])  # fmt: skip
def test_a_server_that_leaves_the_connection_open_has_answered(
    answer: bytes, said: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.worker.record.gate.REST", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = []

        def serve() -> None:
            connection, _ = server.accept()
            connections.append(connection)
            connection.recv(1000)
            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        assert ask(server.getsockname()[1], READY) == said
        for one in connections:
            one.close()


def test_a_server_that_says_nothing_has_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.worker.record.gate.ASKING", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, why = ask(server.getsockname()[1], READY)
    assert (status, why) == (0, "no answer: timed out")
