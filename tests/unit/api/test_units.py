"""Durations, percentages and how lengths of time are shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fairlead.api import schema
from fairlead.api.units import LONGEST, human, seconds, share

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
PARTS = st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4)


@given(PARTS)
@settings(max_examples=100)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert seconds(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.text(alphabet="0123456789mshd. -", max_size=8))
@settings(max_examples=200)
def test_what_the_schema_accepts_can_be_read_and_what_can_be_read_is_parsed(text: str) -> None:
    try:
        length = seconds(text)
    except ValueError:
        length = None
    for name in ("Duration", "Span"):
        adapter = TypeAdapter(getattr(schema, name))
        accepted = re.fullmatch(adapter.json_schema()["pattern"], text) is not None
        assert length is not None or not accepted
        assert not accepted or name == "Duration" or length >= 1
        try:
            assert adapter.validate_python(text) == text
            parsed = True
        except ValidationError:
            parsed = False
        assert parsed == (length is not None)


def test_a_length_beyond_all_times_is_a_century() -> None:
    assert seconds("10000000000000000d") == LONGEST
    assert seconds("999d") == 999 * 86400


@pytest.mark.parametrize("text", ["", "5", "m", "1.5h", "-1s", "1h 30m", "10 s", "1w"])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 30s"):
        seconds(text)


@pytest.mark.parametrize(("text", "expected"), [("0%", 0.0), ("0.5%", 0.005), ("100%", 1.0), ("250%", 2.5)])
def test_a_share(text: str, expected: float) -> None:
    assert share(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "0.05", "five%"])
def test_not_a_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"%|could not convert"):
        share(text)


@given(st.decimals(min_value=0, max_value=99999, places=2))
@settings(max_examples=100)
def test_every_percentage_that_the_schema_accepts_can_be_read(number: object) -> None:
    text = f"{number}%"
    assert TypeAdapter(schema.Percent).validate_python(text) == text
    assert share(text) == pytest.approx(float(str(number)) / 100)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "0ms"), (0.85, "850ms"), (1, "1s"), (4.24, "4.2s"), (59.9, "59.9s"), (60, "1m00s"), (190, "3m10s"),
        (7500, "2h05m"), (86400, "1d0h"), (273_600, "3d4h"),
    ],
)  # fmt: skip
def test_lengths_as_people_read_them(length: float, expected: str) -> None:
    assert human(length) == expected


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Name", ["a", "delay-12", "1st"], ["", "A", "-a", "a-", "a.b", "a" * 64]),
        ("Key", ["a", "_x", "dep_delay"], ["", "1a", "a-b", "a b"]),
        ("Decimal", ["1", "-0.5", "1e6", "2.5E-3"], ["", ".5", "1.", "NaN", "inf", "1,5"]),
        ("Cores", ["1", "500m", "1.5"], ["", "8GB", "-1", "1 Gi"]),
        ("Memory", ["1", "8Gi", "1.5Gi"], ["", "8GB", "-1", "1 Gi"]),
        ("S3Uri", ["s3://abc/x", "s3://abc/x/"], ["s3://abc", "s3://abc/", "http://abc/x", "s3://A/x"]),
        ("Digest", ["0" * 64], ["0" * 63, "G" * 64, "A" * 64]),
    ],
)
def test_forms_of_values(name: str, good: list[str], bad: list[str]) -> None:
    adapter = TypeAdapter(getattr(schema, name))
    for text in good:
        assert adapter.validate_python(text) == text
    for text in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
