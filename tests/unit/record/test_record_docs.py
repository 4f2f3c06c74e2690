"""docs/how-to/keep-answers.md says what `/counts` says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fairlead.worker.record.bins import MARKS, Bins
from fairlead.worker.record.choice import RATE
from fairlead.worker.record.names import SHARES
from fairlead.worker.record.rows import REASONS

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "keep-answers.md"
SECTION = PAGE.read_text().partition("## Count what they are like")[2].partition("\n## ")[0]


def rows(table: str) -> list[str]:
    """The names in the first column of a table."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [name for line in lines for name in re.findall(r"`([a-z]+)`", line.split("|")[1])]


def test_the_example_has_what_a_page_has() -> None:
    shown = json.loads(SECTION.partition("```json")[2].partition("```")[0])
    page = json.loads(Bins("boot", "", None).page(1.0))
    assert list(shown) == list(page)
    assert set(shown["tally"]) == set(page["tally"])


def test_each_field_and_each_reason_is_told() -> None:
    fields, reasons = SECTION.partition("Read are requests")[::2]
    page = json.loads(Bins("boot", "", None).page(1.0))
    assert {*rows(fields), "at"} == {*page, *page["tally"]} - {"tally"}
    assert set(rows(reasons)) == set(REASONS)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"About {RATE:g} requests a second" in SECTION
    assert f"the last {MARKS}" in SECTION
    assert ", ".join("1" if one == 256 else f"1/{256 // one}" for one in SHARES) in SECTION
