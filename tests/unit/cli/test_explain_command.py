"""What features contribute, as people see it: in the mean from the status, of single requests from the store."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.install.chart import ROOT
from tests.unit.cli.test_commands import Memory
from tests.unit.worker.explained import BEGIN, Kept, Served, body

from fairlead.api.deployment import Deployment
from fairlead.api.explain import Contribution, Explained
from fairlead.api.halves import written
from fairlead.api.monitors import Monitored
from fairlead.cli import commands, session
from fairlead.cli import explain as command
from fairlead.cli.blocks import plain

RANDOM = np.random.default_rng(9)
Json = dict[str, Any]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """200 requests were answered by 2a + b + 1."""
    found = Kept(monkeypatch, Served(lambda c: [2 * a + b + 1 for a, b in zip(c["a"], c["b"], strict=True)]))
    found.answered([body({name: [float(RANDOM.normal())] for name in "ab"}) for _ in range(100)])

    @asynccontextmanager
    async def opened(_session: Any, _args: Any, bucket: str) -> AsyncIterator[Any]:
        assert bucket == "store"
        yield found.store

    monkeypatch.setattr(command.stores, "opened", opened)
    return found


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory()

    async def connect(_kubeconfig: str | None) -> Memory:
        return found

    monkeypatch.setattr(session, "_kube", connect)
    return found


def explained(memory: Memory, kept: Kept, monitors: Json | None = None) -> None:
    """The Deployment's status after a Job."""
    result = kept.explained(rows=10)
    known = Explained(
        at=BEGIN.isoformat(), rows=result.rows, asked=result.asked, calls=result.calls, explains=result.explains,
        base=result.base, features=result.features, uri="s3://store/explanations/version=m-1/", left=3,
        moved="most contribute a (67.0%)",
    )  # fmt: skip
    put(memory, Monitored(version="m-1", since=BEGIN.isoformat(), explained=known), monitors)


def put(memory: Memory, kept: Monitored | None, monitors: Json | None = None) -> None:
    spec = {"model": {"name": "m"}, "route": {"gateway": {"name": "g"}},
            "monitors": {"explain": {}} if monitors is None else monitors}  # fmt: skip
    found = Deployment.model_validate({"spec": spec})
    status = found.status.model_copy(update={"monitors": kept})
    memory.put("Deployment", "web", spec=spec, status=written(status))


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["explain", *words, "-n", "airline"])
    return int(args.run(args))


def test_the_mean_contributions_are_bars(memory: Memory, kept: Kept, capsys: Any) -> None:
    explained(memory, kept)
    assert run("deployment/web") == 0
    told = capsys.readouterr().out
    lines = [line for line in told.splitlines() if line.startswith(("a ", "b "))]
    assert lines[0].split()[1].count("█") == 20
    assert "mean contribution, whichever its direction, to the answer" in told
    assert "40 requests explained" in told
    assert "3 were drawn, and could not be explained" in told


def test_a_request_is_explained_from_the_background_to_its_answer(memory: Memory, kept: Kept, capsys: Any) -> None:
    explained(memory, kept)
    assert run("deployment/web", "--last") == 0
    first = capsys.readouterr().out.splitlines()[1].split()[0]
    assert run("deployment/web", "--request", first, "-o", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    total = row["base"] + sum(one["contribution"] for one in row["features"]) + row["others"]
    assert total == pytest.approx(row["answer"])
    assert run("deployment/web", "--request", first) == 0
    told = capsys.readouterr().out
    assert f"All of them add up to {row['answer']:.4g}." in told
    assert "(mean of the background)" in told


def test_what_is_not_there_is_said(memory: Memory, kept: Kept, capsys: Any) -> None:
    explained(memory, kept)
    assert run("deployment/web", "--request", "nobody") == session.NOT_FOUND
    assert "was not explained, as far as the newest 1 files" in capsys.readouterr().err
    put(memory, None, {})
    assert run("web") == session.NOT_FOUND
    assert "set spec.monitors.explain" in capsys.readouterr().err
    put(memory, Monitored(version="m-1", since=BEGIN.isoformat(), explained=Explained()))
    assert run("web") == session.NOT_FOUND
    assert "no answer of m-1 has been explained yet" in capsys.readouterr().err
    assert run("dataset/web") == session.USAGE


@pytest.mark.parametrize("content", [b"no Parquet", "other columns"])
def test_a_file_that_is_no_explanation_is_said(memory: Memory, kept: Kept, capsys: Any, content: Any) -> None:
    explained(memory, kept)
    if isinstance(content, str):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({content: [1]}), sink)
        content = sink.getvalue().to_pybytes()
    kept.store.put("explanations/version=m-1/date=2026-12-31/x.parquet", content)
    assert run("deployment/web", "--last") == session.FAILED
    assert "can't be read" in capsys.readouterr().err


def test_programs_get_numbers(memory: Memory, kept: Kept, capsys: Any) -> None:
    explained(memory, kept)
    assert run("web", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["feature"] for one in found["features"]] == ["a", "b"]


# --- the page ------------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "how-to" / "explain-answers.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```text\n(.*?)```", PAGE, re.S)
MEANS = (("dep_delay", "9.81", "0.62"), ("distance", "2.87", "0.21"), ("hour", "2.02", "0.19"),
         ("carrier", "1.3", "0.11"))  # fmt: skip


def test_the_page_shows_what_is_shown() -> None:
    total = sum(float(mean) for _, mean, _ in MEANS)
    features = [
        Contribution(feature=name, mean=mean, error=error, share=f"{float(mean) / total:.1%}")
        for name, mean, error in MEANS
    ]  # fmt: skip
    said = "most contribute dep_delay (61.3%), distance (17.9%), hour (12.6%), as in the reference"
    found = Explained(
        at=BEGIN.isoformat(), rows=100, left=3, asked=37122, calls=209, explains="the answer", base="12.4",
        features=features, moved=said,
    )  # fmt: skip
    at = BEGIN.timestamp()
    assert plain(command._whole("delay", "delay-7", found, at + 7200)) == SHOWN[0]


def test_the_page_shows_a_request() -> None:
    parts = [("dep_delay", "24", 15.2, 1.1), ("hour", "18", 4.1, 0.4), ("distance", "213", -0.6, 0.2)]
    row = {
        "request_id": "7f2c-41", "version": "delay-7", "time": "2026-03-02T09:14:00", "row": 0,
        "explains": "the answer", "answer": 31.2, "base": 12.4, "others": 0.1, "features": [
            {"name": name, "value": value, "contribution": found, "error": error} for name, value, found, error in parts
        ],
    }  # fmt: skip
    assert plain(command._one(row)) == SHOWN[1]
