"""`fairlead monitor deployment/x`: the monitors' windows as a table, as JSON and as a page; what is missing is said."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hack.install.chart import ROOT
from tests.unit.cli.test_monitor_docs import numberless
from tests.unit.plan.monitor_world import Counting, lines, profile, watched

from fairlead.cli import monitor_page, monitor_table, monitored, remonitor, session, stores
from fairlead.cli.blocks import plain
from fairlead.cli.main import parser
from fairlead.cli.monitor_view import Seen, View, share, things
from fairlead.cli.session import Problem
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.fairness import gap
from fairlead.monitor.report import FairnessReport, FeatureReport, Report
from fairlead.monitor.unknown import Unknown
from fairlead.plan.deployment.monitors import book, packing
from fairlead.store.objects import Object

EVIL = "<script>alert(1)</script>\u202e'\"&"
Told = Callable[..., tuple[int, str, str]]


class Store:
    """The world's, counting what is read."""

    def __init__(self, sim: Counting) -> None:
        self.sim, self.reads = sim, list[str]()

    def list(self, prefix: str) -> Iterator[Object]:
        return (Object(key, len(body), "") for key, body in self.sim.documents.items() if key.startswith(prefix))

    def read(self, key: str, _limit: int = 0) -> bytes:
        self.reads.append(key)
        return (self.sim.documents.get(key) or self.sim.told.documents[key]).encode()


class Cluster:
    """Of one Deployment."""

    namespace = "team"

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    async def get(self, _kind: object, _name: str) -> dict[str, Any]:
        return self.raw


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run the command against a world: exit code, output, errors. refused: what the store says."""

    def run(sim: Counting, *options: str, refused: str = "", store: Store | None = None) -> tuple[int, str, str]:
        there = store or Store(sim)

        @asynccontextmanager
        async def opened(_session: Any, _args: Any, _bucket: str) -> AsyncIterator[Store]:
            if refused:
                raise Problem(refused)
            yield there

        async def connected(work: Any, args: Any) -> int:
            raw = {"spec": sim.spec, "status": sim.status}
            return int(await work(Cluster(raw), args))

        monkeypatch.setattr(stores, "opened", opened)
        monkeypatch.setattr(session, "_connected", connected)
        monkeypatch.setattr("fairlead.cli.monitored.time.time", lambda: sim.now)
        args = parser("fairlead").parse_args(["monitor", "deployment/web", *options])
        code = int(args.run(args))
        found = capsys.readouterr()
        return code, found.out, found.err

    return run


@pytest.fixture(scope="module")
def drifting() -> Counting:
    """A live version whose requests have moved after five windows, some of them not to be read."""
    sim = watched({"fairness": [{"by": "c"}], "without": ["skew"]})
    for moved in (0.0, 0.0, 0.0, 0.0, 0.0, 40.0, 40.0, 40.0, 40.0):
        sim.moved = moved
        sim.passes(2000)
    return sim


def test_the_page_on_monitors_shows_what_is_printed(told: Told, drifting: Counting) -> None:
    page = (ROOT / "docs" / "how-to" / "monitor-a-model.md").read_text(encoding="utf-8")
    shown = re.findall(r"```text\n(monitors of .*?)```", page, re.S)
    before, drifting.now = drifting.now, drifting.now + 90
    try:
        _, out, _ = told(drifting)
    finally:
        drifting.now = before
    assert [numberless(one) for one in shown] == [numberless(out)]


@pytest.mark.parametrize("broken", [
    {"vectors": []}, {"sums": None}, {"unread": None}, {"rows": "x"}, {"t": 1e308}, {"t": -1e308}, {"t": "now"},
])  # fmt: skip
def test_a_ledger_that_somebody_has_changed_is_said_and_no_crash(broken: dict[str, Any], drifting: Counting) -> None:
    written = [line for key, body in sorted(drifting.documents.items()) if "-monitors/" in key
               for line in body.split("\n") if line]  # fmt: skip
    every = [*written, *drifting.monitored["ledger"]["lines"]]
    at = next(at for at, line in enumerate(every) if '"counts":' in line[:48])
    last = json.loads(every[at])
    changed = last | {"t": broken["t"]} if "t" in broken else last | {
        "counts": packing.packed(packing.unpacked(last["counts"]) | broken)
    }  # fmt: skip
    every[at] = json.dumps(changed, separators=(",", ":"))
    known = monitored.Found()
    monitored._judge(known, profile(), every, 24)
    assert known.windows == []
    assert known.notes[0].startswith("The ledger of the monitors can't be judged")
    with pytest.raises(Problem, match="can't be read"):
        remonitor.replay(every, profile().dumped())


def test_a_ledger_that_is_no_text_is_said(told: Told, drifting: Counting) -> None:
    class Broken(Store):
        def read(self, key: str, limit: int = 0) -> bytes:
            return b"\xff\xfe{" if "-monitors/" in key else super().read(key, limit)

    code, out, err = told(drifting, store=Broken(drifting))
    assert (code, err) == (0, "")
    assert "can't be judged" in out


def test_a_table_of_the_last_windows(told: Told, drifting: Counting) -> None:
    code, out, _ = told(drifting)
    assert code == 0
    for words in (
        "monitors of deployment web  m-1, since", "9 windows, the last one of 2,000 rows",
        "9 windows, from 2027-01-15 08:", "worst PSI", "OF AN ALARM'S EVIDENCE",
        "The next window closes in 10m00s.", "selection_rate by c", "accuracy   0.7", "estimated loss",
    ):  # fmt: skip
        assert words in out, out
    first = next(line for line in out.splitlines() if line.startswith("a "))
    assert re.search(r"feature +Drifting +\d\d\.\d% elsewhere, PSI \d\.\d+ +█{10} \d{3,}%", first), first
    assert "Alarm in the window" in out
    assert "drift: a" in out
    assert "\x1b" not in out


def test_json_has_what_the_engine_says(told: Told, drifting: Counting) -> None:
    _, out, _ = told(drifting, "-o", "json", "--windows", "3")
    found = json.loads(out, parse_constant=pytest.fail)
    again = list(book.replayed(profile(), [json.dumps(one) for one in lines(drifting)]))[-3:]
    assert [one["drift"]["a"]["psi"] for one in found["windows"]] == [one.report.drift["a"].psi for one in again]
    assert all(one["same"] for one in found["windows"])
    assert found["monitors"][0]["monitor"] == "quality"
    assert found["closed"] == 9
    assert found["profile"] == profile().digest


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.links = list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def _alone(page: str) -> _Page:
    """That a page needs nothing else, and runs nothing."""
    found = _Page()
    found.feed(page)
    assert "script" not in found.tags
    assert found.links == []
    assert "url(" not in page
    assert "@import" not in page
    return found


def test_a_page_needs_nothing_else(told: Told, drifting: Counting, tmp_path: Path) -> None:
    code, out, _ = told(drifting, "-o", "html")
    assert code == 0
    page = _alone(out)
    assert page.tags.count("svg") >= 10
    assert "PSI over time" in out
    code, said, _ = told(drifting, "-o", str(tmp_path / "web.html"))
    assert (code, (tmp_path / "web.html").read_text(encoding="utf-8")) == (0, out)
    assert said == f"written to {tmp_path / 'web.html'}\n"
    assert told(drifting, "-o", str(tmp_path / "none" / "web.html"))[0] == 1


def test_the_store_is_read_from_its_end_only(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "EACH", 6)
    sim = watched()
    for _ in range(40):
        sim.passes(60)
    store = Store(sim)
    code, out, _ = told(sim, "--windows", "4", "-o", "json", store=store)
    assert (code, len(json.loads(out)["windows"])) == (0, 4)
    segments = [key for key in sim.documents if "-monitors/" in key]
    assert len([key for key in store.reads if key in segments]) <= 3 < len(segments)


def test_without_a_store_that_can_be_read_what_the_status_has_is_shown(told: Told, drifting: Counting) -> None:
    code, out, _ = told(drifting, refused="you may not read it")
    assert code == 0
    assert "drift" in out
    assert "you may not read it" in out
    assert "Windows can't be judged" in out


def test_nothing_has_been_seen_yet(told: Told) -> None:
    sim = watched(learnt=False)
    sim.now += 700
    sim.look()
    code, out, _ = told(sim)
    assert code == 0
    assert "MonitorReady says: NoProfile" in out
    assert "an evaluation of a new ModelVersion makes one" in out
    sim = watched()
    assert "The next window closes in" in told(sim)[1]
    sim.spec = {key: value for key, value in sim.spec.items() if key != "monitors"}
    sim.generation += 1
    sim.look()
    assert "It is not monitored: spec.monitors turns it on" in told(sim)[1]


def test_a_version_that_was_live_before(told: Told) -> None:
    sim = watched(rollout={"steps": [{"weight": 100, "duration": "1s"}]})
    for _ in range(3):
        sim.passes(300)
    book_of = sim.monitored["ledger"]
    sim.version("m-2", age=-1)
    sim.learns("m-2", profile(320))
    sim.status["monitors"] |= {"version": "m-2", "ledger": book_of | {"name": "m-2-20270101T000000Z-monitors"}}
    sim.status["unsaved"] = [book_of]
    code, out, _ = told(sim, "--version", "m-1", "-o", "json")
    assert (code, len(json.loads(out)["windows"])) == (0, 3)
    sim.status["unsaved"] = []
    code, _, err = told(sim, "--version", "m-9")
    assert (code, "no windows are kept" in err) == (3, True)


def test_a_ledger_of_a_version_before_is_found_in_the_store(told: Told, drifting: Counting) -> None:
    kept = drifting.status["monitors"]
    try:
        drifting.status["monitors"] = kept | {"version": "m-2"}
        code, out, _ = told(drifting, "--version", "m-1", "-o", "json")
    finally:
        drifting.status["monitors"] = kept
    assert code == 0
    assert len(json.loads(out)["windows"]) == 5  # of one segment


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["deployment/web", "--rows", "x.csv"], 2, "its own profile and rows"),
        (["web"], 2, "is not deployment/NAME"),
        (["deployment/web", "--windows", "0"], 2, "from 1 to 1000"),
        ([], 2, "name deployment/NAME, or a --profile and --rows"),
        (["--profile", "p", "--rows", "r", "--windows", "3"], 2, "or of a page"),
    ],
)
def test_what_can_not_be_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    async def connected(work: Any, args: Any) -> int:
        return int(await work(Cluster({}), args))

    monkeypatch.setattr(session, "_connected", connected)
    args = parser("fairlead").parse_args(["monitor", *words])
    assert args.run(args) == code
    assert says in capsys.readouterr().err


def test_wild_names_are_shown_as_they_are_and_obeyed_by_nobody() -> None:
    one = FeatureReport(0.5, 0.2, None, 3.0, 6.0, "Watch")
    of = {"f": Confusion(200, 100, 50, 150), EVIL: Confusion(100, 200, 50, 150)}
    unfair = FairnessReport(gap(of, "selection_rate", least=10), 0.1, 0.0, 5.0, "Ok")
    report = Report(1.0, rows=10, drift={EVIL: one}, fairness={f"selection_rate by {EVIL}": unfair})
    view = View(EVIL, EVIL, "regression", [Seen("now", 10, report, {EVIL: 3})], [[EVIL] * 5], [EVIL])
    _alone(monitor_page.page(view))
    shown = plain(monitor_table.blocks(view))
    assert "\u202e" not in shown
    assert "50%" in shown
    assert "3 requests were not understood" in shown


def test_many_things_are_told_of_in_few_lines() -> None:
    one = FeatureReport(0.5, 0.2, None, 3.0, 6.0, "Watch")
    nothing = FeatureReport(None, None, None, float("-inf"), 6.0, "Unknown", "too few rows", "wait")
    many = {f"f{i}": one if i % 2 else nothing for i in range(10_000)}
    view = View("x", "", "regression", [Seen("now", 10, Report(1.0, rows=10, drift=many), {})])
    shown = plain(monitor_table.blocks(view))
    assert len(shown.splitlines()) < 40
    assert "and 9,988 more" in shown
    assert "Unknown: f0 and 4,999 more: too few rows. Remedy: wait." in shown
    assert monitor_page.page(view).count("<svg") <= monitor_page.MOST + 5


def test_evidence_is_a_share_of_an_alarm_s() -> None:
    assert share(float("-inf"), 6.0) == 0.0
    assert share(3.0, 6.0) == 0.5
    assert share(3.0, float("inf")) == 0.0
    silent = Report(1.0, unknown=Unknown("no rows", "wait"))
    assert things(View("x", "", "", [Seen("now", 0, silent, {})])) == []


def test_labels_are_told_of(told: Told, drifting: Counting) -> None:
    kept = drifting.status["monitors"]
    labels = {"labelled": 1200, "unmatched": 3, "reason": "NoSuchColumn", "message": "there is no column y."}
    try:
        drifting.status["monitors"] = kept | {"labels": labels}
        _, out, _ = told(drifting)
        found = json.loads(told(drifting, "-o", "json")[1])
    finally:
        drifting.status["monitors"] = kept
    assert "labels: 1,200 counted; 3 of no answer of this version; NoSuchColumn: there is no column y." in out
    assert (found["labels"]["labelled"], found["labels"]["reason"], "pending" in found["labels"]) == (
        1200, "NoSuchColumn", False,
    )  # fmt: skip
