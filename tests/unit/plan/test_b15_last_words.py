"""What a server has said at its end, as the kubelet hands it over, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.manifests import presets, recorder, server
from fairlead.plan.deployment.serving import serverends
from fairlead.plan.jobs import failures, serverlog

# as a kubelet 1.35 has written them, with the end of MLServer's log: the beginning of the traceback is cut off
MLSERVER = """g.py\", line 37, in load
    self._model = joblib.load(model_uri)
                  ^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/pickle.py", line 1580, in find_class
    __import__(module, level=0)
ModuleNotFoundError: No module named 'mylib'
2026-11-29 02:18:13,762 [mlserver.grpc] INFO - Waiting for gRPC server shutdown
INFO:     Shutting down
"""
SHORT = 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nImportError: no\n'
CHAINED = (
    'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n\nDuring handling of the above '
    'exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "b.py", line 2, in g\n'
    "ValueError: no such model\nbye\n"
)


def ended(message: str = "", code: int = 1, **more: Any) -> dict[str, Any]:
    end = {"exitCode": code, "message": message, "reason": "Error", **more}
    return {"name": "server", "restartCount": 1, "started": False, "state": {}, "lastState": {"terminated": end}}


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (MLSERVER, "ModuleNotFoundError: No module named 'mylib'"),
        (SHORT, "ImportError: no"),
        (CHAINED, "ValueError: no such model"),
        ("starting\npanic: no model\n\n", "panic: no model"),
        ("\x1b[31mred\x1b[0m\n", "red"),
        ("turned \u202eround\n", "turned \\u202eround"),
        ("x" * 5000, "x" * serverlog.LINE),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_b15_the_most_telling_line_comes_first(log: str, line: str) -> None:
    said = serverlog.last_words(ended(log))
    assert said.startswith(line)
    assert len(said) <= 2 * serverlog.LINE + 20
    assert serverlog.telling(ended(log)["lastState"]["terminated"]) == line


def test_the_lines_before_are_shown_too() -> None:
    assert serverlog.last_words(ended("one\ntwo\nthree\nfour\nfive\n")) == "five (before: two / three / four)"


def test_lines_are_alike_but_for_numbers() -> None:
    assert serverlog.alike("[17:04:01] no model at 0x7fee, process 12", "[18:00:59] no model at 0xdead, process 7")
    assert not serverlog.alike("no model", "no memory")
    assert not serverlog.alike("", ""), "of a server that says nothing nothing is known"


def pod(timeout: int = 40, grace: int = 35, port: Any = 8080) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/v2/health/ready", "port": port}, "periodSeconds": 1, "failureThreshold": timeout,
             "timeoutSeconds": 5}  # fmt: skip
    server = {"name": "server", "startupProbe": probe, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"metadata": {"name": "p", "namespace": "team"},
            "spec": {"containers": [server], "terminationGracePeriodSeconds": grace}}  # fmt: skip


def lived(seconds: int, code: int = 137, message: str = "Listening on 0.0.0.0:9000\n", **more: Any) -> dict[str, Any]:
    at = f"2026-11-29T02:{10 + seconds // 60:02}:{seconds % 60:02}Z"
    return ended(message, code, startedAt="2026-11-29T02:10:00Z", finishedAt=at, **more)


@pytest.mark.parametrize("port", [8080, "http"])
@pytest.mark.parametrize(("seconds", "code"), [(40, 143), (45, 137), (75, 137), (41, 0)])
def test_b18_a_server_on_another_port_or_path_is_not_taken_for_one_without_memory(
    seconds: int, code: int, port: Any
) -> None:
    told = serverends.told(pod(port=port), "server", lived(seconds, code))
    assert told is not None
    assert told.reason == "NotAnswering"
    assert told.message.startswith("nothing answered GET :8080/v2/health/ready with 200 for 40 s")
    assert "its log ends with: Listening on 0.0.0.0:9000" in told.message
    assert all(field in told.message for field in ("spec.server.port", "spec.server.ready", "spec.server.timeout"))
    assert ("not for its memory" in told.message) == (code == 137)


@pytest.mark.parametrize("seconds", [76, 80, 110])
def test_b18_where_the_recorder_hands_on_what_it_says_the_servers_own_port_is_named(seconds: int) -> None:
    """The start-up probe asks the recorder beside a server that has golden rows to answer, and is more patient."""
    asked = pod(timeout=1 + server.GOLDEN, port=presets.GOLDEN_PORT)
    asked["metadata"]["annotations"] = {recorder.ASKED: "true"}
    asked["spec"]["containers"][0]["ports"] = [{"name": server.OWN, "containerPort": 8080}]
    found = serverlog.probe(asked, "server")
    assert found is not None
    assert (found.port, found.tries) == (8080, 1)
    told = serverends.told(asked, "server", lived(seconds, 143))
    assert told is not None
    assert told.reason == "NotAnswering"
    assert told.message.startswith("nothing answered GET :8080/v2/health/ready with 200 for 76 s")


def test_b18_what_the_server_answers_now_is_said() -> None:
    told = serverends.told(pod(), "server", lived(45), "is answered 404 'Not Found'")
    assert told is not None
    assert told.message.startswith("GET :8080/v2/health/ready is answered 404 'Not Found' instead of 200 for 40 s")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (lived(45, reason="OOMKilled"), "OutOfMemory"),
        (lived(2), "ServerFailed"),
        (lived(45, code=1), "ServerFailed"),
        (lived(1900), "ServerFailed"),
        (lived(45) | {"started": True}, "ServerFailed"),
        (ended(code=137), "ServerFailed"),
    ],
)
def test_b18_other_ends_are_not_the_probes(status: dict[str, Any], reason: str) -> None:
    told = serverends.told(pod(), "server", status)
    assert told is not None
    assert told.reason == reason


def test_a_server_that_has_not_ended() -> None:
    running = {"name": "server", "state": {"running": {}}, "lastState": {}}
    assert serverends.told(pod(), "server", running) is None
    assert serverlog.last_words(running) == ""


def test_a_probe_of_a_port_that_no_container_has_is_none_that_can_be_told_of() -> None:
    server = {"name": "server", "startupProbe": {"httpGet": {"port": "added", "path": "/"}}}
    assert serverlog.probe({"spec": {"containers": [server]}}, "server") is None


def test_what_a_runtime_says_is_spelt_out() -> None:
    waits = {"waiting": {"reason": "CreateContainerError", "message": "no \x1b[2Jsuch \u202eentry"}}
    status = {"phase": "Pending", "containerStatuses": [{"name": "server", "image": "i", "state": waits}]}
    meta = {"name": "p", "namespace": "team"}
    said = failures.waiting({"metadata": meta, "spec": {"containers": [], "nodeName": "n"}, "status": status}, 0.0)
    assert said is not None
    assert r"no \x1b[2Jsuch \u202eentry" in said.message
