"""The page of a run: what is shown of what there is, and that nothing of it runs, whatever somebody has written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.report import Earlier, Fact, InputFacts, ItemFacts, ReportTask, StepFacts
from fairlead.worker.reporting import chart, files, heads, inputs
from fairlead.worker.reporting.page import difference, page

EVIL = '</pre></td><script>alert(1)</script><img src=x onerror=alert(2)>\'" onload="alert(3)\u202e\x1b]0;x\x07'
NOW = datetime(2026, 1, 2, tzinfo=UTC)
VOID = {"meta", "br", "img"}
ALLOWED = {
    "html", "meta", "title", "style", "h1", "h2", "h3", "h4", "p", "b", "small", "table", "tr", "th", "td", "span",
    "div", "svg", "rect", "ul", "li", "pre", "img", "iframe", "br",
}  # fmt: skip
"""What a page is made of; all else would be somebody else's."""


class Reader(HTMLParser):
    """A page as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(body: str) -> Reader:
    found = Reader()
    found.feed(body)
    return found


def harmless(body: str) -> Reader:
    """The page, of which nothing runs, and nothing is asked of anybody."""
    found = read(body)
    assert {tag for tag, _ in found.tags} <= ALLOWED
    for tag, attrs in found.tags:
        assert not [name for name in attrs if name.startswith("on")], attrs
        assert not attrs.keys() & {"href", "action", "formaction", "style", "xlink:href"}
        if tag == "iframe":
            assert attrs["sandbox"] == ""
            assert "src" not in attrs
        if tag == "img":
            assert (attrs["src"] or "").startswith("data:image/")
    policies = [attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not [c for c in body if c not in "\n\t" and not c.isprintable()]
    return found


def task(**more: Any) -> ReportTask:
    return ReportTask(title="Delays", run="delay-7", namespace="team", pipeline="delay", **more)


def made(asked: ReportTask, folder: Path) -> str:
    return "".join(page(asked, folder, NOW))


def shown(folder: Path) -> str:
    """What a page has of one input."""
    return made(task(inputs=[InputFacts(name=folder.name, source="rows of step prepare")]), folder.parent)


def words(body: str) -> str:
    return " ".join(read(body).text)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder of an input."""
    folder = tmp_path / "in" / "rows"
    folder.mkdir(parents=True)
    return folder


# --- what is told --------------------------------------------------------------------------------------------------


def whole() -> ReportTask:
    begun = "2026-01-01T10:00:00.000000Z"
    return task(
        facts=[Fact(label="Because", text="version v3 of Dataset flights")], params={"horizon": "24"}, started_at=begun,
        verdict=Fact(label="Failed", text="step train: OutOfMemory"), others=["mail"],
        steps=[
            StepFacts(
                name="prepare", runs="airline:1", phase="Completed", attempts=1, started_at=begun,
                finished_at="2026-01-01T10:01:00.000000Z", cache="the outputs of run delay-6, attempt 1",
            ),
            StepFacts(
                name="train", after=["prepare"], phase="Failed", reason="OutOfMemory", message="it had all of it",
                attempts=3, failures=2, disruptions=1, started_at="2026-01-01T10:01:00.000000Z",
                finished_at="2026-01-01T10:04:00.000000Z", metrics={"rmse": "23.10", "new": "1"}, gpu_seconds=5400,
                items=ItemFacts(total=100, completed=80, failed=20, why=[
                    {"item": 4, "values": "region=NE", "reason": "UserError", "message": "exit code 3"},
                ]),
            ),
            StepFacts(name="plot", phase="Completed", reason="Skipped", message="if: parameter horizon is 24"),
        ],
        earlier=Earlier(
            run="delay-5", started_at="2025-12-31 10:00:00 UTC", metrics={"train": {"rmse": "25", "old": "9"}}
        ),
        inputs=[InputFacts(name="roc", source="roc of step train", missing="step train has not completed (Failed)")],
        left_out=["messages are cut to 80 characters"],
    )  # fmt: skip


def test_it_tells_how_the_run_went(tmp_path: Path) -> None:
    body = made(whole(), tmp_path)
    harmless(body)
    said = words(body)
    for part in (
        "Delays", "delay-7", "Failed", "step train: OutOfMemory", "version v3 of Dataset flights", "horizon",
        "Skipped", "1m00s", "3m00s", "3, 2 failed, 1 lost to the cluster", "from the cache: the outputs of run delay-6",
        "1.50 GPU hours", "0 to 4m00s", "Not waited for, so nothing is told of it here: mail",
        "4 region=NE", "exit code 3", "19 more have failed", "messages are cut to 80 characters",
        "Missing: step train has not completed (Failed)", "delay-5 of 2025-12-31 10:00:00 UTC",
    ):  # fmt: skip
        assert part in said


def test_bars_stand_where_their_steps_ran(tmp_path: Path) -> None:
    found = read(made(whole(), tmp_path))
    bars = [attrs for tag, attrs in found.tags if tag == "rect" and attrs.get("class") != "none"]
    assert [(one["class"], one.get("x"), one["width"]) for one in bars] == [
        ("Completed", "0.0", "250.0"), ("Failed", "250.0", "750.0"),
    ]  # fmt: skip


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-13-01T00:00:00Z", EVIL])
def test_a_time_that_is_none_is_no_bar(stamp: str) -> None:
    assert chart.axis([stamp]).bar(stamp, "2026-01-01T00:00:00Z", "Failed") == ""
    assert chart.between(stamp, stamp) is None


def test_metrics_are_compared_and_what_is_new_or_gone_is_seen(tmp_path: Path) -> None:
    body = made(whole(), tmp_path)
    rows = [part.split("</tr>")[0] for part in body.split("<h2>Metrics</h2>")[1].split("<tr>")[2:]]
    cells = [[cell.split("</td>")[0] for cell in row.split("<td>")[1:]] for row in rows[:3]]
    assert cells == [
        ["train", "rmse", "23.10", "25", "-1.90 (-7.6%)"], ["train", "new", "1", "–", "–"],
        ["train", "old", "–", "9", "–"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "before", "said"),
    [
        ("1", "1.0", "0"), ("2", "0", "+2"), ("3", "2", "+1 (+50.0%)"), ("-1", "-2", "+1 (+50.0%)"), ("", "1", "–"),
        ("1", "", "–"), ("1e999", "1", "+1.0000e+999"), ("NaN", "1", "–"), ("inf", "inf", "–"), ("x", "1", "–"),
    ],
)  # fmt: skip
def test_differences(value: str, before: str, said: str) -> None:
    assert difference(value, before) == said


def test_without_an_earlier_run_it_says_so(tmp_path: Path) -> None:
    asked = task(steps=[StepFacts(name="train", phase="Completed", metrics={"rmse": "1"})])
    assert "No run of this Pipeline has completed before." in words(made(asked, tmp_path))
    assert "Metrics" not in words(made(task(), tmp_path))


# --- what inputs hold ----------------------------------------------------------------------------------------------


def test_tables_with_types_and_rows(here: Path) -> None:
    pq.write_table(pa.table({"origin": ["JFK", None] * 50, "delay": [1.5] * 100}), here / "a.parquet")
    (here / "b.csv").write_text('carrier;late;"of; all"\nAA;1;0.5\nUA;2;.75\n')
    (here / "c.jsonl").write_text('{"a": 1, "b": null}\n\n{"a": 2.5, "c": [1, 2]}\n')
    said = words(shown(here))
    for part in (
        "string", "double", "its first 20 of 100 rows, 2 columns", "of; all", "number", "integer", "2 rows, 3 columns",
        "list", "[1, 2]",
    ):  # fmt: skip
        assert part in said
    assert "integer or number" in said


def test_wide_and_long_cells_are_cut_and_said(here: Path) -> None:
    pq.write_table(pa.table({f"c{n}": ["x" * 5000] for n in range(100)}), here / "a.parquet")
    body = shown(here)
    assert "1 rows, 100 columns, of which 40 are shown" in words(body)
    assert len(body) < 30_000


def test_pictures_pages_and_texts(here: Path) -> None:
    (here / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    (here / "b.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"
    )
    (here / "c.html").write_text("<!doctype html><h1>Plot</h1><script>alert(3)</script>")
    (here / "d.md").write_text("# Notes\n\n* <script>alert(4)</script>\n\tone\n")
    (here / "e.json").write_text('{"b": [1, {"c": "<script>"}]}')
    (here / "f.txt").write_bytes(b"caf\xe9\n")
    found = harmless(shown(here))
    sources = [attrs["src"] or "" for tag, attrs in found.tags if tag == "img"]
    assert [one.partition(";")[0] for one in sources] == ["data:image/png", "data:image/svg+xml"]
    (frame,) = [attrs for tag, attrs in found.tags if tag == "iframe"]
    assert frame["srcdoc"] == (here / "c.html").read_text()
    said = "".join(found.text)
    assert "# Notes\n\n* <script>alert(4)</script>\n\tone" in said
    assert '"b": [\n    1,' in said
    assert "caf\ufffd" in said


def test_items_are_named_by_their_values(here: Path) -> None:
    for name in ("00000-a", "00001-b"):
        (here / name).mkdir()
        (here / name / "plot.txt").write_text("x")
    index = [{"id": "00000-a", "item": {"region": "NE"}, "path": "00000-a/plot.txt"},
             {"id": "00001-b", "item": {"region": "<b>"}, "path": "00001-b"}]  # fmt: skip
    (here / "items.json").write_text(json.dumps(index))
    said = words(shown(here))
    assert "region=NE" in said
    assert "region=<b>" in said
    assert '"item"' not in said


@pytest.mark.parametrize("index", ["[1]", "{}", '[{"path": 1, "item": 2}]', "[", '{"a": 1}', "7", '"x"'])
def test_what_is_called_so_and_is_something_else_is_shown_as_it_is(here: Path, index: str) -> None:
    (here / "items.json").write_text(index)
    harmless(shown(here))
    assert "items.json" in words(shown(here))


def test_an_empty_input_and_an_empty_file_are_said(here: Path) -> None:
    assert "There is no file in it." in words(shown(here))
    (here / "a.csv").touch()
    assert "It is empty." in words(shown(here))


# --- somebody else's -----------------------------------------------------------------------------------------------


def test_nothing_that_anybody_may_name_is_a_program(here: Path) -> None:
    name = "evil'\"><script>alert(5)<!--.csv"
    (here / name).write_text(f'"{EVIL.replace(chr(34), chr(39))}",b\n<script>alert(6)</script>,2\n')
    (here / "x.jsonl").write_text(json.dumps({EVIL: EVIL}) + "\n")
    (here / "x.json").write_text(json.dumps({EVIL: [EVIL]}))
    pq.write_table(pa.table({EVIL: [EVIL]}), here / "x.parquet")
    steps = [StepFacts(
        name=EVIL, runs=EVIL, after=[EVIL], phase=EVIL, reason=EVIL, message=EVIL, cache=EVIL, metrics={EVIL: EVIL},
        started_at=EVIL, finished_at=EVIL, items=ItemFacts(why=[{"item": 1, "values": EVIL, "message": EVIL}]),
    )]  # fmt: skip
    asked = ReportTask(
        title=EVIL, run=EVIL, namespace=EVIL, pipeline=EVIL, facts=[Fact(label=EVIL, text=EVIL)], params={EVIL: EVIL},
        verdict=Fact(label=EVIL, text=EVIL), started_at=EVIL, steps=steps, others=[EVIL], left_out=[EVIL],
        earlier=Earlier(run=EVIL, started_at=EVIL, metrics={EVIL: {EVIL: EVIL}}),
        inputs=[
            InputFacts(name=here.name, source=EVIL), InputFacts(name="gone", source=EVIL, missing=EVIL),
        ],
    )  # fmt: skip
    body = made(asked, here.parent)
    harmless(body)
    assert "<script" not in body.lower()
    assert words(body).count("alert(1)") > 20  # it is there to be read


def test_a_page_can_not_leave_its_frame(here: Path) -> None:
    (here / "a.html").write_text('"></iframe><script>alert(1)</script><iframe srcdoc="')
    found = harmless(shown(here))
    (frame,) = [attrs for tag, attrs in found.tags if tag == "iframe"]
    assert frame["srcdoc"] == (here / "a.html").read_text()


def broken(folder: Path) -> Iterator[tuple[str, bytes]]:
    pq.write_table(pa.table({"a": list(range(1000))}), folder / "t")
    good = (folder / "t").read_bytes()
    (folder / "t").unlink()
    yield "cut.parquet", good[: len(good) // 2]
    yield "turned.parquet", bytes(good[:-20]) + bytes(b ^ 255 for b in good[-20:])
    yield "middle.parquet", good[:40] + b"\xff" * 400 + good[440:]
    yield "none.parquet", b"PAR1"
    yield "none.jsonl", b"[1]\n"
    yield "deep.jsonl", b"[" * 100_000 + b"\n"
    yield "half.jsonl", b'{"a": "\n'
    yield "bin.csv", bytes(range(256)) * 20
    yield "one-line.csv", b"a" * (2 << 20)
    yield "quote.csv", b'a,b\n"' + b"x,\n" * 100_000
    yield "deep.json", b"[" * 10_000
    yield "number.json", b"1" * 5000
    yield "nan.json", b"[NaN, 1e999]"
    yield "surrogate.json", b'"\\ud800"'
    yield "no.png", b"not a picture"
    yield "bin", b"\x00\x01"


def test_what_is_broken_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    for name, body in broken(tmp_path):
        folder = tmp_path / name.replace(".", "-") / "in"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(body)
        (folder / "zz.txt").write_text("still here")
        page_ = shown(folder)
        harmless(page_)
        assert name in words(page_)
        assert "still here" in words(page_)


def test_links_pipes_and_hidden_files_are_not_followed_but_counted(here: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not show")
    (here / "link.txt").symlink_to(secret)
    (here / "folder").symlink_to(tmp_path)
    (here / "nothing").symlink_to("nowhere")
    (here / ".fairlead-all").touch()
    os.mkfifo(here / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(here / "s"))
    said = words(shown(here))
    assert "do not show" not in said
    assert "3 files that are links, which are not followed" in said
    assert "2 files that are pipes, sockets or devices" in said
    assert "1 file whose names begin with a dot" in said


def test_a_large_file_is_not_read(here: Path) -> None:
    for name in ("a.csv", "b.txt", "c.png", "d.html", "e.json", "f.jsonl", "g.bin"):
        with (here / name).open("wb") as file:
            file.write(b'{"a": 1}\n' * 40 if name == "f.jsonl" else b"a,b\n1,2\n" * 40)
            file.truncate(1 << 30)
    body = shown(here)
    harmless(body)
    assert len(body) < 1 << 20
    said = words(body)
    assert "it is a picture of 1024.0 MiB; up to 4 MiB are shown" in said
    assert "it is a page of 1024.0 MiB" in said
    assert said.count("its first 20 rows; they are not counted, for it is larger than 64 MiB, 2 columns") == 1
    assert "Only its beginning is shown." in said


def test_of_many_files_the_first_are_shown_and_the_others_counted(here: Path) -> None:
    for number in range(inputs.LOOKED_AT + 500):
        (here / f"{number:05d}.txt").touch()
    said = words(shown(here))
    assert f"{inputs.LOOKED_AT - inputs.FILES:,} files after the first of them" in said
    assert f"1 file or more, after the first {inputs.LOOKED_AT:,}" in said


def test_of_parts_that_are_alike_a_few_are_shown(here: Path) -> None:
    for number in range(10):
        (here / f"part-{number}.csv").write_text("a\n1\n")
    (here / "z.txt").write_text("after them")
    said = words(shown(here))
    assert "7 files that are tables, after the first ones" in said
    assert "after them" in said


def test_a_page_has_a_largest_size(tmp_path: Path) -> None:
    for number in range(10):
        folder = tmp_path / f"i{number}"
        folder.mkdir()
        for name in "abc":
            (folder / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * (files.PICTURE - 100))
    asked = task(inputs=[InputFacts(name=f"i{n}", source="s") for n in range(10)])
    body = made(asked, tmp_path)
    assert len(body) <= inputs.PAGE + (1 << 16)
    assert "3 files for which the page has no room" in words(body)


def test_rows_that_belong_together_are_not_unpacked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "GROUP", 1 << 20)
    pq.write_table(pa.table({"a": [f"{n:0100d}" for n in range(100_000)]}), here / "bomb.parquet")
    said = words(shown(here))
    assert "its first 0 of 100,000 rows, 1 columns; its rows are not shown, for the first" in said
    assert "string" in said


def test_without_pyarrow_it_says_what_is_missing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'fairlead[worker]'" in words(shown(here))


# --- the program ---------------------------------------------------------------------------------------------------


def run(folder: Path, said: str, **env: str) -> subprocess.CompletedProcess[str]:
    told = os.environ | {"FAIRLEAD_TASK": said, "FAIRLEAD_IN": str(folder), "FAIRLEAD_OUT": str(folder)} | env
    program = [sys.executable, "-P", "-m", "fairlead.worker.reporting"]
    return subprocess.run(program, env=told, cwd=folder, capture_output=True, text=True, check=False)


def test_the_program_writes_the_page_and_what_lies_where_it_runs_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "csv.py").write_text("raise SystemExit('not yours')")
    done = run(tmp_path, whole().model_dump_json(by_alias=True))
    assert done.returncode == 0, done.stderr
    assert "report.html: " in done.stdout
    harmless((tmp_path / "report.html").read_text())


def test_a_task_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "{")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "use the operator's own worker image" in done.stderr
