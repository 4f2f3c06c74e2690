"""`fairlead monitor` on files: windows judged by the cluster's engine; what is not known is said, with a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.cli.main import parser
from fairlead.monitor import profile as profiles
from fairlead.monitor.profile import Category, Number, Profile, Scores, Slice
from fairlead.monitor.series import Settings, State, fold
from fairlead.worker.binning import Binner

HOUR = 3_600_000_000
FIRST = 1_772_323_200_000_000
"""2026-03-01T00:00:00Z."""
Run = Callable[..., tuple[int, Any, str]]


def made(**more: Any) -> Profile:
    """Of x, uniform in [0, 1), and of g; the score is x, and calibrated; answered positive from .5 on."""
    edges = [i / 32 for i in range(1, 32)]
    right = [round(100 * (i + 0.5) / 32) for i in range(32)]
    given: dict[str, Any] = {
        "task": "classification", "rows": 32_000, "held_out": 3200, "positive": "1",
        "features": [
            Number(kind="number", name="x", edges=edges, counts=[1000] * 32, low=0.0, high=1.0, mean=0.5, sd=0.289),
            Category(kind="category", name="g", values=["a", "b"], counts=[16_000, 16_000]),
        ],
        "prediction": Category(kind="category", name="p", values=["0", "1"], counts=[16_000, 16_000]),
        "scores": Scores(edges=edges, counts=[100] * 32, right=right, predicted=[0] * 16 + [100] * 16),
        "slices": [Slice(by="sex", values=["f", "m"], counts=[1600, 1600])],
        "quality": {"accuracy": 0.75},
    }  # fmt: skip
    return Profile(**given | more)


def rows(n: int, seed: int = 1, shift: float = 0.0, harm: bool = False) -> dict[str, Any]:
    """One an hour. harm: what is true turns round."""
    rng = np.random.default_rng(seed)
    x = np.clip(rng.random(n) + shift, 0.0, 1.0)
    true = rng.random(n) < (1 - x if harm else x)
    return {
        "id": np.arange(n), "t": (FIRST + HOUR * np.arange(n)).astype("datetime64[us]"), "x": x,
        "g": np.where(rng.random(n) < 0.5, "a", "b"), "sex": np.where(rng.random(n) < 0.5, "f", "m"),
        "p": (x >= 0.5).astype(np.int64), "s": x, "y": true.astype(np.int64),
    }  # fmt: skip


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command: exit code, what was printed (JSON read), errors."""

    def run(
        stream: dict[str, Any], *options: str, profile: Profile | None = None, labels: Any = None, output: str = "json"
    ) -> Any:
        (tmp_path / "profile.json").write_bytes((profile or made()).dumped())
        pq.write_table(pa.table(stream), tmp_path / "rows.parquet")
        files = ["--profile", str(tmp_path / "profile.json"), "--rows", str(tmp_path / "rows.parquet")]
        if labels is not None:
            pq.write_table(pa.table(labels), tmp_path / "labels.parquet")
            files += ["--labels", str(tmp_path / "labels.parquet"), "--key", "id"]
        args = parser("fairlead").parse_args(["monitor", *files, *options, "-o", output])
        code = args.run(args)
        told = capsys.readouterr()
        return (
            code,
            json.loads(told.out, parse_constant=pytest.fail) if output == "json" and not code else told.out,
            told.err,
        )

    return run


def test_windows_are_those_of_the_engine_bit_by_bit(judge: Run) -> None:
    """What is printed is what `fold` says of the counts of the same rows."""
    stream = rows(6000, shift=0.2)
    _, found, _ = judge(stream, "--window", "2000", "--every", "1h", "--score", "s")
    profile, settings = made(), Settings(3600.0)
    state = State(profile.digest)
    for number, window in enumerate(found["windows"]):
        part = {name: values[2000 * number : 2000 * (number + 1)] for name, values in stream.items()}
        binner = Binner(profile)
        binner.add(part, part["p"], part["s"])
        state, report = fold(profile, settings, state, binner.tally())
        assert (window["index"], window["rows"], window["from"], window["to"]) == (
            number, 2000, 2000 * number, 2000 * number + 1999,
        )  # fmt: skip
        for name, one in report.drift.items():
            mine = window["drift"][name]
            assert (mine["psi"], mine["tv"], mine["state"]) == (one.psi, one.tv, one.state)
            assert mine["logEvidence"] == (one.log_evidence if np.isfinite(one.log_evidence) else None)
        assert [(one["monitor"], one["what"]) for one in window["alarms"]] == [
            (one.monitor, one.what) for one in report.alarms
        ]
    assert any(one["monitor"] == "drift" and one["what"] == "x" for one in found["end"]["alarms"])


def test_a_stream_like_the_reference_has_no_alarm(judge: Run) -> None:
    code, found, _ = judge(rows(20_000), "--window", "30d", "--time", "t", "--score", "s", labels=_labels(rows(20_000)))
    assert code == 0
    assert found["end"]["alarms"] == []
    assert len(found["end"]["harmed"]) <= 2  # of 28, one in a hundred by chance
    assert found["windows"][1]["from"] == "2026-03-31T00:00:00Z"
    assert found["end"]["labels"]["counted"] == 20_000


def _labels(stream: dict[str, Any]) -> dict[str, Any]:
    return {"id": stream["id"], "y": stream["y"]}


def test_an_alarm_is_true_if_its_window_has_a_real_loss(judge: Run) -> None:
    good, bad = rows(4000), rows(4000, 2, shift=0.3, harm=True)
    stream = {name: np.concatenate([good[name], bad[name]]) for name in good}
    stream["id"] = np.arange(8000)
    _, found, _ = judge(stream, "--window", "1000", "--score", "s", labels=_labels(stream))
    assert found["end"]["harmed"] == [4, 5, 6, 7]
    alarms = [one for one in found["end"]["alarms"] if one["monitor"] == "drift"]
    assert alarms
    assert all(one["true"] == (one["window"] in (4, 5, 6, 7)) for one in alarms)
    assert found["end"]["harmPrecision"] == 1.0
    assert "Harm precision: 100%" in " ".join(found["end"]["said"])


def test_labels_count_when_they_become_known_and_losses_where_their_rows_are(judge: Run) -> None:
    stream = rows(240)
    _, found, _ = judge(
        stream, "--window", "1d", "--time", "t", "--delay", "7d", "--score", "s", labels=_labels(stream)
    )
    assert [one["labels"] for one in found["windows"]] == [0] * 7 + [24] * 3
    assert found["end"]["labels"]["later"] == 7 * 24
    assert "168 became known after the last window only." in found["end"]["said"]
    month = judge(stream, "--window", "1mo", "--time", "t", "--delay", "7d", "--score", "s", labels=_labels(stream))[1]
    assert [(one["window"], one["n"]) for one in month["end"]["losses"]] == [(0, 240)]


def test_columns_that_the_rows_lack_are_unknown_and_named(judge: Run) -> None:
    stream = rows(4000)
    stream["renamed"] = stream.pop("x")
    _, found, _ = judge(stream, "--window", "1000")
    assert {one["drift"]["x"]["state"] for one in found["windows"]} == {"Unknown"}
    assert {one["drift"]["g"]["state"] for one in found["windows"]} == {"Ok"}
    assert found["end"]["alarms"] == []
    assert found["end"]["absent"] == ["x"]
    said = " ".join(found["end"]["said"])
    assert {one["what"] for one in found["end"]["unknown"]} == {"estimated loss", "realised loss"}
    assert "the answers' column with --prediction" in said
    assert "give --labels and their --key" in said
    assert "recorder" not in said
    assert "x: Unknown: the rows have no such column" in said
    assert "name their column with --score" in said
    assert "no column p" not in said
    _, table, _ = judge(stream, "--window", "1000", output="table")
    assert "Unknown" in table
    assert " Ok" not in table


def test_no_rows_are_nothing_to_judge(judge: Run) -> None:
    empty = {name: values[:0] for name, values in rows(1).items()}
    for options in (("--window", "10"), ("--window", "1d", "--time", "t")):
        code, found, _ = judge(empty, *options, labels=_labels(empty))
        assert (code, found["windows"], found["end"]["alarms"], found["end"]["harmPrecision"]) == (0, [], [], None)
        assert found["end"]["said"][0] == "There are no rows, so there is nothing to judge."
    assert "nothing to judge" in judge(empty, output="table")[1]


def test_one_row_is_too_few_to_know_anything(judge: Run) -> None:
    one = rows(1)
    _, found, _ = judge(one, "--score", "s", labels=_labels(one))
    (window,) = found["windows"]
    assert {each["state"] for each in window["drift"].values()} == {"Unknown"}
    assert window["alarms"] == []
    assert found["end"]["losses"] == []
    assert judge(one, "--window", "1h", "--time", "t")[1]["windows"][0]["rows"] == 1


def test_nan_everywhere_is_data_that_is_broken_and_no_drift(judge: Run) -> None:
    stream = rows(4000)
    stream["x"], stream["s"] = np.full(4000, np.nan), np.full(4000, np.inf)
    stream["y"] = np.full(4000, np.nan)
    code, found, _ = judge(stream, "--window", "1000", "--score", "s", labels=_labels(stream))
    assert code == 0
    assert {one["drift"]["x"]["state"] for one in found["windows"]} == {"Unknown"}
    assert {(one["monitor"], one["what"]) for one in found["end"]["alarms"]} == {("data", "missing/x")}
    assert found["end"]["labels"]["empty"] == 4000


def test_labels_of_other_keys_are_counted_as_such(judge: Run) -> None:
    stream = rows(100)
    labels = {"id": np.arange(1000, 1100), "y": stream["y"]}
    _, found, _ = judge(stream, labels=labels)
    assert found["end"]["labels"] | {"counted": 0, "unmatched": 100} == found["end"]["labels"]
    assert "100 have a key that no row has." in found["end"]["said"]
    assert found["end"]["harmPrecision"] is None


def test_a_million_categories_are_bounded(judge: Run) -> None:
    n = 1_000_000
    stream = {"g": pa.array([f"k{i}" for i in range(n)]), "x": np.linspace(0, 1, n, endpoint=False)}
    _, found, _ = judge(stream, "--window", "100000")
    assert ("data", "unseen/g") in {(one["monitor"], one["what"]) for one in found["end"]["alarms"]}
    assert len(json.dumps(found)) < 100_000


def test_windows_to_which_no_row_came_are_unknown(judge: Run) -> None:
    stream = rows(200)
    stream["t"][100:] += np.timedelta64(3 * 86_400, "s")
    _, found, _ = judge(stream, "--window", "1d", "--time", "t")
    empty = [one for one in found["windows"] if not one["rows"]]
    assert empty
    assert all(one["drift"]["x"]["state"] == "Unknown" and one["alarms"] == [] for one in empty)
    assert all("no rows" in one["unknown"]["reason"] for one in empty)
    assert sum(one["rows"] for one in found["windows"]) == 200


def test_a_table_has_a_line_a_window_and_what_came_of_it(judge: Run) -> None:
    stream = rows(4000, shift=0.4)
    code, told, _ = judge(
        stream, "--window", "1000", "--time", "t", "--score", "s", output="table", labels=_labels(stream)
    )
    assert code == 0
    lines = told.splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("WINDOW"))
    assert [line.split()[0] for line in lines[head + 1 : head + 5]] == ["0", "1", "2", "3"]
    assert "2026-03-01T00:00:00Z" in lines[head + 1]
    assert "drift: x (" in told
    assert "WORST PSI" in told
    assert "alarms in 4 windows" in told


@pytest.mark.parametrize(("options", "words"), [
    (["--window", "0"], "calendar months"),
    (["--window", "1d"], "--time"),
    (["--window", "1d", "--time", "t", "--every", "1h"], "--every is of windows of rows"),
    (["--delay", "soon"], "--delay: not a duration"),
    (["--time", "x2"], "no column 'x2'"),
    (["--score", "nope"], "no column 'nope' for the score"),
    (["--prediction", "nope"], "no column 'nope' for the prediction"),
    (["--by", "race"], "make it anew with --slices race"),
    (["--target", "gone"], "no column 'gone' for the labels"),
    (["--false-alarms-per-year", "0"], "a number above 0"),
    (["--false-alarms-per-year", "nan"], "a number above 0"),
    (["--labels", "gone.csv"], "--key"),
    (["--labels", "gone.csv", "--key", "id"], "gone.csv is not there"),
    (["--profile", "gone.json"], "gone.json can't be read"),
])  # fmt: skip
def test_what_can_not_be_asked_is_told_with_a_remedy(judge: Run, options: list[str], words: str) -> None:
    code, out, told = judge(rows(3), *options)
    assert (code, out) == (2, "")
    assert words in told


def test_a_profile_of_another_version_or_none_at_all_is_refused(judge: Run, tmp_path: Path) -> None:
    for body, words in (
        (made().dumped().replace(b'"version":1', b'"version":2'), "not a profile of version 1"),
        (b"[]", "not a profile"),
        (b"\xff" * 10, "not a profile"),
        (b" " * (profiles.SIZE + 1), "at most 1 MiB"),
    ):
        (tmp_path / "other.json").write_bytes(body)
        code, _, told = judge(rows(3), "--profile", str(tmp_path / "other.json"))
        assert code == 2
        assert words in told


def test_names_from_files_do_not_rule_the_terminal(judge: Run) -> None:
    strange = "x\x1b[2J\u202e"
    profile = made(features=[Number(kind="number", name=strange, edges=[0.5], counts=[500, 500], low=0, high=1)])
    _, told, _ = judge({"y": [1.0]}, profile=profile, output="table")
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_a_page_of_the_last_windows(judge: Run) -> None:
    """The same figures as in JSON, as charts that need nothing else."""
    stream = rows(6000, shift=0.2)
    code, out, _ = judge(stream, "--window", "1000", "--every", "1h", "--score", "s", "--windows", "4", output="html")
    assert code == 0
    assert out.startswith("<!doctype html>")
    assert "<script" not in out
    assert "6,000 rows in 6 windows" in out
    assert "<h2>4 windows, from 2999 to 5999</h2>" in out
    found = judge(stream, "--window", "1000", "--every", "1h", "--score", "s")[1]
    assert f"5999: {found['windows'][-1]['drift']['x']['psi']:.5g}</title>" in out
