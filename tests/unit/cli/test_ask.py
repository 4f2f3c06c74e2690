"""`fairlead ask`: to the address, else through the API server; rows checked, answers and errors shown."""

from __future__ import annotations

import asyncio
import json
import shlex
import threading
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web
from tests.unit.cli.test_commands import Memory
from tests.unit.cli.test_request import SAMPLE

from fairlead.cli import session
from fairlead.cli.main import main
from fairlead.cluster import errors
from fairlead.cluster.port import Reply

ROW = '{"carrier": "AA", "hour": 8, "late": 2, "rain": false}'
ANSWER = {"model_name": "delay", "outputs": [{"name": "predict", "shape": [1, 1], "datatype": "FP64", "data": [12.5]}]}


class Backend(Memory):
    """With a Service behind the API server."""

    reply: Reply | errors.ApiError = Reply(200, {}, json.dumps(ANSWER).encode())

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[tuple[str, str, str, dict, dict]] = []

    async def post(self, namespace, service, path, body, headers):
        self.posted.append((namespace, service, path, json.loads(body), headers))
        if isinstance(self.reply, errors.ApiError):
            raise self.reply
        return self.reply


@pytest.fixture
def memory(monkeypatch) -> Backend:
    found = Backend()

    async def connect(_kubeconfig):
        return found

    monkeypatch.setattr(session, "_kube", connect)
    return found


@pytest.fixture
def fairlead(memory) -> Callable[..., int]:  # noqa: ARG001 - it must be in place first
    return lambda *words: main([*words, "-n", "airline"])


@pytest.fixture
def gateway() -> Iterator[tuple[str, dict]]:
    """Its address, and what it answers with."""
    state: dict = {"status": 200, "headers": {"x-fairlead-model": "delay-2"}, "body": ANSWER, "got": []}

    async def answer(asked: web.Request) -> web.Response:
        state["got"].append((asked.path, await asked.json(), dict(asked.headers)))
        return web.json_response(state["body"], status=state["status"], headers=state["headers"])

    loop, up, port = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        up.set()
        return runner

    def work() -> None:
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert up.wait(60)
    yield f"http://127.0.0.1:{port[0]}/airline/delay", state
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


def put(memory: Memory, address: str = "", sample: str = json.dumps(SAMPLE), **status: object) -> None:
    since = "2025-12-31T23:59:00Z"
    memory.put("Deployment", "delay",
               spec={"model": {"name": "delay"}, "route": {"gateway": {"name": "public"}}},
               status={"address": address, "live": {"version": "delay-2", "since": since}, **status})  # fmt: skip
    memory.put("ModelVersion", "delay-2",
               spec={"model": "delay", "artifact": {"uri": "s3://bkt/m", "sha256": "ab" * 32}},
               status={"evidence": {"digest": "ab", "sample": sample}})  # fmt: skip


def test_b17_a_row_is_asked_about_at_the_address(fairlead, memory, gateway, capsys):
    address, state = gateway
    put(memory, address)
    assert fairlead("ask", "deployment/delay", "--row", ROW) == 0
    ((path, body, _),) = state["got"]
    assert path == "/airline/delay/v2/models/delay/infer"
    assert [t["data"] for t in body["inputs"]] == [["AA"], [8], [2], [False]]
    printed = capsys.readouterr().out
    assert "answer of delay-2" in printed
    assert "predict  12.5" in printed
    assert not memory.posted


def test_without_rows_the_samples_request_is_sent(fairlead, memory, gateway):
    put(memory, gateway[0])
    assert fairlead("ask", "deployment/delay") == 0
    assert gateway[1]["got"][0][1] == SAMPLE


def test_a_version_is_asked_by_its_header(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    assert fairlead("ask", "deployment/delay", "--version", "delay-2") == 0
    assert gateway[1]["got"][0][2]["x-fairlead-version"] == "delay-2"
    assert fairlead("ask", "deployment/delay", "--version", "delay-9") == session.NOT_FOUND
    assert "there are: delay-2" in capsys.readouterr().err
    gateway[1]["headers"] = {"x-fairlead-model": "delay-1"}
    assert fairlead("ask", "deployment/delay", "--version", "delay-2") == 0
    assert "delay-2 was asked for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "it is not known yet"),
        ("http://127.0.0.1:9/airline/delay", "it can't be reached from here"),
        ("http://nowhere.invalid/x", "it can't be reached from here"),
        ("grpc://1.2.3.4:80", "it is for gRPC"),
    ],
)
def test_where_the_address_is_out_of_reach_it_goes_through_the_api_server(
    fairlead, memory, capsys, address, why
):  # fmt: skip
    put(memory, address)
    assert fairlead("ask", "deployment/delay", "--row", ROW) == 0
    ((namespace, service, path, _, _),) = memory.posted
    assert (namespace, path) == ("airline", "/v2/models/delay/infer")
    assert service.startswith("delay-")
    assert service.endswith(":8080")
    printed = capsys.readouterr().out
    assert why in printed
    assert "through" not in printed.splitlines()[0] or "API server" in printed


def test_a_gateway_that_knows_no_version_is_passed_by_and_said(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    gateway[1].update(status=404, headers={}, body={})
    assert fairlead("ask", "deployment/delay", "--row", ROW) == 0
    assert "it answers 404, and that is no version's answer" in capsys.readouterr().out
    assert len(memory.posted) == 1


def test_a_missing_right_is_named(fairlead, memory, capsys):
    put(memory)
    memory.reply = errors.Forbidden("alice cannot create resource services/proxy", 403)
    assert fairlead("ask", "deployment/delay", "--row", ROW) == session.DENIED
    assert "Ask for the right to create services/proxy in namespace airline" in capsys.readouterr().err
    memory.reply = errors.Unavailable("no endpoints available", 503)
    assert fairlead("ask", "deployment/delay", "--row", ROW) == session.UNREACHABLE


def test_b17_rows_that_do_not_fit_are_not_sent(fairlead, memory, capsys):
    put(memory)
    assert fairlead("ask", "deployment/delay", "--row", '{"carier": "AA", "hour": 8, "late": 2, "rain": false}') == 2
    told = capsys.readouterr().err
    assert "there is no column 'carier'; did you mean 'carrier'?" in told
    assert "column 'carrier' is missing" in told
    assert not memory.posted
    for wrong in ("[1]", "{", "{}"):
        assert fairlead("ask", "deployment/delay", "--row", wrong) == session.USAGE


def test_b17_an_error_is_shown_with_its_body_and_what_is_different(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    gateway[1].update(status=400, body={"error": "feature names should match"})
    raw = {"inputs": [{**SAMPLE["inputs"][1], "datatype": "FP64"}, {**SAMPLE["inputs"][2], "name": "wind"}]}
    assert fairlead("ask", "deployment/delay", "--raw", json.dumps(raw)) == session.FAILED
    printed = capsys.readouterr().out
    assert "Failed (400)" in printed
    assert "feature names should match" in printed
    assert "column 'wind' was sent, and the evaluation's rows have none" in printed
    assert "column 'hour' was sent as FP64; the evaluation sent INT64" in printed
    assert "column 'carrier' was not sent" in printed


def test_files_of_rows(fairlead, memory, tmp_path, capsys):
    put(memory)
    (tmp_path / "rows.csv").write_text("carrier,hour,late,rain\nAA,8,,true\nUA,9,1.5,false\n")
    (tmp_path / "rows.jsonl").write_text(f"{ROW}\n\n{ROW}\n")
    two = ANSWER["outputs"][0] | {"shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}
    memory.reply = Reply(200, {}, json.dumps({"outputs": [two]}).encode())
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "rows.csv")) == 0
    assert [t["data"] for t in memory.posted[0][3]["inputs"]] == [["AA", "UA"], [8, 9], [None, 1.5], [True, False]]
    assert "predict  [0.1, 0.9]\npredict  [0.8, 0.2]" in capsys.readouterr().out
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "rows.jsonl")) == 0
    assert memory.posted[1][3]["inputs"][0]["shape"] == [2, 1]
    (tmp_path / "rows.csv").write_text("carrier,hour\nAA,8,1\n")
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "rows.csv")) == session.USAGE
    assert "line 2: not as many fields" in capsys.readouterr().err
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "none.csv")) == session.USAGE


def test_a_server_of_its_own_protocol_is_asked_by_raw_bodies(fairlead, memory, gateway, capsys):
    put(memory, gateway[0], sample="")
    server = {"runtime": "custom", "image": "registry.example/scorer:1", "protocol": "http", "ready": "/healthz"}
    memory.objects["ModelVersion", "delay-2"]["spec"]["server"] = server
    assert fairlead("ask", "deployment/delay") == session.USAGE
    assert "What this server's requests look like, spec.server does not say" in capsys.readouterr().err
    assert fairlead("ask", "deployment/delay", "--row", ROW) == session.USAGE
    assert "speaks http, which has no rows" in capsys.readouterr().err
    gateway[1]["body"] = {"score": 0.5}
    assert fairlead("ask", "deployment/delay", "--path", "/predict", "--raw", '{"x": 1}') == 0
    assert '{"score": 0.5}' in capsys.readouterr().out
    assert gateway[1]["got"][0][:2] == ("/airline/delay/predict", {"x": 1})
    server["warmUp"] = {"path": "/predict", "body": '{"x": 2}'}
    assert fairlead("ask", "deployment/delay") == 0
    assert gateway[1]["got"][1][:2] == ("/airline/delay/predict", {"x": 2})
    assert fairlead("get", "deployment", "delay") == 0
    assert """--path /predict --raw '{"x": 2}'""" in capsys.readouterr().out


def test_what_is_printed_can_be_run_though_the_evaluation_has_kept_no_request(
    fairlead, memory, gateway, tmp_path, capsys, monkeypatch
):
    """A request of more than 1,500 characters is not kept: the command had no row, and refused to be run as it was."""
    monkeypatch.chdir(tmp_path)
    for width in (3, 30):
        put(memory, gateway[0], sample="")
        features = [f"f{n}" for n in range(width)]
        memory.objects["ModelVersion", "delay-2"]["spec"]["evaluation"] = {
            "features": features, "target": "y", "metrics": ["mae"], "gates": [{"metric": "mae", "max": "20"}],
            "data": {"artifact": {"uri": "s3://bkt/test/", "sha256": "b" * 64}},
        }  # fmt: skip
        (tmp_path / "rows.csv").write_text(",".join(features) + "\n" + ",".join("5" * width) + "\n")
        assert fairlead("get", "deployment", "delay") == 0
        shown = capsys.readouterr().out
        (printed,) = [line for line in shown.splitlines() if line.startswith("kubectl fairlead ask")]
        assert "it keeps one of up to 1,500 characters" in " ".join(shown.split())
        assert ("rows.csv is a file of yours" in shown) == (width == 30)
        words = shlex.split(printed)[2:]
        assert words[2:4] == ["-n", "airline"]
        assert fairlead(*words) == 0
        assert [tensor["name"] for tensor in gateway[1]["got"][-1][1]["inputs"]] == features


def test_a_raw_body_is_of_the_type_that_is_said(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    assert fairlead("ask", "deployment/delay", "--raw", "{}") == 0
    assert fairlead("ask", "deployment/delay", "--raw", "{}", "--content-type", "text/csv; header=present") == 0
    assert [got[2]["Content-Type"] for got in gateway[1]["got"]] == ["application/json", "text/csv; header=present"]
    capsys.readouterr()
    assert fairlead("ask", "deployment/delay", "--raw", "a,b", "--content-type", "text/csv", "--show") == 0
    assert "-H 'Content-Type: text/csv'" in capsys.readouterr().out
    for words in (["--row", ROW, "--content-type", "text/csv"], ["--content-type", "text/csv"],
                  ["--raw", "x", "--content-type", "a\nb: c"], ["--raw", "x", "--content-type", ""]):  # fmt: skip
        assert fairlead("ask", "deployment/delay", *words) == session.USAGE
        assert "--content-type says in one line what a body of --raw is" in capsys.readouterr().err


def test_a_version_is_asked_as_it_is_served_whatever_has_its_name(fairlead, memory, gateway, capsys):
    spec = {"model": "delay", "artifact": {"uri": "s3://bkt/m", "sha256": "ab" * 32}}
    record = json.dumps({"spec": spec, "sample": json.dumps(SAMPLE)})
    put(memory, gateway[0], sample="", versions=[{"name": "delay-2", "uid": "u", "evidence": "ab", "record": record}])
    for gone in (False, True):
        if gone:
            del memory.objects["ModelVersion", "delay-2"]
        assert fairlead("ask", "deployment/delay") == 0
        assert gateway[1]["got"].pop()[1] == SAMPLE
        assert fairlead("get", "deployment", "delay") == 0
        assert "ask it" in capsys.readouterr().out


def test_without_an_evaluation_the_values_say_the_types(fairlead, memory, capsys):
    put(memory, sample="")
    assert fairlead("ask", "deployment/delay") == session.USAGE
    assert "has no evaluation that says its columns" in capsys.readouterr().err
    assert fairlead("ask", "deployment/delay", "--row", '{"x": 1.5, "c": "a"}') == 0
    assert "x FP64, c BYTES" in capsys.readouterr().err
    assert [t["datatype"] for t in memory.posted[0][3]["inputs"]] == ["FP64", "BYTES"]


def test_many_answers_are_counted_by_version(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    assert fairlead("ask", "deployment/delay", "--times", "5", "-o", "json") == 0
    (counted,) = json.loads(capsys.readouterr().out)
    assert (counted["version"], counted["answers"], counted["failed"]) == ("delay-2", 5, 0)
    assert len(gateway[1]["got"]) == 5
    put(memory, "http://127.0.0.1:9/airline/delay")
    memory.reply = Reply(500, {}, b"no")
    assert fairlead("ask", "deployment/delay", "--times", "3") == session.FAILED
    assert len(memory.posted) == 3
    printed = capsys.readouterr().out
    assert "delay-2  3        3" in printed
    assert "it can't be reached from here" in printed


def test_showing_sends_nothing(fairlead, memory, capsys):
    put(memory, "http://1.2.3.4/airline/delay")
    assert fairlead("ask", "deployment/delay", "--row", ROW, "--show") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("curl -sS http://1.2.3.4/airline/delay/v2/models/delay/infer ")
    assert fairlead("ask", "deployment/delay", "--show", "python") == 0
    compile(capsys.readouterr().out, "shown", "exec")
    assert not memory.posted


def test_json_for_programs(fairlead, memory, capsys):
    put(memory)
    assert fairlead("ask", "deployment/delay", "--row", ROW, "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["status"], found["answer"]) == ("delay-2", 200, ANSWER)


def test_nothing_live_is_said(fairlead, memory, capsys):
    memory.put("Deployment", "delay", spec={"model": {"name": "delay"}, "route": {"gateway": {"name": "public"}}},
               status={"message": "waiting for an approved version"})  # fmt: skip
    assert fairlead("ask", "deployment/delay") == session.NOT_FOUND
    assert "waiting for an approved version" in capsys.readouterr().err
    assert fairlead("ask", "delay") == session.USAGE


def test_b17_get_deployment_prints_a_request_that_works(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    assert fairlead("get", "deployment", "delay") == 0
    printed = capsys.readouterr().out
    assert "ask it" in printed
    body = printed.split("<<'EOF'\n")[1].split("\nEOF")[0]
    assert json.loads(body) == SAMPLE
    assert f"curl -sS {gateway[0]}/v2/models/delay/infer" in printed


def test_a_redirection_is_not_followed(fairlead, memory, gateway, capsys):
    """Rows go to the address alone. Of the Gateway it is no version's answer; of a version it is one that fails."""
    put(memory, gateway[0])
    elsewhere = f"{gateway[0]}/elsewhere"
    gateway[1].update(status=307, headers={"Location": elsewhere})
    assert fairlead("ask", "deployment/delay") == 0
    assert f"it answers 307 (go to {elsewhere}), and that is no version's answer" in capsys.readouterr().out
    gateway[1]["headers"]["x-fairlead-model"] = "delay-2"
    assert fairlead("ask", "deployment/delay") == session.FAILED
    printed = capsys.readouterr().out
    assert "Failed (307)" in printed
    assert f"(go to {elsewhere})" in printed
    assert not [path for path, _, _ in gateway[1]["got"] if "elsewhere" in path]


def test_an_answer_without_end_is_refused(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    gateway[1]["body"] = "x" * (5 << 20)
    assert fairlead("ask", "deployment/delay") == session.FAILED
    assert "more than 4 MiB" in capsys.readouterr().err
    assert not memory.posted


def test_an_answers_long_name_is_not_repeated_for_each_row(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    gateway[1]["body"] = {"outputs": [{"name": "n" * 10_000, "shape": [50, 1], "data": [1] * 50}]}
    assert fairlead("ask", "deployment/delay") == 0
    assert len(capsys.readouterr().out) < 10_000


@pytest.mark.parametrize("path", ["predict", "/../other/v2", "/%2e%2e/other", "/a/../../b"])
def test_no_path_leads_to_another_deployment(fairlead, memory, gateway, capsys, path):
    put(memory, gateway[0])
    assert fairlead("ask", "deployment/delay", "--path", path) == session.USAGE
    assert "the path" in capsys.readouterr().err
    server = {"runtime": "custom", "image": "registry.example/s:1", "protocol": "http", "ready": "/",
              "warmUp": {"path": "/../../../api/v1/namespaces", "body": "{}"}}  # fmt: skip
    memory.objects["ModelVersion", "delay-2"]["spec"]["server"] = server
    assert fairlead("ask", "deployment/delay") == session.USAGE
    assert not gateway[1]["got"]
    assert not memory.posted


def test_a_path_is_printed_as_it_is_sent(fairlead, memory, gateway, capsys):
    put(memory, gateway[0])
    words = ("ask", "deployment/delay", "--path", "/a b/{x}[1]#é", "--raw", "{}")
    assert fairlead(*words) == 0
    assert fairlead(*words, "--show") == 0
    assert f"curl -sS {gateway[0]}/a%20b/%7Bx%7D%5B1%5D%23%C3%A9 " in capsys.readouterr().out
    assert gateway[1]["got"][0][0] == "/airline/delay/a b/{x}[1]#é"


@pytest.mark.parametrize("times", ["0", "-1", "x", "100001"])
def test_times_are_bounded(fairlead, memory, times):
    put(memory)
    with pytest.raises(SystemExit):
        fairlead("ask", "deployment/delay", "--times", times)
    assert not memory.posted


def test_a_body_that_is_no_text_is_told(fairlead, memory, capsys):
    put(memory)
    assert fairlead("ask", "deployment/delay", "--raw", "\udcff") == session.USAGE
    assert "the body is no UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('carrier,hour,late,rain\n"A\nB",8,,true\n', ["A\nB", 8, None, True]),
        ("\ufeffcarrier,hour,late,rain\r\nA\u2028B,8,1e3,false\r\n", ["A\u2028B", 8, 1000.0, False]),
    ],
)
def test_a_csv_is_read_as_its_writers_mean_it(fairlead, memory, tmp_path, text, values):
    put(memory)
    (tmp_path / "rows.csv").write_bytes(text.encode())
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "rows.csv")) == 0
    assert [t["data"][0] for t in memory.posted[0][3]["inputs"]] == values


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hour,hour\n1,2\n", "its header has 'hour' twice"),
        (f"hour\n{'x' * 200_000}\n", "field larger than field limit"),
        ("carrier,hour,late,rain\nAA,1_0,1,true\n", "column 'hour' is a whole number (INT64): not \"1_0\""),
    ],
)
def test_a_csv_that_can_not_be_meant_is_told(fairlead, memory, tmp_path, capsys, text, told):
    put(memory)
    (tmp_path / "rows.csv").write_text(text)
    assert fairlead("ask", "deployment/delay", "--rows", str(tmp_path / "rows.csv")) == session.USAGE
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[" * 60 + b'"y",' * 1000 + b"1" + b"]" * 60, '"y"'), (b"[" * 100_000, "[[["), (b"", "(nothing)"),
        (b"\xff\x1b[2J", "\\x1b[2J"), (b'{"outputs": [{"data": [], "shape": [1000000000000]}]}', "answer of delay-2"),
        (b'{"outputs": [{"data": "x", "shape": [0]}]}', 'output  "x"'),
    ],
)  # fmt: skip
def test_whatever_is_answered_is_shown(fairlead, memory, capsys, body, told):
    put(memory)
    memory.reply = Reply(200, {}, body)
    assert fairlead("ask", "deployment/delay") == 0
    printed = capsys.readouterr().out
    assert told in printed
    assert "\x1b" not in printed
