"""A profile is made of files without a cluster, and shown: in a terminal, as a page, as the document that it is."""

from __future__ import annotations

import argparse
import builtins
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.modelversion import Evidence, ProfileRef
from fairlead.cli import profile as command
from fairlead.cli import show_modelversion
from fairlead.cli.blocks import plain
from fairlead.cli.histogram import heights, sparkline
from fairlead.cli.main import main
from fairlead.cli.profile_page import page
from fairlead.cli.session import Problem
from fairlead.monitor.profile import Category, Number, Profile, parse
from fairlead.monitor.series import Settings, State, fold
from fairlead.worker.binning import Binner

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
EVIL = "<script>alert(1)</script>\u202e'\"&"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    x, sex = rng.normal(size=2000), rng.choice(["F", "M"], 2000)
    p = 1 / (1 + np.exp(-x))
    columns = {
        "x": x, "sex": sex, EVIL: rng.choice([EVIL, "b"], 2000), "when": pa.array(range(2000), pa.timestamp("s")),
        "p": p, "said": (p > 0.5).astype(int), "y": (rng.random(2000) < p).astype(int), "flag": p > 0.5,
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


ASKED = ["--features", f"x,sex,when,{EVIL}", "--prediction", "said", "--score", "p", "--target", "y", "--slices", "sex"]


def test_a_file_becomes_a_profile_and_a_table(rows: Path, tmp_path: Path, capsys: Any) -> None:
    made = tmp_path / "profile.json"
    assert main(["profile", str(rows), *ASKED, "-o", str(made)]) == 0
    told = capsys.readouterr().out
    found = parse(made.read_bytes(), hashlib.sha256(made.read_bytes()).hexdigest())
    assert (found.task, found.positive, found.held_out) == ("classification", "1", 2000)
    assert [one.name for one in found.features] == ["x", "sex", EVIL]
    assert "not profiled: when is a point in time" in told
    assert "taken as classification, by its scores" in told
    assert re.search(r"x +-\d.*[▁▂▃▄▅▆▇█]{20}", told)
    assert re.search(r"sex=[FM] +\d", told)
    assert re.search(r"auc +0\.\d", told)
    assert "\u202e" not in told


def test_a_profile_is_shown_in_three_forms(rows: Path, tmp_path: Path, capsys: Any) -> None:
    made = tmp_path / "profile.json"
    main(["profile", str(rows), *ASKED, "-o", str(made)])
    capsys.readouterr()
    assert main(["profile", "--show", str(made), "-o", "json"]) == 0
    assert capsys.readouterr().out.encode() == made.read_bytes()
    assert main(["profile", "--show", str(made)]) == 0
    assert "METRIC" in capsys.readouterr().out
    assert main(["profile", "--show", str(made), "-o", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_page_has_nothing_but_its_own_marks(rows: Path, capsys: Any) -> None:
    assert main(["profile", str(rows), *ASKED, "-o", "html"]) == 0
    found, text = Tags(), capsys.readouterr().out
    found.feed(text)
    text_marks = {"html", "meta", "title", "style", "h1", "h2", "p", "small", "div", "b", "br", "table", "tr", "td"}
    assert found.tags <= text_marks | {"figure", "figcaption", "svg", "rect", "path"}
    assert not {one for one in found.attributes if one.startswith("on") or one in ("href", "src")}
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--features", "x,nope"], "lack \"nope\""), (["--prediction", "flag", "--target", "y"], "write both alike"),
     (["--task", "regression", "-o", "/nowhere/at/all.json"], "No such file")],
)  # fmt: skip
def test_what_can_not_be_is_said(rows: Path, capsys: Any, words: list[str], says: str) -> None:
    assert main(["profile", str(rows), *words]) != 0
    assert says in capsys.readouterr().err


def test_what_is_not_used_is_said(rows: Path, capsys: Any) -> None:
    words = ["--features", "x", "--prediction", "p", "--target", "y", "--score", "p", "--task", "regression"]
    assert main(["profile", str(rows), *words]) == 0
    assert "they are not used" in capsys.readouterr().out
    assert main(["profile", str(rows), "--features", "x"]) == 0
    assert "no --prediction" in capsys.readouterr().out


def test_rows_that_are_not_there_are_said(tmp_path: Path, capsys: Any) -> None:
    assert main(["profile", str(tmp_path / "none.parquet")]) == 1
    assert "is not there; name a file of Parquet, CSV or JSON lines" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text("x")
    assert main(["profile", str(tmp_path / "a.txt")]) == 1
    assert "end with .parquet" in capsys.readouterr().err
    assert main(["profile"]) == 2
    assert main(["profile", "--show", str(tmp_path / "a.txt")]) == 1
    assert "not a profile" in capsys.readouterr().err


def test_csv_is_read_by_its_types(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("zip,n,y,said\n" + "".join(f"0{i % 3},{i},{i * 2},{i * 2 + 1}\n" for i in range(40)))
    assert main(["profile", str(path), "--prediction", "said", "--target", "y", "-o", "json"]) == 0
    found = parse(capsys.readouterr().out.encode())
    assert [(one.name, one.kind) for one in found.features] == [("zip", "category"), ("n", "number")]
    assert found.quality["mae"] == 1


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_the_documented_profile_is_what_is_printed(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "how-to" / "profile-a-model.md").read_text()
    words = re.search(r"^fairlead (profile california[^`]*)", page, re.M)
    assert words
    monkeypatch.chdir(DATA)
    assert main(words[1].replace("\\\n", " ").split()) == 0
    assert f"```text\n{capsys.readouterr().out}```" in page


def test_without_what_jobs_use_it_says_what_to_install(
    rows: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = builtins.__import__

    def without(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name == "fairlead.worker" and "tables" in (fromlist or ()):
            raise ImportError("No module named 'duckdb'")
        return known(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["profile", str(rows)]) == 2
    assert "pip install 'fairlead[worker]'" in capsys.readouterr().err


# --- of a model version --------------------------------------------------------------------------------------------

SMALL = Profile(task="regression", rows=3, features=[])


class Cluster:
    """Has one model version."""

    def __init__(self, **proof: Any) -> None:
        spec = {"model": "m", "artifact": {"uri": "s3://models/m", "sha256": "a" * 64}}
        self._raw = {"spec": spec, "status": {"evidence": {"digest": "b" * 64, **proof}}}

    async def get(self, _kind: Any, name: str) -> Any:
        assert name == "x"
        return self._raw


def reading(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    class Store:
        def read(self, key: str, limit: int) -> bytes:
            assert key == "ns/profiles/p.json"
            return body[:limit]

    @asynccontextmanager
    async def opened(_session: Any, _args: Any, bucket: str) -> AsyncIterator[Store]:
        assert bucket == "models"
        yield Store()

    monkeypatch.setattr(command.stores, "opened", opened)


async def test_a_model_version_s_profile_is_that_of_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, SMALL.dumped())
    known = {"digest": SMALL.digest, "uri": "s3://models/ns/profiles/p.json", "message": "of the held-out rows"}
    found = await command.fetched(Cluster(profile=known), argparse.Namespace(), "x")  # type: ignore[arg-type]
    assert found == (SMALL, "of the held-out rows")
    reading(monkeypatch, SMALL.dumped() + b" ")
    with pytest.raises(Problem, match="another one's"):
        await command.fetched(Cluster(profile=known), argparse.Namespace(), "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("proof", "says"), [({}, "no evaluation"), ({"noProfile": "it could not be made: no room"}, "no room")]
)
async def test_why_there_is_none_is_said(proof: Any, says: str) -> None:
    with pytest.raises(Problem, match=says):
        await command.fetched(Cluster(**proof), argparse.Namespace(), "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("proof", "says"),
    [({"profile": ProfileRef(digest="d" * 64, uri="s3://b/k", rows=1200, features=3, message="no answers")},
      "profile dddddddddddd: 3 features of 1,200 rows (no answers)"),
     ({"no_profile": "it could not be made: no room"}, "no profile: it could not be made: no room")],
)  # fmt: skip
def test_a_model_version_s_view_has_a_line_of_it(proof: Any, says: str) -> None:
    assert says in plain(show_modelversion.proof(Evidence(digest="b" * 64, **proof)))


# --- pictures ------------------------------------------------------------------------------------------------------


@given(st.sets(st.floats(-1e300, 1e300), min_size=33, max_size=33), st.integers(1, 70))
def test_a_picture_has_all_rows(values: set[float], cells: int) -> None:
    low, *edges, high = sorted(values)
    feature = Number(kind="number", name="x", edges=edges, counts=[5] * 32, low=low, high=high)
    found = heights(feature, cells)
    assert len(found) == cells
    assert sum(found) == pytest.approx(160)


def test_a_picture_of_little_is_little() -> None:
    assert sparkline([]) == sparkline([0.0]) == ""
    assert sparkline([1, 0, 8]) == "▂ █"
    few = Number(kind="number", name="x", edges=[1.0], counts=[3, 4], low=0.0, high=1.0)
    assert heights(few, 32) == [3, 4]


def test_a_page_of_nothing_is_a_page() -> None:
    bare = Category(kind="category", name="", values=[], counts=[], complete=False)
    assert "too many names" in page(SMALL.model_copy(update={"features": [bare]}), "x")
    assert json.loads(SMALL.dumped())["rows"] == 3


@pytest.fixture
def year(tmp_path: Path) -> Path:
    """Three years of days with a season in `x` and none in `z`."""
    rng = np.random.default_rng(8)
    days = np.repeat(np.arange(3 * 365), 20)
    at = np.datetime64("2021-01-01", "us") + days.astype("timedelta64[D]") + rng.integers(0, 86_400, len(days)).astype(
        "timedelta64[s]")  # fmt: skip
    x = np.sin(2 * np.pi * days / 365) * 2 + rng.normal(size=len(days))
    path = tmp_path / "year.parquet"
    pq.write_table(pa.table({"t": at, "x": x, "z": rng.normal(size=len(days)), "day": days}), path)
    return path


def _alarms(learnt: Profile, days: np.ndarray, x: np.ndarray, z: np.ndarray) -> list[str]:
    """What alarms in windows of thirty days."""
    state, found = State(learnt.digest), list[str]()
    for first in range(0, 2 * 365, 30):
        inside = (days >= first) & (days < first + 30)
        binner = Binner(learnt)
        binner.add({"x": x[inside], "z": z[inside]})
        state, report = fold(learnt, Settings(30 * 86_400.0), state, binner.tally())
        found += [one.what for one in report.alarms]
    return found


def test_a_season_of_the_rows_is_tolerated_and_no_more_than_that(year: Path, tmp_path: Path, capsys: Any) -> None:
    plain, seasonal = tmp_path / "plain.json", tmp_path / "seasonal.json"
    assert main(["profile", str(year), "--features", "x,z", "-o", str(plain)]) == 0
    asked = ["--features", "x,z", "--time", "t", "--window", "30d"]
    assert main(["profile", str(year), *asked, "-o", str(seasonal)]) == 0
    assert "windows of 30d by t showed is tolerated" in capsys.readouterr().out
    knows = parse(seasonal.read_bytes())
    assert knows.natural["x"] > 0.3
    assert knows.natural["z"] < 0.1
    table = pq.read_table(year)
    days, x, z = (table.column(name).to_numpy() for name in ("day", "x", "z"))
    assert "x" in _alarms(parse(plain.read_bytes()), days, x, z)
    assert _alarms(knows, days, x, z) == []
    assert "z" in _alarms(knows, days, x, z + 1.0)  # which has no season
    assert "x" in _alarms(knows, days, x + 6.0, z)  # more than seasons do


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--time", "none"], 'lack "none"'),
        (["--time", "t", "--window", "soon"], "no window"),
        (["--time", "t", "--window", "3650d"], "say nothing of seasons"),
    ],
)
def test_a_time_that_is_none(year: Path, capsys: Any, more: list[str], says: str) -> None:
    assert main(["profile", str(year), "--features", "x", *more]) != 0
    assert says in capsys.readouterr().err
