"""Logs, health, metrics, Kopf's settings, the command line."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from kopf._core.reactor import orchestration
from tests.sim.toys import CONFIG_MAP, SHELF, SPECS, TOY

from fairlead.cli.main import main, parser
from fairlead.engine import app, logs, registry
from fairlead.engine.health import Health
from fairlead.engine.kernel import CHILDREN, selectors_of
from fairlead.engine.metrics import Metrics, families
from fairlead.engine.source import WATCHER, KopfSource, settings_for, split
from fairlead.plan.core import DEPLOYMENT, JOB, LOCAL_QUEUE, POD, WORKLOAD, Gauge


def test_a_log_line_is_json_with_the_object() -> None:
    record = logging.LogRecord("fairlead", logging.INFO, "f", 1, "looked %s", ("twice",), None)
    record.__dict__.update(logs.fields(kind="Toy", namespace="play", name="bear", result="ok"))
    line = json.loads(logs.JsonFormatter().format(record))
    assert line["message"] == "looked twice"
    assert (line["kind"], line["namespace"], line["name"], line["result"]) == ("Toy", "play", "bear", "ok")
    assert line["time"].endswith("+00:00")


def test_a_log_line_has_the_trace() -> None:
    try:
        raise KeyError("x")
    except KeyError:
        import sys

        record = logging.LogRecord("fairlead", logging.ERROR, "f", 1, "no", (), sys.exc_info())
    assert "KeyError" in json.loads(logs.JsonFormatter().format(record))["trace"]


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_health_says_what_is_wrong() -> None:
    problems: dict[str, str | None] = {"ready": "listing", "alive": None}
    metrics = Metrics()
    health = Health(metrics.registry, lambda: problems["ready"], lambda: problems["alive"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await health.start("127.0.0.1", port)
    try:
        assert await fetch(port, "/readyz") == (503, "listing\n")
        assert await fetch(port, "/healthz") == (200, "ok\n")
        problems.update(ready=None, alive="no watch")
        assert await fetch(port, "/readyz") == (200, "ok\n")
        assert await fetch(port, "/healthz") == (503, "no watch\n")
        problems.update(alive=None)
        health.lag = 9.0
        assert (await fetch(port, "/healthz"))[0] == 503
        metrics.api("get", "jobs.batch", 200, 0.01)
        status, text = await fetch(port, "/metrics")
        assert status == 200
        assert 'fairlead_api_requests_total{code="200",resource="jobs.batch",verb="get"} 1.0' in text
        assert "_created" not in text
    finally:
        await health.stop()


def test_gauges_of_a_name_have_the_same_labels() -> None:
    samples = [Gauge("g", "G.", {"a": "1"}, 1), Gauge("g", "G.", {"a": "2"}, 2), Gauge("g", "G.", {"b": "1"}, 3)]
    (family,) = families(samples)
    assert [(s.labels, s.value) for s in family.samples] == [({"a": "1"}, 1), ({"a": "2"}, 2)]


def test_own_kinds_are_watched_whole_and_all_others_only_where_we_made_them() -> None:
    assert selectors_of(SPECS) == {TOY: "", SHELF: "", JOB: CHILDREN, CONFIG_MAP: CHILDREN}


def test_what_is_other_peoples_is_watched_whole_where_a_kind_goes_by_it() -> None:
    watched = selectors_of(registry.SPECS)
    assert watched[LOCAL_QUEUE] == ""  # nobody who makes a queue labels it as ours
    assert {kind for kind, selector in watched.items() if not selector} == {
        LOCAL_QUEUE, *(spec.kind for spec in registry.SPECS)
    }  # fmt: skip


def test_kopf_selects_on_the_server_and_writes_nothing() -> None:
    settings = settings_for({WORKLOAD: CHILDREN, DEPLOYMENT: "", POD: CHILDREN})
    assert settings.posting.enabled is False
    assert settings.scanning.disabled is True
    assert settings.watching.chunk_size == 500
    selectors = {
        (key.group, key.version, key.any_name): value for key, value in settings.watching.label_selectors.items()
    }
    assert selectors == {("apps", "v1", "deployments"): CHILDREN, ("", "v1", "pods"): CHILDREN}
    pauses = iter(settings.networking.error_backoffs)
    assert max(next(pauses) for _ in range(50)) <= 30.0


def test_groups_and_versions() -> None:
    assert (split(POD), split(WORKLOAD)) == (("", "v1"), ("apps", "v1"))


async def test_a_watch_that_ends_by_itself_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(**_: Any) -> None:
        raise kopf.PermanentError("no such kind")

    monkeypatch.setattr(kopf, "operator", broken)
    with pytest.raises(RuntimeError, match="no such kind"):
        await asyncio.wait_for(KopfSource().run({JOB: ""}, lambda *_: None), 60)


def test_the_command_line_knows_its_commands() -> None:
    args = parser("fairlead").parse_args(["operator", "--config", "c.yaml", "--lease-duration", "10"])
    assert (args.config, args.lease_duration) == ("c.yaml", 10.0)
    assert parser("fairlead").parse_args(["worker", "fetch"]).task == "fetch"
    with pytest.raises(SystemExit):
        parser("fairlead").parse_args(["nonsense"])


@pytest.mark.parametrize(
    ("text", "says"), [("images: {}", "images.worker"), ("- 1", "OperatorConfig"), (None, "No such")]
)
def test_a_configuration_that_can_t_be_used_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, says: str
) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    assert app.main(app.Options(config=str(path))) == 2
    assert str(path) in caplog.text
    assert says in caplog.text


def test_the_entry_point_returns_the_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logs, "setup", lambda _level: None)
    assert main(["operator", "--config", str(tmp_path / "none.yaml")]) == 2


async def test_one_kind_whose_watch_has_failed_ends_the_watch_so_that_it_begins_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Kopf would go on with the other kinds, and without that one."""

    async def forbidden() -> None:
        raise PermissionError("toys is forbidden")

    async def operator(*, stop_flag: threading.Event, **_settings: object) -> None:
        watchers = [asyncio.create_task(forbidden(), name="watcher for toys@None")]
        watchers += [asyncio.create_task(asyncio.sleep(60), name="watcher for shelves@None")]
        await asyncio.to_thread(stop_flag.wait)
        await asyncio.gather(watchers[0], return_exceptions=True)
        watchers[1].cancel()

    monkeypatch.setattr(kopf, "operator", operator)
    with pytest.raises(RuntimeError, match="watcher for toys@None has failed: toys is forbidden"):
        await asyncio.wait_for(KopfSource().run({TOY: ""}, lambda *_: None), 60)


def test_kopf_names_its_watchers_so() -> None:
    source = inspect.getsource(orchestration)
    assert f'name=f"{WATCHER}' in source
