"""Selectors: what they accept, and what is refused before it can do harm."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api.selectors import unescape
from fairlead.signals.errors import SignalError
from fairlead.signals.selector import Selector, parse


def accepts(selector: str, **labels: str) -> bool:
    return any(one.accepts(labels) for one in parse(selector))


def test_a_bare_name_takes_all_series():
    assert parse("requests_total") == (Selector("requests_total"),)
    assert parse("requests_total{}") == (Selector("requests_total"),)
    assert accepts("requests_total", code="500")


@pytest.mark.parametrize(
    ("selector", "code", "expected"),
    [
        ('r{code="200"}', "200", True), ('r{code="200"}', "500", False), ('r{code!="200"}', "500", True),
        ('r{code=~"5.."}', "503", True), ('r{code=~"5.."}', "5034", False), ('r{code!~"5.."}', "503", False),
        ('r{code=~"4..|5.."}', "404", True), ('r{ code = "200" , }', "200", True),
        ('r{code=~"(?:4|5).*"}', "404", True),
    ],
)  # fmt: skip
def test_matchers(selector, code, expected):
    assert accepts(selector, code=code) is expected


def test_a_label_that_is_not_there_is_empty():
    assert accepts('r{code=""}') is True
    assert accepts('r{code!="200"}') is True
    assert accepts('r{code=~".+"}') is False


def test_several_are_added_up():
    assert [one.name for one in parse('ok_total{m="a"} + failed_total')] == ["ok_total", "failed_total"]


def test_values_may_hold_anything():
    assert accepts(r'r{path="a\"},b\\"}', path='a"},b\\')
    assert unescape(r"a\nb") == "a\nb"


@pytest.mark.parametrize(
    "text",
    ["", "1abc", "r{", "r{code}", 'r{code="200"', "r{code=200}", "r x", "r + ", 'r{code=~"("}', 'r{code=~"[z-a]"}'],
)
def test_what_is_no_selector_is_refused_with_an_example(text):
    with pytest.raises(SignalError) as caught:
        parse(text)
    assert caught.value.reason == "BadSelector"
    assert "Write for example" in caught.value.message


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|aa)*b",
        "a*a*a*a*b",
        "a?" * 30 + "a" * 30,
        r"(a)\\1",
        "(?=a)b",
        "(a|a)" * 20 + "b",
        "(?:a|(?:b|a))" * 9,
        "(a|b)(a|b)(a|b)(a|b)(a|b).*.*c",
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern):
    with pytest.raises(SignalError, match=r"very long|none"):
        parse(f'r{{x=~"{pattern}"}}')


@pytest.mark.parametrize("pattern", [
    "4..|5..", "(?:prod|staging|dev)-.*", "2[0-9]{2}", "(4|5)[0-9]{2}", "/v1/(chat|completions|embeddings)",
    "|".join(f"/path/{i}" for i in range(20)), r"a\\(b\\|c", "[(|)]" * 12,
])  # fmt: skip
def test_patterns_as_people_write_them_are_taken(pattern):
    assert parse(f'r{{x=~"{pattern}"}}')


@pytest.mark.parametrize(
    "pattern", [".*a.*b", "[ab]*[ab]*c", "a?a?a?a?[ab]*[ab]*c", "(a|a)" * 8 + "b", "(a|a)" * 8 + ".*c"]
)
def test_the_slowest_allowed_pattern_is_fast(pattern):
    selector = parse(f'r{{x=~"{pattern}"}}')[0]
    started = time.thread_time()
    selector.accepts({"x": "a" * 100_000})
    assert time.thread_time() - started < 0.05


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_text_is_a_selector_or_refused(text):
    with suppress(SignalError):
        assert parse(text)
