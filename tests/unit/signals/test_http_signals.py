"""Scrapes, warm-ups and queries against a real HTTP server, also one that misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fairlead.manifests.alerts import fingerprint
from fairlead.plan.requests import (
    AskReady,
    Counters,
    Failed,
    MetricNames,
    PromQuery,
    ReadRules,
    ReadySaid,
    RulesSeen,
    ScrapePod,
    Vector,
    Warm,
    WarmUp,
)
from fairlead.signals import pods, prometheus
from fairlead.signals.aside import Aside
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside as Way

NAMES = MetricNames("ok_total + failed_total", "failed_total")
pytestmark = pytest.mark.usefixtures("unhurried")


async def ask(session: aiohttp.ClientSession, request: ScrapePod | PromQuery | WarmUp | ReadRules | AskReady):
    """The answer, as the operator gives it to a plan."""
    fetch = {
        ScrapePod: pods.scrape, PromQuery: prometheus.query, WarmUp: pods.warm_up, ReadRules: prometheus.rules,
        AskReady: pods.ask_ready,
    }[type(request)]  # fmt: skip
    try:
        return await fetch(Way(session, Aside()), request)
    except SignalError as error:
        return Failed(error.reason, error.message)


class Outside:
    """A server whose next answers a test sets."""

    def __init__(self) -> None:
        self.body: str | bytes = ""
        self.status = 200
        self.delay = 0.0
        self.seen: list[tuple[str, str, str]] = []
        self.peers: set[object] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        self.seen.append((request.method, request.path, await request.text()))
        await asyncio.sleep(self.delay)
        body = self.body if isinstance(self.body, bytes) else self.body.encode()
        return web.Response(body=body, status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def outside() -> AsyncIterator[tuple[Outside, str, aiohttp.ClientSession]]:
    state = Outside()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", state.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield state, str(server.make_url("")).rstrip("/"), session


async def test_a_pods_counters(outside):
    state, url, session = outside
    state.body = "# TYPE ok_total counter\nok_total 90\nfailed_total 10\n"
    assert await ask(session, ScrapePod(url + "/metrics", NAMES)) == Counters(100.0, 10.0)
    assert state.seen == [("GET", "/metrics", "")]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [("<html>", 200, "NotMetrics"), ("ok_total NaN", 200, "UnusableValue"), ("", 404, "HttpStatus"),
     ("", 302, "HttpStatus"), (b"\xff\xfe\x00", 200, "NotMetrics")],
)  # fmt: skip
async def test_a_page_that_gives_nothing_says_why(outside, body, status, reason):
    state, url, session = outside
    state.body, state.status = body, status
    answer = await ask(session, ScrapePod(url, NAMES))
    assert isinstance(answer, Failed)
    assert answer.reason == reason


async def test_a_pod_that_hangs_costs_less_than_a_window(outside, monkeypatch):
    state, url, session = outside
    monkeypatch.setattr(pods, "SCRAPE_SECONDS", 0.1)
    state.delay = 1.0
    answer = await ask(session, ScrapePod(url, NAMES))
    assert isinstance(answer, Failed)
    assert answer.reason == "Timeout"


async def test_a_pod_that_is_not_there(outside):
    _, _, session = outside
    answer = await ask(session, ScrapePod("http://127.0.0.1:1/metrics", NAMES))
    assert isinstance(answer, Failed)
    assert answer.reason == "Unreachable"
    answer = await ask(session, ScrapePod("no address", NAMES))
    assert isinstance(answer, Failed)


async def test_a_page_without_end_is_cut_off(outside, monkeypatch):
    state, url, session = outside
    monkeypatch.setattr(pods, "SCRAPE_LIMIT", 1000)
    state.body = "# x\n" * 1000
    answer = await ask(session, ScrapePod(url, NAMES))
    assert isinstance(answer, Failed)
    assert answer.reason == "TooLarge"


async def test_warm_up_sends_the_request_as_often_as_asked(outside):
    state, url, session = outside
    state.body = '{"outputs": []}'
    assert await ask(session, WarmUp(url + "/v2/models/m/infer", '{"inputs": []}', times=3)) == Warm()
    assert state.seen == [("POST", "/v2/models/m/infer", '{"inputs": []}')] * 3


async def test_without_a_request_readiness_is_asked_once(outside):
    state, url, session = outside
    assert await ask(session, WarmUp(url + "/v2/health/ready", "")) == Warm()
    assert state.seen == [("GET", "/v2/health/ready", "")]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [("{}", 400, "WarmUpRefused"), ("{}", 503, "NotReady"), ("{}", 429, "NotReady"), ("", 404, "NotReady")],
)
async def test_a_server_that_does_not_answer_is_not_warm(outside, body, status, reason):
    state, url, session = outside
    state.status, state.body = status, "no such model"
    answer = await ask(session, WarmUp(url, body))
    assert isinstance(answer, Failed)
    assert answer.reason == reason
    assert "no such model" in answer.message


@pytest.mark.parametrize(("status", "warm"), [(204, True), (422, True), (429, False), (500, False), (503, False)])
async def test_what_a_server_thinks_of_its_own_warm_up_is_its_affair_as_long_as_it_answers(outside, status, warm):
    state, url, session = outside
    state.status, state.body = status, "no such field"
    answer = await ask(session, WarmUp(f"{url}/predict", "{}", own=True))
    assert (answer == Warm()) is warm
    assert warm or (isinstance(answer, Failed) and answer.reason == "NotReady")


@pytest.mark.parametrize("status", [200, 302, 404, 503])
async def test_b18_a_server_that_has_not_started_is_asked_what_it_answers(outside, status):
    state, url, session = outside
    state.status, state.body = status, "no\nsuch  path" + "." * 900
    answer = await ask(session, AskReady(url + "/v2/health/ready"))
    assert isinstance(answer, ReadySaid)
    assert answer.status == status
    assert answer.text == "no such path" + "." * 688
    assert state.seen == [("GET", "/v2/health/ready", "")]


async def test_a_server_that_takes_its_time_or_is_not_there_holds_nobody_up(outside, monkeypatch):
    state, url, session = outside
    assert (await ask(session, AskReady("http://127.0.0.1:1/"))).reason == "Unreachable"
    monkeypatch.setattr(pods, "READY_SECONDS", 0.1)
    state.delay = 1.0
    assert (await ask(session, AskReady(url))).reason == "Timeout"


def vector(*series: str) -> str:
    return '{"status":"success","data":{"resultType":"vector","result":[' + ",".join(series) + "]}}"


async def test_a_vector_keyed_by_labels(outside):
    state, url, session = outside
    state.body = vector(
        '{"metric":{"b":"2","a":"1"},"value":[1,"5"]}', '{"metric":{"a":"1","b":"3"},"value":[1,"7"]}',
        '{"metric":{"a":"9"},"value":[1,"NaN"]}', '{"metric":{"a":"8"},"value":[1,"-1"]}',
        '{"metric":{"a":"7"},"value":[1,"+Inf"]}', '{"metric":{"a":"6"},"value":[1,"1e300"]}',
    )  # fmt: skip
    answer = await ask(session, PromQuery(url + "/", "right_total"))
    assert isinstance(answer, Vector)
    assert answer.unusable == 4
    assert sorted(value for _, value in answer.series) == [5.0, 7.0]
    assert len({key for key, _ in answer.series}) == 2
    state.body = vector('{"metric":{"a":"1","b":"2"},"value":[1,"6"]}')
    again = await ask(session, PromQuery(url, "right_total"))
    assert isinstance(again, Vector)
    assert again.series[0][0] in dict(answer.series)
    assert state.seen[0] == ("POST", "/api/v1/query", "query=right_total")


async def test_each_query_has_a_connection_of_its_own(outside):
    """A kept one would outlive the Prometheus that it was made to, and ask whoever has its address now."""
    state, url, session = outside
    state.body = vector()
    for _ in range(3):
        await ask(session, PromQuery(url, "x"))
    assert len(state.peers) == 3


async def test_an_empty_vector_is_an_answer(outside):
    state, url, session = outside
    state.body = vector()
    assert await ask(session, PromQuery(url, "absent")) == Vector(())


@pytest.mark.parametrize(
    ("body", "status", "reason", "words"),
    [
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', 200, "BadQuery", "without a [range]"),
        ('{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}', 200, "BadQuery", "instant vector"),
        ('{"status":"error","errorType":"bad_data","error":"parse error"}', 400, "BadQuery", "parse error"),
        ('{"status":"error","errorType":"timeout","error":"slow"}', 503, "HttpStatus", "slow"),
        ("<html>", 502, "NotPrometheus", "prometheus.url"), ("[1]", 200, "NotPrometheus", "prometheus.url"),
        ("[" * 100_000, 200, "NotPrometheus", "prometheus.url"),
        ('{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', 200, "NotPrometheus", "malf"),
        ('{"status":"success","data":{"resultType":"vector","result":[7]}}', 200, "NotPrometheus", "malformed"),
    ],
)  # fmt: skip
async def test_what_is_no_vector_says_what_to_do(outside, body, status, reason, words):
    state, url, session = outside
    state.body, state.status = body, status
    answer = await ask(session, PromQuery(url, "x"))
    assert isinstance(answer, Failed)
    assert answer.reason == reason
    assert words in answer.message


async def test_a_prometheus_that_is_gone_or_hangs(outside, monkeypatch):
    state, url, session = outside
    gone = await ask(session, PromQuery("http://127.0.0.1:1", "x"))
    assert isinstance(gone, Failed)
    assert gone.reason == "Unreachable"
    monkeypatch.setattr(prometheus, "QUERY_SECONDS", 0.1)
    state.delay = 1.0
    hangs = await ask(session, PromQuery(url, "x"))
    assert isinstance(hangs, Failed)
    assert hangs.reason == "Timeout"


async def test_b02_scrapes_come_to_all_processes_that_answer_on_a_port():
    """Each listens on the same port, as workers of a server do; a connection that is kept would stay with one."""
    said: set[float] = set()
    runners = []
    port = 0
    for number in range(3):

        async def page(_: web.Request, number: int = number) -> web.Response:
            return web.Response(text=f"ok_total {number}\nfailed_total 0\n")

        app = web.Application()
        app.router.add_get("/metrics", page)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_port=True)
        await site.start()
        port = runner.addresses[0][1]
        runners.append(runner)
    async with aiohttp.ClientSession() as session:
        for _ in range(400):
            found = await ask(session, ScrapePod(f"http://127.0.0.1:{port}/metrics", NAMES))
            assert isinstance(found, Counters)
            said.add(found.requests)
            if len(said) == 3:
                break
    for runner in runners:
        await runner.cleanup()
    assert said == {0.0, 1.0, 2.0}


async def test_the_alert_rules_of_some_groups(outside):
    state, url, session = outside
    rule = {"name": "A", "labels": {"team": "x"}, "annotations": {"summary": "s"}, "query": "up", "health": "ok"}
    failing = {"name": "B", "health": "err", "lastError": "many-to-many"}
    groups = [{"name": "mine", "rules": [rule, failing]}, {"name": "another", "rules": [rule]}]
    state.body = json.dumps({"status": "success", "data": {"groups": groups}})
    assert await ask(session, ReadRules(url, ("mine",))) == RulesSeen((
        ("mine", fingerprint("A", {"team": "x"}, {"summary": "s"}), ""),
        ("mine", fingerprint("B", {}, {}), "many-to-many"),
    ))  # fmt: skip
    assert state.seen == [("GET", "/api/v1/rules", "")]


@pytest.mark.parametrize("groups", ["[1]", '[{"name": "mine"}]', '[{"name": "mine", "rules": [{}]}]', '{"a": 1}'])
async def test_a_malformed_list_of_rules_is_named(outside, groups: str):
    state, url, session = outside
    state.body = f'{{"status": "success", "data": {{"groups": {groups}}}}}'
    found = await ask(session, ReadRules(url, ("mine",)))
    assert isinstance(found, Failed)
    assert found.reason == "NotPrometheus"
