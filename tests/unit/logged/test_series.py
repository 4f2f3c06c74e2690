"""Rule 19: numbers from steps are schema-checked, NaN and infinities are refused, and whatever stands in the file's
place is counted and told."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.api import logged
from fairlead.api.tasks import PublishResult
from fairlead.worker.series import Series, read


def written(folder: Path, body: bytes) -> Series:
    (folder / logged.METRICS).write_bytes(body)
    return read(folder, folder / "kept")


def kept(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line, parse_float=str) for line in (folder / "kept").read_text().splitlines()]


def test_the_last_value_is_shown_and_all_are_kept_with_their_steps(tmp_path: Path) -> None:
    body = b'{"name":"rmse","value":23.10,"step":0}\n{"name":"r2","value":1}\n{"name":"rmse","value":19.5,"step":1}\n'
    found = written(tmp_path, body)
    assert found.shown == {"rmse": "19.5", "r2": "1"}
    assert kept(tmp_path) == [
        {"name": "rmse", "step": 0, "value": "23.10"}, {"name": "r2", "value": 1},
        {"name": "rmse", "step": 1, "value": "19.5"},
    ]  # fmt: skip
    assert (found.values, found.left_out()) == (3, [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"name":"loss","value":NaN}', "loss that is NaN or infinite"),
        (b'{"name":"loss","value":Infinity}', "loss that is NaN or infinite"),
        (b'{"name":"loss","value":-Infinity}', "loss that is NaN or infinite"),
        (b'{"name":"loss","value":1e999}', "loss that is NaN or infinite"),
        (b'{"name":"loss","value":-1e309}', "loss that is NaN or infinite"),
        (b'{"name":"loss","value":"0.5"}', "loss without a number as its value"),
        (b'{"name":"loss","value":true}', "loss without a number as its value"),
        (b'{"name":"loss","value":null}', "loss without a number as its value"),
        (b'{"name":"loss","value":[1]}', "loss without a number as its value"),
        (b'{"name":"loss"}', "loss without a number as its value"),
        (b'{"name":"loss","value":0.12345678901234567890123456789012345}', "of more than 32 characters"),
        (b'{"name":"loss","value":' + b"9" * 400 + b"}", "NaN or infinite"),
        (b'{"name":"loss","value":1,"step":1.5}', "a step that is no whole number"),
        (b'{"name":"loss","value":1,"step":-1}', "a step that is no whole number"),
        (b'{"name":"loss","value":1,"step":true}', "a step that is no whole number"),
        (b'{"name":"loss","value":1,"step":99999999999999999999}', "a step that is no whole number"),
        (b'{"name":"loss","value":1,"value":2}', "with a member twice"),
        (b'{"name":"a-b","value":1}', "without a name"),
        (b'{"name":"","value":1}', "without a name"),
        (b'{"name":7,"value":1}', "without a name"),
        (b'{"name":"' + b"a" * 64 + b'","value":1}', "without a name"),
        (b'{"value":1}', "without a name"),
        (b"[1]", "no JSON object"),
        (b"7", "no JSON object"),
        (b"rmse=7", "no JSON"),
        (b"[" * 4000, "no JSON"),
        (b'{"name":"caf\xe9","value":1}', "not UTF-8"),
        (b'{"name":"loss","value":1,"note":"' + b"x" * 5000 + b'"}', "longer than 4096 bytes"),
    ],
)  # fmt: skip
def test_a_line_that_does_not_count_is_told_and_the_others_count(tmp_path: Path, line: bytes, why: str) -> None:
    found = written(tmp_path, b'{"name":"before","value":1}\n' + line + b'\n{"name":"after","value":2}\n')
    assert found.shown == {"before": "1", "after": "2"}
    assert found.refused.total() == 1
    assert why in found.left_out()[0]


def test_a_refused_value_does_not_stand_for_the_last_one_that_counts(tmp_path: Path) -> None:
    """A metric whose last value is NaN keeps the one before, and says how many were refused."""
    found = written(tmp_path, b'{"name":"loss","value":0.5}\n' + b'{"name":"loss","value":NaN}\n' * 3)
    assert found.shown == {"loss": "0.5"}
    assert found.left_out() == ["loss that is NaN or infinite: 3 lines"]


def test_a_truncated_last_line_is_counted_and_one_without_a_break_is_whole(tmp_path: Path) -> None:
    assert written(tmp_path, b'{"name":"a","value":1}\n{"name":"a","value":2').left_out() == [
        "no JSON (cut off, or not one object a line)"
    ]
    assert written(tmp_path, b'{"name":"a","value":1}\n{"name":"a","value":2}').shown == {"a": "2"}


def test_what_stands_in_the_files_place(tmp_path: Path) -> None:
    secret = tmp_path / "keys"
    secret.write_bytes(b'{"name":"secret","value":1}\n')
    place = tmp_path / "link"
    place.mkdir()
    (place / logged.METRICS).symlink_to(secret)
    assert read(place, tmp_path / "kept").values == 0
    assert "is no file that can be read" in read(place, tmp_path / "kept").left_out()[0]
    for name, make in (("folder", Path.mkdir), ("pipe", os.mkfifo)):
        where = tmp_path / name
        where.mkdir()
        make(where / logged.METRICS)
        assert read(where, tmp_path / "kept").left_out() == ["metrics.jsonl is no file"]
    assert read(tmp_path / "nowhere", tmp_path / "kept").left_out() == []


def test_bounds_of_names_values_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = b"".join(b'{"name":"m%d","value":%d}\n' % (i, i) for i in range(1100))
    found = written(tmp_path, many)
    assert (len(found.shown), found.values) == (logged.NAMES, logged.SERIES)
    assert found.left_out() == [
        "of metrics besides the first 1000: 100 lines", "968 metrics besides the first 32 are in the store only"
    ]  # fmt: skip
    monkeypatch.setattr(logged, "VALUES", 10)
    assert written(tmp_path, many).left_out() == ["what comes after 10 values in metrics.jsonl"]
    monkeypatch.setattr(logged, "VALUES", 1000)
    monkeypatch.setattr(logged, "BYTES", 100)
    found = written(tmp_path, many)
    assert 0 < found.values <= 5
    assert "what comes after 0 MiB" in found.left_out()[0]
    assert written(tmp_path, b"x" * 1_000_000).refused.total() == 1, "one endless line is read to the bound only"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_bytes_there_are_nothing_is_raised(tmp_path: Path, body: bytes) -> None:
    found = written(tmp_path, body)
    said = PublishResult(attempt=1, outputs=[], metrics=found.shown, left_out=found.left_out()[:16])
    assert all(Decimal(value).is_finite() for value in said.metrics.values())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_kept_exactly(tmp_path: Path, value: float) -> None:
    found = written(tmp_path, json.dumps({"name": "x", "value": value}).encode())
    assert float(found.shown["x"]) == value
    PublishResult(attempt=1, outputs=[], metrics=found.shown)
