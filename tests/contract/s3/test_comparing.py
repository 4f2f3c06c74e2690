"""The version before is asked for its answers to the labelled requests, which were kept; its losses beside the live
version's, request by request."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.contract.s3.test_join import labelled
from tests.contract.s3.test_observe import CLASSES, REGRESSION, body, kept, task, window

from fairlead.api.tasks import Compared, ObserveResult, Subject
from fairlead.monitor import question
from fairlead.worker import comparing
from fairlead.worker.observe import observe

MARGIN = "0.02"
Say = Callable[[Any], tuple[int, Any]]


@pytest.fixture
def before() -> Iterator[Callable[[Say], Subject]]:
    """Starts a server that answers a row's `x` by what is given."""
    servers = []

    def start(say: Say) -> Subject:
        class Server(BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", -1

            def do_GET(self) -> None:
                self._say(200, {})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._say(*say(asked["inputs"][0]["data"][0]))

            def _say(self, status: int, found: Any) -> None:
                text = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(http)
        return Subject(subject="before", version="m-0", url=f"http://127.0.0.1:{http.server_port}", name="m")

    yield start
    for http in servers:
        http.shutdown()
        http.server_close()


def outputs(value: Any) -> tuple[int, Any]:
    return 200, {"outputs": [{"name": "predict", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}


def compared(found: ObserveResult) -> Compared:
    assert found.compared
    return Compared.model_validate_json(found.compared.model_dump_json())


def test_losses_are_compared_request_by_request(s3: Any, bucket: str, before: Callable[[Say], Subject]) -> None:
    """The live version always says 1; the one before says what is right, but for a tenth."""
    rng = random.Random(1)
    truth = {f"r{n}": rng.choice([0, 1]) for n in range(300)}
    kept(s3, bucket, [{"request_id": id_, "output": "[1]", "input": body(x=n)} for n, id_ in enumerate(truth)])
    server = before(lambda x: outputs(truth[f"r{x}"] if x % 10 else 1 - truth[f"r{x}"]))
    labels = labelled(s3, bucket, truth)
    found = observe(task(s3, bucket, labels, CLASSES, against=server, margin=MARGIN))
    alone = observe(task(s3, bucket, labels, CLASSES))
    assert window(found) == window(alone)
    assert (alone.compared, found.matched) == (None, 300)
    u = [float(label != 1) - float(n % 10 == 0) for n, label in enumerate(truth.values())]
    expected = question.gained(sorted(u), 0.02)
    said = compared(found)
    assert (said.n, said.total, said.refused, said.unkept, said.trouble) == (300, sum(u), 0, 0, "")
    assert said.better == pytest.approx(expected.better)
    assert said.not_better == pytest.approx(expected.not_better)
    assert question.decide(question.step(question.Asked(), expected), 0.005) == "better"


def test_what_is_not_answered_is_told_apart(s3: Any, bucket: str, before: Callable[[Say], Subject]) -> None:
    """Refused, nothing, null, three numbers; not kept; and of those that the live version's labels can't judge
    nothing is asked."""
    given = {"good": 1, "no": 2, "null": 3, "nan": 4, "three": 5}
    rows = [{"request_id": id_, "output": "[1]", "input": body(x=x)} for id_, x in given.items()]
    kept(s3, bucket, [*rows, {"request_id": "gone", "output": "[1]"}, {"request_id": "odd", "output": "[null]"}])
    says = {1: outputs(1), 2: (400, {"error": "no"}), 3: outputs(None), 4: (200, None), 5: outputs([1, 2, 3])}
    asked = []

    def say(x: Any) -> tuple[int, Any]:
        asked.append(x)
        return says[x]

    labels = labelled(s3, bucket, dict.fromkeys([*given, "gone", "odd"], 1))
    said = compared(observe(task(s3, bucket, labels, CLASSES, against=before(say), margin=MARGIN)))
    assert (said.n, said.total, said.refused, said.unkept) == (1, 0.0, 4, 1)
    assert set(asked) == set(given.values())


def test_numbers_lose_as_the_profile_says(s3: Any, bucket: str, before: Callable[[Say], Subject]) -> None:
    """The cap is four times the held-out rows' mean error, 5: an error of 2 loses 0.4."""
    kept(s3, bucket, [{"request_id": f"r{n}", "output": "[7.0]", "input": body(x=n)} for n in range(4)])
    labels = labelled(s3, bucket, {f"r{n}": 5.0 for n in range(4)})
    server = before(lambda x: outputs([5.0, 6.0, 9.0, 1e9][x]))
    said = compared(observe(task(s3, bucket, labels, REGRESSION, against=server, margin=MARGIN)))
    assert said.n == 4
    assert said.total == pytest.approx(sum(0.4 - one for one in (0.0, 0.2, 0.8, 1.0)))


def test_a_version_before_that_does_not_answer_keeps_no_label_from_being_counted(s3: Any, bucket: str) -> None:
    kept(s3, bucket, [{"request_id": f"r{n}", "output": "[1]", "input": body(x=n)} for n in range(30)])
    labels = labelled(s3, bucket, {f"r{n}": 1 for n in range(30)})
    server = Subject(subject="before", version="m-0", url="http://127.0.0.1:9", name="m")
    found = observe(task(s3, bucket, labels, CLASSES, against=server, margin=MARGIN, ready_timeout=0.3))
    said = compared(found)
    assert (window(found).losses.n, said.n, said.refused, said.unkept) == (30, 0, 0, 30)
    assert "see the log of container before" in said.trouble


def test_of_very_many_a_sample_is_asked(
    s3: Any, bucket: str, before: Callable[[Say], Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST", 100)
    kept(s3, bucket, [{"request_id": f"r{n}", "output": "[1]", "input": body(x=n)} for n in range(400)])
    labels = labelled(s3, bucket, {f"r{n}": 1 for n in range(400)})
    found = observe(task(s3, bucket, labels, CLASSES, against=before(lambda _: outputs(1)), margin=MARGIN))
    assert 70 <= compared(found).n <= 130
    assert window(found).losses.n == 400
