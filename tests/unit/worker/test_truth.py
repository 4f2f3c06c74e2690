"""What counts as a right answer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.guard import Loss
from fairlead.worker.truth import Rule, number, wrong


@pytest.mark.parametrize(
    ("output", "label", "tolerance", "found"),
    [
        ("1", "1", "0", False), ('"1"', "1", "0", False), ("1.0", "1", "0", False), ("1", "01", "0", False),
        ("true", "1", "0", False), ('"True"', "true", "0", False), ("false", "1", "0", True),
        ("true", "yes", "0", True),
        ('"cat"', "cat", "0", False), ('"Cat"', "cat", "0", True), ('" cat"', "cat", "0", True),
        ('"cat"', "1", "0", True),
        ("[1]", "1", "0", False), ("[[1]]", "1", "0", False), ("[1, 1]", "1", "0", None), ("[]", "1", "0", None),
        ('"yes"', "yes", "0", False), ('"T"', "T", "0", False), ('"T"', "F", "0", True), ("true", "T", "0", True),
        ("[" * 100_000, "1", "0", True), ("9" * 100_000, "9", "0", True), ("[" * 900 + "]" * 900, "1", "0", None),
        ("2.5", "3", "0.5", False), ("2.4", "3", "0.5", True), ("1e3", "1000.4", "0.5", False),
        ("NaN", "1", "100", True), ("Infinity", "1", "100", True), ("NaN", "nan", "0", True),
        ("9007199254740993", "9007199254740992", "0", True), ("null", "1", "0", True),
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}', "0", False),
    ],
)  # fmt: skip
def test_right_and_wrong(output: str, label: str, tolerance: str, found: bool | None) -> None:
    assert wrong(output, label, Rule(Decimal(tolerance)), "r-1") is found


@pytest.mark.parametrize(
    ("output", "label", "tolerance", "found"),
    [
        ('"007"', "007", "0", False), ('"7"', "007", "0", True), ('"1.0"', "1", "0", True), ('"1e2"', "100", "0", True),
        ("7", "007", "0", False), ("1.0", "1", "0", False), ("true", "True", "0", False), ("true", "1", "0", False),
        ('"True"', "true", "0", False), ('"true"', "1", "0", True), ('"T"', "T", "0", False), ('"t"', "T", "0", True),
        ('"2.4"', "2.5", "0.5", False),
    ],
)  # fmt: skip
def test_d08_labels_of_a_text_column_are_compared_as_text(output: str, label: str, tolerance: str, found: bool) -> None:
    assert wrong(output, label, Rule(Decimal(tolerance), text=True), "r-1") is found


ABSOLUTE, SQUARED = (Rule(loss=loss, cap=Decimal(10)) for loss in ("absolute", "squared"))
IDS = [f"r-{number}" for number in range(4000)]


def share(output: str, label: str, rule: Rule) -> float:
    """Of many requests, those whose answer is drawn as wrong."""
    return sum(bool(wrong(output, label, rule, one)) for one in IDS) / len(IDS)


@pytest.mark.parametrize(
    ("output", "label", "rule", "loss"),
    [
        ("3", "3", ABSOLUTE, 0), ("[[5.5]]", "3", ABSOLUTE, 0.25), ("0", "5", ABSOLUTE, 0.5), ("-7", "3", ABSOLUTE, 1),
        ("1e999", "3", ABSOLUTE, 1), ("NaN", "3", ABSOLUTE, 1), ('"far"', "3", ABSOLUTE, 1),
        ("5", "3", SQUARED, 0.4), ("7", "3", SQUARED, 1), ("1e300", "3", SQUARED, 1), ("true", "0", SQUARED, 0.1),
        ("0.5", "0", Rule(loss="squared", cap=Decimal("0.5")), 0.5),
    ],
)  # fmt: skip
def test_an_answer_is_drawn_as_wrong_with_the_chance_of_its_loss(
    output: str, label: str, rule: Rule, loss: float
) -> None:
    assert share(output, label, rule) == pytest.approx(loss, abs=0.03)
    if loss in (0, 1):
        assert share(output, label, rule) == loss


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.text(max_size=40), st.sampled_from([ABSOLUTE, SQUARED]))
def test_of_two_answers_only_the_farther_one_can_be_wrong_alone(a: float, b: float, one: str, rule: Rule) -> None:
    near, far = sorted((a, b), key=abs)
    assert wrong(repr(far), "0", rule, one) or not wrong(repr(near), "0", rule, one)


FARTHEST = "9e999999999999999999"


@pytest.mark.parametrize("loss", ["wrong", "absolute", "squared"])
@pytest.mark.parametrize(
    ("output", "label", "far"),
    [
        ("3", "9e9999999", True), ('"9e9999999"', "3", True), ('"-9e9999999"', "9e9999999", True),
        ('"9e9999999"', "9e9999999", False), (f'"-{FARTHEST}"', FARTHEST, True), (f'"{FARTHEST}"', FARTHEST, False),
        ('"1e-9999999"', "3", True), ("3", "0e9999999", True), ("0", "0e-9999999", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cap", ["1", "9e-9999999"])
def test_numbers_of_any_size_are_near_or_far(output: str, label: str, far: bool, loss: Loss, cap: str) -> None:
    rule = Rule(loss=loss, cap=Decimal(cap))
    assert all(wrong(output, label, rule, one) is far for one in IDS[:20])


@pytest.mark.parametrize("cap", ["9e9999999", FARTHEST])
def test_a_loss_of_any_size_has_its_part_of_the_cap(cap: str) -> None:
    for loss in ("absolute", "squared"):
        rule = Rule(loss=loss, cap=Decimal(cap))
        assert all(wrong(f'"-{FARTHEST}"', FARTHEST, rule, one) for one in IDS[:20])
        assert not any(wrong("5", "3", rule, one) for one in IDS[:20])


def test_what_has_no_loss_is_not_judged() -> None:
    assert wrong("3", "unknown", ABSOLUTE, "r-1") is None
    assert wrong("[1, 2]", "1", ABSOLUTE, "r-1") is None


@pytest.mark.parametrize("text", ["", "one", "1_000", "nan", "inf", "0x1", "1,5"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None
