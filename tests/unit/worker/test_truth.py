"""What counts as a right answer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fairlead.worker.truth import number, wrong


@pytest.mark.parametrize(
    ("output", "label", "tolerance", "found"),
    [
        ("1", "1", "0", False), ('"1"', "1", "0", False), ("1.0", "1", "0", False), ("1", "01", "0", False),
        ("true", "1", "0", False), ('"True"', "true", "0", False), ("false", "1", "0", True),
        ("true", "yes", "0", True),
        ('"cat"', "cat", "0", False), ('"Cat"', "cat", "0", True), ('" cat"', "cat", "0", True),
        ('"cat"', "1", "0", True),
        ("[1]", "1", "0", False), ("[[1]]", "1", "0", False), ("[1, 1]", "1", "0", None), ("[]", "1", "0", None),
        ("2.5", "3", "0.5", False), ("2.4", "3", "0.5", True), ("1e3", "1000.4", "0.5", False),
        ("NaN", "1", "100", True), ("Infinity", "1", "100", True), ("NaN", "nan", "0", True),
        ("9007199254740993", "9007199254740992", "0", True), ("null", "1", "0", True),
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}', "0", False),
    ],
)  # fmt: skip
def test_right_and_wrong(output: str, label: str, tolerance: str, found: bool | None) -> None:
    assert wrong(output, label, Decimal(tolerance)) is found


@pytest.mark.parametrize("text", ["", "one", "1_000", "nan", "inf", "0x1", "1,5"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None
