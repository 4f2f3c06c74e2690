"""Metrics, artifacts and figures: whole lines, whole files, and numbers that can be compared."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import fairlead
from fairlead.sdk import log

STEP = ("FAIRLEAD_METRICS", "FAIRLEAD_OUT", "FAIRLEAD_RUN")


@pytest.fixture
def step(tmp_path, monkeypatch):
    """Of a step: the folder where all that is logged goes."""
    monkeypatch.setenv("FAIRLEAD_METRICS", str(tmp_path / "out" / ".fairlead" / "metrics.jsonl"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out" / ".fairlead"


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Of a plain script: the folder of what is logged."""
    for name in STEP:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(log, "_said", False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "fairlead-out"


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_numbers_of_all_makes(step):
    fairlead.log_metric("rmse", 23.1)
    fairlead.log_metric("loss", np.float32(0.5), step=3)
    fairlead.log_metric("rows", np.int64(7), step=np.int64(4))
    fairlead.log_metric("part", Fraction(1, 4))
    fairlead.log_metric("yes", True)
    fairlead.log_metric("large", 2**60)
    assert lines(step) == [
        {"name": "rmse", "value": 23.1}, {"name": "loss", "value": 0.5, "step": 3},
        {"name": "rows", "value": 7, "step": 4}, {"name": "part", "value": 0.25},
        {"name": "yes", "value": 1}, {"name": "large", "value": float(2**60)},
    ]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, np.float32("nan"), 10**400])
def test_what_is_not_finite_is_refused(step, value):
    with pytest.raises(ValueError, match="only finite numbers can be compared"):
        fairlead.log_metric("rmse", value)
    assert not step.exists()


@pytest.mark.parametrize("value", ["23.1", b"1", None, [1], {}])
def test_what_is_no_number_is_refused(step, value):
    with pytest.raises(TypeError, match="that is no number"):
        fairlead.log_metric("rmse", value)
    assert not step.exists()


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "a\n", "é", "a" * 64, 5, None])
def test_names_of_metrics(step, name):
    with pytest.raises(ValueError, match="can't be the name of a metric"):
        fairlead.log_metric(name, 1)
    assert not step.exists()


@pytest.mark.parametrize(("at", "error"), [(-1, ValueError), (2**60, ValueError), (1.5, TypeError), ("1", TypeError)])
def test_steps_of_metrics(step, at, error):
    with pytest.raises(error, match="the step of the metric a"):
        fairlead.log_metric("a", 1, step=at)
    assert not step.exists()


def test_threads_and_processes_add_whole_lines(step):
    code = f"import fairlead\nfor i in range(300): fairlead.log_metric('{'p' * 60}', i, step=i)"
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]

    def many() -> None:
        for number in range(300):
            fairlead.log_metric("t", number)

    threads = [Thread(target=many) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.wait() for one in others] == [0, 0, 0]
    found = lines(step)
    assert len(found) == 7 * 300
    assert sorted(one["value"] for one in found if one["name"] == "t") == sorted([*range(300)] * 4)


def test_there_is_a_limit(step, monkeypatch):
    monkeypatch.setattr(log, "METRICS_BYTES", 60)
    fairlead.log_metric("a", 1)
    fairlead.log_metric("a", 2)
    with pytest.raises(ValueError, match="log fewer metrics"):
        fairlead.log_metric("a", 3)
    assert (step / "metrics.jsonl").stat().st_size <= 60


def test_where_a_step_logs_to(tmp_path, script, monkeypatch):
    monkeypatch.setenv("FAIRLEAD_OUT", str(tmp_path / "o"))
    fairlead.log_metric("a", 1)
    assert lines(tmp_path / "o" / ".fairlead") == [{"name": "a", "value": 1}]
    assert not script.exists()
    monkeypatch.delenv("FAIRLEAD_OUT")
    monkeypatch.setenv("FAIRLEAD_RUN", "delay-7")
    assert log._folder() == Path("/fairlead/out/.fairlead")


def test_a_plain_script_has_a_folder_and_says_so_once(script, capsys):
    fairlead.log_metric("a", 1)
    fairlead.log_artifact(b"text", "note.md")
    assert lines(script) == [{"name": "a", "value": 1}]
    assert (script / "artifacts" / "note.md").read_bytes() == b"text"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "fairlead: no step of a pipeline runs here; what is logged goes to ./fairlead-out/\n"


def test_artifacts_are_files_of_their_names(step, tmp_path):
    (tmp_path / "errors.csv").write_text("a,b")
    kept = fairlead.log_artifact("errors.csv")
    assert kept == step / "artifacts" / "errors.csv"
    fairlead.log_artifact(tmp_path / "errors.csv", "tables/Errors-1.csv")
    fairlead.log_artifact(b"new", "errors.csv")
    found = {str(one.relative_to(step)): one.read_text() for one in step.rglob("*") if one.is_file()}
    assert found == {"artifacts/errors.csv": "new", "artifacts/tables/Errors-1.csv": "a,b"}


@pytest.mark.parametrize(
    "name",
    ["", "../a", "a/../b", "/a", ".hidden", "a/.b", "a//b", "a b", "a\n", "a/", "é", "a" * 129, "/".join("a" * 9), 5],
)  # fmt: skip
def test_names_of_artifacts(step, name):
    for logged in (lambda: fairlead.log_artifact(b"", name), lambda: fairlead.log_figure(Matplotlib(), name)):
        with pytest.raises(ValueError, match="can't be the name of an artifact"):
            logged()
    assert not step.exists()


def test_limits_of_artifacts(step, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="bytes need a name"):
        fairlead.log_artifact(b"")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        fairlead.log_artifact(tmp_path)
    with pytest.raises(FileNotFoundError):
        fairlead.log_artifact("nothing.csv")
    monkeypatch.setattr(log, "ARTIFACT_BYTES", 3)
    (tmp_path / "large.csv").write_text("abcd")
    for large in (lambda: fairlead.log_artifact(b"abcd", "a"), lambda: fairlead.log_artifact("large.csv"),
                  lambda: fairlead.log_figure(Matplotlib(), "a")):  # fmt: skip
        with pytest.raises(ValueError, match="are kept at most"):
            large()
    monkeypatch.setattr(log, "ALL_BYTES", 4)
    fairlead.log_artifact(b"123", "b")
    with pytest.raises(ValueError, match="would have more than"):
        fairlead.log_artifact(b"12", "c")
    fairlead.log_artifact(b"12", "b")
    monkeypatch.setattr(log, "ARTIFACTS", 2)
    fairlead.log_artifact(b"1", "deep/a")
    fairlead.log_artifact(b"2", "b")
    with pytest.raises(ValueError, match="has 2 artifacts already"):
        fairlead.log_artifact(b"3", "c")
    fairlead.log_artifact(b"3", "b")
    assert sorted(one.name for one in (step / "artifacts").rglob("*") if one.is_file()) == ["a", "b"]
    assert sorted(one.name for one in step.iterdir()) == ["artifacts"], "nothing unfinished is left"


class Matplotlib:
    """As much of a Figure as is used."""

    def savefig(self, path, format):
        Path(path).write_text(f"a {format}")


class Axes:
    """Of matplotlib and seaborn."""

    figure = Matplotlib()


class Plotly:
    """As much of a plotly Figure as is used."""

    def write_html(self, path):
        Path(path).write_text("<html>")

    def write_image(self, path):
        Path(path).write_text(f"an image, {path.rpartition('.')[2]}")


class Altair:
    """As much of a Chart as is used."""

    def save(self, path, format):
        Path(path).write_text(f"a chart, {format}")


@pytest.mark.parametrize(
    ("figure", "name", "kept", "text"),
    [
        (Matplotlib(), "roc", "roc.png", "a png"), (Matplotlib(), "roc.svg", "roc.svg", "a svg"),
        (Axes(), "deep/roc", "deep/roc.png", "a png"), (Plotly(), "roc", "roc.html", "<html>"),
        (Plotly(), "roc.png", "roc.png", "an image, png"), (Altair(), "roc.v2", "roc.v2.html", "a chart, html"),
        (Altair(), "roc.svg", "roc.svg", "a chart, svg"),
    ],
)  # fmt: skip
def test_figures_are_drawn_by_their_own_methods(step, figure, name, kept, text):
    assert fairlead.log_figure(figure, name) == step / "artifacts" / kept
    assert (step / "artifacts" / kept).read_text() == text


def test_what_can_not_be_drawn(step):
    with pytest.raises(TypeError, match="list has none of savefig, write_html and save"):
        fairlead.log_figure([1], "roc")
    with pytest.raises(ValueError, match=r"draws \.png and \.svg"):
        fairlead.log_figure(Matplotlib(), "roc.html")
    assert [one for one in step.rglob("*") if one.is_file()] == []
