"""Kept requests are sent once more, and answers are read as the recorder reads them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairlead.api.tasks import Subject
from fairlead.worker import again
from fairlead.worker.again import Again
from fairlead.worker.errors import TaskFailed


class Model(BaseHTTPRequestHandler):
    """Answers twice the number that it is asked for."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    asked: list[str]
    breaks: int
    """So many connections are broken off first."""

    def do_GET(self) -> None:
        self._say(200, b"{}")

    def do_POST(self) -> None:
        server = type(self)
        server.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = body["inputs"][0]["data"][0]
        if number == "die":
            server.breaks += 1
            self.close_connection = True
            return
        if number == "no":
            return self._say(400, b'{"error": "no such value"}')
        if number == "nothing":
            return self._say(200, b"null")
        if number == "long":
            return self._say(200, b" " * (again.BODY_LIMIT + 1))
        if number == "zip":
            packed = gzip.compress(json.dumps({"outputs": [{"data": [7]}]}).encode())
            return self._say(200, packed, {"content-encoding": "gzip"})
        return self._say(200, json.dumps({"outputs": [{"data": [2 * number]}], "more": {"x": number}}).encode())

    def _say(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Model]]]:
    handler = type("Own", (Model,), {"asked": [], "breaks": 0})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", handler
    http.shutdown()
    thread.join()
    http.server_close()


def asked(url: str, values: list[object], pointer: str | None = None) -> list[str | None]:
    subject = Subject(subject="before", version="m-1", url=url, name="m")
    bodies = [json.dumps({"inputs": [{"name": "x", "data": [value]}]}) for value in values]
    return list(Again(subject, pointer, 0.6).outputs(bodies))


def test_answers_come_in_order_and_are_read_as_the_log_has_them(server: tuple[str, type[Model]]) -> None:
    url, model = server
    assert asked(url, list(range(150))) == [f"[{2 * value}]" for value in range(150)]
    assert set(model.asked) == {"/v2/models/m/infer"}
    assert asked(url, [3, "zip"], "/more/x") == ["3", None]
    assert asked(url, ["zip"]) == ["[7]"]


def test_a_refusal_a_nothing_and_an_endless_answer_are_no_answers(server: tuple[str, type[Model]]) -> None:
    assert asked(server[0], [1, "no", "nothing", "long", 2]) == ["[2]", None, None, None, "[4]"]


def test_a_request_that_breaks_the_server_off_each_time_is_given_up(server: tuple[str, type[Model]]) -> None:
    url, model = server
    with pytest.raises(TaskFailed, match="is not ready after"):
        asked(url, ["die"])
    assert model.breaks > 0


def test_no_request_asks_nobody(server: tuple[str, type[Model]]) -> None:
    assert asked(server[0], []) == []
    assert server[1].asked == []


def test_what_takes_too_long_is_left_out(server: tuple[str, type[Model]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "LONGEST", 0.0)
    assert asked(server[0], [1, 2]) == []


def test_a_server_that_does_not_answer_in_time(server: tuple[str, type[Model]]) -> None:
    del server
    with pytest.raises(TaskFailed, match="the before's server"):
        asked("http://127.0.0.1:9", [1])
