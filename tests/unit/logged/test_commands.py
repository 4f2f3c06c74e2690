"""What people see of a run: its tree, its logs, what its steps have left, and one of that opened."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.cli.test_commands import Memory as Cluster
from tests.unit.worker.bucket import Memory as Bucket

from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import commands, get, logs, opened, session, show_run, stores
from fairlead.cli.blocks import plain
from fairlead.cluster import errors
from fairlead.cluster.port import Page
from fairlead.plan.core import epoch
from fairlead.worker import digests

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
PREFIX = "ns/pipelines/delay/uid/train"
NOW = epoch("2026-01-01T00:10:00Z")


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def record(name: str, key: str, body: bytes, media: str = "") -> dict[str, Any]:
    return {"name": name, "uri": f"s3://abc/{key}", "sha256": sha(body), "bytes": len(body), "media": media}


class Pods(Cluster):
    """With the logs of pods, by (step, attempt)."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[tuple[str, str], bytes] = {}
        self.refuses: errors.ApiError | None = None

    async def pages(self, kind: Any, _namespace: Any = None, *, selector: str = "", **_: Any) -> Any:
        if kind.kind != "Pod":
            async for page in super().pages(kind):
                yield page
            return
        wanted = dict(one.removeprefix("fairlead.dev/").split("=") for one in selector.split(","))
        key = wanted["step"], wanted["attempt"]
        yield Page([{"metadata": {"name": "-".join(key)}}] if key in self.logs else [], "1")

    async def stream(self, _namespace: str, pod: str, container: str, _follow: bool) -> Any:
        assert container == "step"
        if self.refuses:
            raise self.refuses
        step, attempt = pod.split("-")
        yield self.logs[step, attempt]


def a_run() -> dict[str, Any]:
    template = {"steps": [
        {"name": "prepare", "image": "i"}, {"name": "train", "image": "i", "needs": ["prepare"]},
        {"name": "report", "image": "i", "needs": ["prepare", "train"]},
    ]}  # fmt: skip
    plot = record("plot", f"{PREFIX}/2/plot/p.png", PNG, "image/png") | {"type": "preview"}
    return {
        "spec": {"pipeline": "delay"},
        "status": {
            "phase": "Running", "progress": "2/3", "startedAt": "2026-01-01T00:00:00Z", "template": template,
            "steps": [
                {"name": "prepare", "phase": "Completed", "attempt": 1, "startedAt": "2026-01-01T00:00:00Z",
                 "finishedAt": "2026-01-01T00:01:00Z", "log": {"attempt": 1, "problem": "the node is away"}},
                {"name": "train", "phase": "Completed", "attempt": 2, "startedAt": "2026-01-01T00:01:00Z",
                 "finishedAt": "2026-01-01T00:05:00Z", "outputs": [plot], "metrics": {"rmse": "23.10"},
                 "logged": {"outcome": f"s3://abc/{PREFIX}/outcome.json", "artifacts": 1, "values": 3,
                            "leftOut": "loss that is NaN or infinite: 3 lines"},
                 "log": {"attempt": 2, "uri": f"s3://abc/{PREFIX}/2/log.txt", "bytes": 7, "cut": True}},
                {"name": "report", "phase": "Pending", "reason": ""},
            ],
        },
    }  # fmt: skip


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Pods:
    found = Pods()

    async def connect(_kubeconfig: str | None) -> Pods:
        return found

    monkeypatch.setattr(session, "_kube", connect)
    found.put("PipelineRun", "delay-7", **a_run())
    return found


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket()

    @asynccontextmanager
    async def open_store(_session: Any, _args: Any, name: str) -> Any:
        assert name == "abc"
        yield found

    monkeypatch.setattr(stores, "opened", open_store)
    page = b"<!doctype html><script>alert(1)</script>"
    table = b"carrier,late\nAA,1\nUA,2\n"
    said = {
        "attempt": 2, "outputs": [], "metrics": {"rmse": "23.10"}, "values": 3,
        "series": record("metrics.jsonl", f"{PREFIX}/2/s", b"{}\n", "application/jsonl"),
        "artifacts": [
            record("plots/roc.html", f"{PREFIX}/2/h", page, "text/html"),
            record("late.csv", f"{PREFIX}/2/c", table, "text/csv"),
        ],
        "leftOut": ["loss that is NaN or infinite: 3 lines", "artifacts/large: larger than 256 MiB"],
    }  # fmt: skip
    found.objects = {
        f"{PREFIX}/outcome.json": json.dumps(said).encode(), f"{PREFIX}/2/plot/p.png": PNG, f"{PREFIX}/2/h": page,
        f"{PREFIX}/2/c": table, f"{PREFIX}/2/s": b"{}\n", f"{PREFIX}/2/log.txt": b"attempt 2\n",
        f"{PREFIX}/1/log.txt": b"attempt 1: \x1b[31mred\x1b[0m \x1b]0;title\x07\n",
    }  # fmt: skip
    return found


@pytest.fixture
def fairlead(cluster: Pods, bucket: Bucket) -> Callable[..., int]:  # noqa: ARG001 - they must be in place first
    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        commands.register(parser.add_subparsers(required=True))
        args = parser.parse_args([*words, "-n", "airline"])
        return int(args.run(args))

    return run


# --- the tree ------------------------------------------------------------------------------------------------------


def shown(before: show_run.Past | None = None) -> str:
    return plain(show_run.blocks("delay-7", PipelineRun.model_validate(a_run()), NOW, before))


def test_the_graph_is_a_tree_with_what_each_step_does() -> None:
    text = shown()
    assert "├─" not in text.split("✓ prepare")[0].split("steps\n")[1], "one root: what needs nothing"
    assert "└─ ✓ prepare  Completed  1m00s" in text
    assert "✓ train  Completed  4m00s  attempt 2  rmse 23.10" in text
    assert "plot (preview image/png) 28 B" in text
    assert "not kept: loss that is NaN or infinite: 3 lines" in text
    assert "the log of attempt 1 is not kept: the node is away" in text
    assert "○ report  Pending" in text
    train, report = (next(line for line in text.split("\n") if f"{mark} " in line) for mark in ("✓ train", "○ report"))
    assert report.index("○") > train.index("✓"), "below the deepest of those that it needs"


def test_times_are_expected_by_the_median_of_runs_that_succeeded_and_by_nothing_else() -> None:
    def past(seconds: int, phase: str = "Completed") -> PipelineRun:
        end = f"2025-12-31T00:{seconds // 60:02d}:{seconds % 60:02d}Z"
        step = {"name": "report", "phase": phase, "startedAt": "2025-12-31T00:00:00Z", "finishedAt": end}
        status = {"phase": phase, "startedAt": "2025-12-31T00:00:00Z", "finishedAt": end, "steps": [step]}
        return PipelineRun.model_validate({"spec": {"pipeline": "delay"}, "status": status})

    known = show_run.past([past(60), past(120), past(1800), past(1, "Failed")])
    assert (known.runs, known.whole, known.steps) == (3, 120.0, {"report": 120.0})
    text = shown(known)
    assert "10m00s of about 2m00s (median of the last 3 runs that succeeded)" in text
    assert "○ report  Pending  about 2m00s" in text
    assert "about" not in shown(show_run.past([past(1, "Failed")])), "nobody knows"


def test_a_step_says_what_it_waits_for() -> None:
    raw = a_run()
    raw["status"]["steps"][1] = {"name": "train", "phase": "Pending", "attempt": 1, "reason": "Unschedulable",
                                 "message": "no node has room"}  # fmt: skip
    text = plain(show_run.blocks("delay-7", PipelineRun.model_validate(raw), NOW))
    assert "○ report  Pending  waits for train" in text
    assert "○ train  Pending  Unschedulable" in text
    assert "no node has room" in text


def test_a_run_is_shown_by_its_kind_and_name_or_by_both_in_one(fairlead: Any, capsys: Any) -> None:
    for words in (("get", "run/delay-7"), ("get", "run", "delay-7"), ("get", "mlrun/delay-7")):
        assert fairlead(*words) == 0
        assert "✓ train" in capsys.readouterr().out
    assert fairlead("get", "run") == session.USAGE
    assert fairlead("get", "run/a", "b") == session.USAGE
    assert fairlead("get", "cow/a") == session.USAGE
    assert "there is no kind 'cow'" in capsys.readouterr().err
    assert get.named("dset", "x") == ("dataset", "x")


# --- logs ----------------------------------------------------------------------------------------------------------


def test_logs_come_from_the_pod_while_it_is_there_and_from_the_store_after(
    fairlead: Any, cluster: Pods, capsysbinary: Any
) -> None:
    cluster.logs["train", "2"] = b"from the pod\xff\n"
    assert fairlead("logs", "run/delay-7", "train") == 0
    assert capsysbinary.readouterr().out == b"from the pod\xff\n", "as it is, for programs"
    cluster.logs.clear()
    assert fairlead("logs", "run/delay-7", "train") == 0
    said = capsysbinary.readouterr()
    assert said.out == b"attempt 2\n"
    assert b"only the last 10 bytes of it were kept" in said.err
    assert fairlead("logs", "run/delay-7", "train", "--attempt", "1") == 0
    assert capsysbinary.readouterr().out.startswith(b"attempt 1: ")


def test_whoever_may_not_read_logs_of_pods_gets_what_was_kept(fairlead: Any, cluster: Pods, capsysbinary: Any) -> None:
    cluster.logs["train", "2"] = b"x"
    cluster.refuses = errors.Forbidden("alice cannot get pods/log", 403)
    assert fairlead("logs", "run/delay-7", "train") == 0
    said = capsysbinary.readouterr()
    assert said.out == b"attempt 2\n"
    assert b"alice cannot get pods/log; this is what was kept of it" in said.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("prepare",), session.NOT_FOUND, "is not kept: the node is away"),
        (("report",), session.NOT_FOUND, "has not begun"),
        (("train", "--attempt", "3"), session.USAGE, "has had attempts 1 to 2"),
        (("nosuch",), session.NOT_FOUND, "has no step 'nosuch'; it has prepare, train, report"),
        ((), session.USAGE, "say which step of run 'delay-7'"),
    ],
)
def test_why_there_is_no_log(fairlead: Any, capsys: Any, words: tuple[str, ...], code: int, why: str) -> None:
    assert fairlead("logs", "run/delay-7", *words) == code
    assert why in capsys.readouterr().err


def test_without_a_step_the_failed_one_is_meant(fairlead: Any, cluster: Pods, capsysbinary: Any) -> None:
    raw = a_run()
    raw["status"]["steps"][1] |= {"phase": "Failed"}
    cluster.put("PipelineRun", "delay-8", **raw)
    assert fairlead("logs", "run/delay-8") == 0
    assert capsysbinary.readouterr().out == b"attempt 2\n"


def test_a_terminal_obeys_no_log_but_for_its_colours() -> None:
    text = "a\x1b[31mred\x1b[0m\tb\x1b]0;title\x07\x1b[2J10%\r20%\r\n\u202e"
    assert logs.harmless(text) == "a\x1b[31mred\x1b[0m\tb\\x1b]0;title\\x07\\x1b[2J10%\n20%\n\\u202e"


# --- what was left -------------------------------------------------------------------------------------------------


def test_everything_is_listed_with_digests_and_addresses(fairlead: Any, capsys: Any) -> None:
    assert fairlead("artifacts", "run/delay-7") == 0
    text = capsys.readouterr().out
    for part in (
        "plots/roc.html", "text/html", "preview", f"s3://abc/{PREFIX}/2/log.txt", sha(PNG)[:12], "23.10",
        "it is not kept: artifacts/large: larger than 256 MiB", "its log is not kept: the node is away",
    ):  # fmt: skip
        assert part in text
    assert fairlead("artifacts", "run/delay-7", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    train = found["steps"][1]
    assert train["metrics"] == {"rmse": "23.10"}
    assert {one["name"]: one["type"] for one in train["items"]} == {
        "plot": "preview", "plots/roc.html": "artifact", "late.csv": "artifact", "metrics.jsonl": "metrics",
        "log": "log",
    }  # fmt: skip


def test_without_the_store_the_status_is_told_and_what_is_missing(fairlead: Any, bucket: Bucket, capsys: Any) -> None:
    bucket.objects[f"{PREFIX}/outcome.json"] = b"not json"
    assert fairlead("artifacts", "run/delay-7", "-o", "json") == 0
    said = capsys.readouterr()
    assert "what step train has logged can't be read" in said.err
    assert "plot" in said.out


# --- one of that ---------------------------------------------------------------------------------------------------


def test_a_table_is_shown_and_a_page_is_only_saved(fairlead: Any, capsys: Any) -> None:
    assert fairlead("open", "run/delay-7", "train.late.csv") == 0
    said = capsys.readouterr()
    assert said.out.split("\n")[:3] == ["carrier  late", "AA       1", "UA       2"]
    assert "2 rows; all of it is in" in said.err
    assert fairlead("open", "run/delay-7", "train.plots/roc.html") == 0
    said = capsys.readouterr()
    assert "alert" not in said.out
    assert "may have a program in it" in said.err


def test_the_browser_sees_a_page_only_in_a_frame_without_origin_and_network(
    fairlead: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", seen.append)
    assert fairlead("open", "run/delay-7", "train.plots/roc.html", "--browser") == 0
    assert capsys.readouterr().out.strip().endswith("given to the browser")
    page = Path(seen[0].removeprefix("file://")).read_text()
    assert "<script>" not in page
    assert 'sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;' in page
    assert "default-src 'none'" in page


def test_of_a_step_alone_its_preview_is_opened(fairlead: Any, tmp_path: Path) -> None:
    target = tmp_path / "plot.png"
    assert fairlead("open", "run/delay-7", "train", "--save", str(target)) == 0
    assert target.read_bytes() == PNG


def test_what_is_saved_is_what_was_committed(fairlead: Any, bucket: Bucket, capsys: Any, tmp_path: Path) -> None:
    target = tmp_path / "plot.png"
    assert fairlead("open", "run/delay-7", "train.plot", "--save", str(target)) == 0
    assert target.read_bytes() == PNG
    bucket.objects[f"{PREFIX}/2/plot/p.png"] = PNG + b"!"
    assert fairlead("open", "run/delay-7", "train.plot", "--save", str(tmp_path / "other.png")) == session.FAILED
    assert "is not what the step left" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["plot.png"]


def test_a_folder_is_verified_as_one_and_leads_nowhere_else(bucket: Bucket, tmp_path: Path) -> None:
    bucket.objects = {"f/a/x": b"1", "f/b": b"2"}
    digest = digests.of_folder([("a/x", sha(b"1")), ("b", sha(b"2"))])
    thing = opened.Thing("model", "s3://abc/f/", digest, 2, "")
    opened.fetched(bucket, "f/", thing, tmp_path / "m")  # type: ignore[arg-type]
    assert (tmp_path / "m" / "a" / "x").read_bytes() == b"1"
    bucket.objects["f/c"] = b"3"
    with pytest.raises(session.Problem, match="is not what the step left"):
        opened.fetched(bucket, "f/", thing, tmp_path / "n")  # type: ignore[arg-type]
    assert not (tmp_path / "n").exists()
    bucket.objects = {"f/../../evil": b"1"}
    with pytest.raises(session.Problem, match="can't be a file here"):
        opened.fetched(bucket, "f/", thing, tmp_path / "o")  # type: ignore[arg-type]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("train.", "is not STEP.OUTPUT"),
        (".plot", "is not STEP.OUTPUT"),
        ("train.nosuch", "it has left plot, plots/roc.html"),
        ("prepare", "step prepare has no previews: say what of it to open; it has left nothing"),
    ],
)
def test_what_is_not_there_is_named(fairlead: Any, capsys: Any, asked: str, why: str) -> None:
    assert fairlead("open", "run/delay-7", asked) in (session.USAGE, session.NOT_FOUND)
    assert why in capsys.readouterr().err


def test_a_notebook_is_shown_as_text_whatever_it_is() -> None:
    notebook = {"cells": [
        {"cell_type": "markdown", "source": ["# Report\n", "of delays"]},
        {"cell_type": "code", "source": "print(1)\nplot()", "outputs": [
            {"output_type": "stream", "text": ["1\n"]},
            {"output_type": "display_data", "data": {"image/png": "aGk=", "text/plain": "<Figure>"}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'x'"}, 7,
        ]},
        7, {"source": 7, "outputs": 7},
    ]}  # fmt: skip
    assert opened.cells(notebook) == ["# Report\nof delays", "    print(1)\n    plot()\n1\n<Figure>\nKeyError: 'x'"]
    for nonsense in (None, 7, [], {}, {"cells": 7}, {"cells": {"a": 1}}):
        assert opened.cells(nonsense) == []


def test_heads_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(100)), "b": [None] * 100}), path)
    names, rows, note = opened.parquet_head(path)
    assert (names, rows[1], len(rows), note) == (["a", "b"], ["1", "None"], 20, "its first 20 of 100 rows")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(session.Problem, match="can't be read as Parquet"):
        opened.parquet_head(tmp_path / "bad.parquet")
    (tmp_path / "t.csv").write_text("a,b\n1\n")
    assert opened.csv_head(tmp_path / "t.csv") == (["a", "b"], [["1", ""]], "1 row")
    (tmp_path / "e.csv").write_text("")
    assert opened.csv_head(tmp_path / "e.csv")[2] == "no rows"
    (tmp_path / "h.csv").write_text('"' + "x" * 200_000)
    with pytest.raises(session.Problem, match="is no CSV"):
        opened.csv_head(tmp_path / "h.csv")
