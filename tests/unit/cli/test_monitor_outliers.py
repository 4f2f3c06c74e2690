"""`fairlead monitor deployment/x --outliers`: the newest requests outside, from the log as the recorder writes it."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.deployment import Deployment
from fairlead.cli import monitored, stores, strange
from fairlead.cli.blocks import plain
from fairlead.cli.monitored import Found
from fairlead.cli.session import Problem
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.store.objects import Object
from fairlead.worker.record.outside import Judge
from fairlead.worker.record.ship import table

NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)
EVIL = "new\x1b[31m\u202e"
PROFILE = Profile(
    task="regression", rows=64,
    features=[
        Number(kind="number", name="x", edges=[1.0, 2.0, 3.0], counts=[16] * 4, low=0.0, high=4.0, mean=2.0, sd=1.0),
        Category(kind="category", name="c", values=["a", "b"], counts=[32, 32]),
    ],
)  # fmt: skip


def body(x: list[Any], c: list[Any]) -> str:
    return json.dumps({"inputs": [
        {"name": "x", "shape": [len(x)], "datatype": "FP64", "data": x},
        {"name": "c", "shape": [len(c)], "datatype": "BYTES", "data": c},
    ]})  # fmt: skip


class Store:
    """A bucket with the log of one version."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, folder: Path, key: str, requests: list[tuple[str, float, str | None]], judge: bool = True) -> None:
        """A file as the recorder's child writes it. requests: (id, seconds of the day, body)."""
        path = folder / "b_000001_2026-11-21_ok.ndjson"
        first = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
        lines = [[name, first + at, 200, 1.5, [1], False, 1.0, given, False] for name, at, given in requests]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        found = table(path, "m-1", Judge(PROFILE) if judge else None)
        out = pa.BufferOutputStream()
        pq.write_table(found if judge else found.drop(["outside"]), out)
        self.files[key] = out.getvalue().to_pybytes()

    def list(self, prefix: str) -> Iterator[Object]:
        return (Object(key, len(one), "") for key, one in self.files.items() if key.startswith(prefix))

    def read(self, key: str, _limit: int = 0) -> bytes:
        return self.files[key]


def day(number: int, pod: str = "pod-boot", of: str = "2026-11-21") -> str:
    return f"p/date={of}/{pod}-{number:06}.parquet"


def test_the_newest_are_shown_with_their_values_and_what_was_learnt(tmp_path: Path) -> None:
    store = Store()
    store.put(tmp_path, day(1), [("r1", 1, body([9.0], ["a"])), ("r2", 2, body([1.0], ["a"])), ("r3", 3, None)])
    store.put(tmp_path, day(2), [("r4", 4, body([1.0, -7.5, 99.0], ["a", EVIL, "b"]))])
    log = strange.read(store, "p/", PROFILE, NOW)  # type: ignore[arg-type]
    assert (log.outside, log.inside, log.unknown) == (2, 1, 1)
    assert [one.request_id for one in log.found] == ["r4", "r1"]
    assert [(one.feature, one.values, one.learnt) for one in log.found[0].strange] == [
        ("x", [-7.5, 99.0], "0 … 4"), ("c", [EVIL], "a, b"),
    ]  # fmt: skip
    shown = plain(strange.blocks("m-1", log, ["a note"]))
    assert "r4" in shown
    assert "\x1b" not in shown
    assert "-7.5, 99" in shown


def test_a_file_may_have_none_of_them(tmp_path: Path) -> None:
    store = Store()
    store.put(tmp_path, day(1), [("r1", 1, body([1.0], ["a"])), ("r2", 2, body([2.0], ["b"]))])
    log = strange.read(store, "p/", PROFILE, NOW)  # type: ignore[arg-type]
    assert (log.found, log.outside, log.inside, log.unknown) == ([], 0, 2, 0)


def test_the_last_files_of_each_pod_are_read_and_not_all() -> None:
    store = Store()
    for number in range(1, 41):
        store.files[day(number, "one-b")] = store.files[day(number, "other-b")] = b""
    store.files[day(1, of="2026-11-20")] = b""
    store.files["p/date=2026-11-21/notes.txt"] = b""
    chosen = strange.files(store, "p/", NOW)  # type: ignore[arg-type]
    assert len(chosen) == strange.FILES
    assert set(chosen) == {day(number, pod) for number in range(29, 41) for pod in ("one-b", "other-b")}
    store.files = {day(1, of="2026-11-16"): b""}
    assert strange.files(store, "p/", NOW) == [day(1, of="2026-11-16")]  # type: ignore[arg-type]
    store.files = {day(1, of="2026-11-01"): b""}
    assert strange.files(store, "p/", NOW) == []  # type: ignore[arg-type]


def test_so_many_are_shown_and_no_more(tmp_path: Path) -> None:
    store = Store()
    store.put(tmp_path, day(1), [(f"r{i}", i, body([9.0 + i], ["a"])) for i in range(50)])
    log = strange.read(store, "p/", PROFILE, NOW)  # type: ignore[arg-type]
    assert [one.request_id for one in log.found] == [f"r{i}" for i in range(49, 39, -1)]
    assert log.outside == 50


def test_a_log_of_a_release_before_is_not_known(tmp_path: Path) -> None:
    store = Store()
    store.put(tmp_path, day(1), [("r1", 1, body([9.0], ["a"]))], judge=False)
    log = strange.read(store, "p/", PROFILE, NOW)  # type: ignore[arg-type]
    assert (log.found, log.outside, log.unknown) == ([], 0, 1)


def test_a_file_that_is_no_log_is_left_out_and_said(tmp_path: Path) -> None:
    store = Store()
    store.put(tmp_path, day(1), [("r1", 1, body([9.0], ["a"]))])
    store.files[day(2)] = b"no Parquet"
    for number, other in enumerate(({"outside": [1]}, {"outside": [["x"]]}), 3):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(other), sink)
        store.files[day(number)] = sink.getvalue().to_pybytes()
    log = strange.read(store, "p/", PROFILE, NOW)  # type: ignore[arg-type]
    assert ([one.request_id for one in log.found], log.outside, log.corrupt) == (["r1"], 1, 3)
    assert any("3 files" in one for one in strange._told(_deployment("s3://b/evidence/x/", True), log))


def _deployment(uri: str, inputs: bool) -> Deployment:
    spec: dict[str, Any] = {"model": {"name": "m"}, "route": {"gateway": {"name": "public"}}, "monitors": {}}
    spec |= {"record": {"inputs": True}} if inputs else {}
    kept = {"version": "m-1", "since": "2026-11-21T00:00:00Z", "ledger": {"name": "m-1-x-monitors", "uri": uri}}
    return Deployment.model_validate({"spec": spec, "status": {"monitors": kept}})


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """The store, and a profile."""
    store, now = Store(), datetime.now(UTC)
    folder = f"n/deployments/web/predictions/version=m-1/date={now:%Y-%m-%d}"
    store.put(tmp_path, f"{folder}/pod-b-000001.parquet", [("r1", 1, body([9.0], ["a"])), ("r2", 2, None)])

    @asynccontextmanager
    async def opened(_session: Any, _args: Any, bucket: str) -> AsyncIterator[Store]:
        assert bucket == "b"
        yield store

    async def gathered(*_: Any) -> Found:
        return Found(PROFILE)

    monkeypatch.setattr(stores, "opened", opened)
    monkeypatch.setattr(monitored, "gathered", gathered)
    return store


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("inputs", [True, False])
async def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str], inputs: bool) -> None:
    found = _deployment("s3://b/n/deployments/web/evidence/m-1-x-monitors/", inputs)
    args = argparse.Namespace(output="json", version=None)
    assert await strange.show(None, args, "web", found) == 0  # type: ignore[arg-type]
    told = json.loads(capsys.readouterr().out)
    assert told["requests"][0]["outside"] == [{"feature": "x", "values": [9.0], "learnt": "0 … 4"}]
    assert (told["outside"], told["unknown"]) == (1, 1)
    assert any("record: {inputs: true}" in one for one in told["notes"]) is not inputs
    args.output = "table"
    assert await strange.show(None, args, "web", found) == 0  # type: ignore[arg-type]
    assert "LEARNT FROM" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("uri", "output", "says"), [("", "table", "set store"), ("s3://b/evidence/x/", "html", "JSON")]
)
async def test_where_nothing_can_be_shown(uri: str, output: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        await strange.show(None, argparse.Namespace(output=output, version=None), "web", _deployment(uri, True))  # type: ignore[arg-type]
