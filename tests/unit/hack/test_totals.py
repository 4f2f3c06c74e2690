"""What `make test` runs, and when, and what it tells: by pytest's reports, in which a test may stand twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hack import test as stages

PASSED, FAILED, SKIPPED = "", "<failure/>", "<skipped/>"
ERROR = "<error/>"


def report(path: Path, *cases: tuple[str, str]) -> None:
    inside = "".join(f'<testcase classname="tests.a" name="{name}">{what}</testcase>' for name, what in cases)
    path.write_text(f"<testsuites><testsuite>{inside}</testsuite></testsuites>")


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages, "LOGS", tmp_path)
    return tmp_path


def counted(passed: int = 0, failed: int = 0, skipped: int = 0, again: int = 0) -> dict[str, int]:
    return {"passed": passed, "failed": failed, "skipped": skipped, "passed only when run again": again}


@pytest.mark.usefixtures("logs")
def test_nothing_was_run() -> None:
    assert stages.totals() == counted()


def test_reports_are_added_up(logs: Path) -> None:
    report(logs / "unit.xml", ("one", PASSED), ("two", SKIPPED))
    report(logs / "real.xml", ("three", PASSED), ("four", FAILED))
    assert stages.totals() == counted(passed=2, failed=1, skipped=1)


def test_what_passes_when_run_again_has_passed_and_is_told(logs: Path) -> None:
    report(logs / "real.xml", ("one", FAILED), ("two", FAILED), ("three", PASSED))
    report(logs / "real-again.xml", ("one", PASSED), ("two", FAILED))
    assert stages.totals() == counted(passed=2, failed=1, again=1)


@pytest.mark.parametrize("cases", [(PASSED, ERROR), (ERROR, PASSED), (ERROR,)])
def test_a_test_that_fails_to_clean_up_has_failed(logs: Path, cases: tuple[str, ...]) -> None:
    report(logs / "real.xml", *(("one", case) for case in cases))
    assert stages.totals() == counted(failed=1)


def kept(folder: str) -> str:
    return f'<properties><property name="kept" value="{folder}"/></properties><failure/>'


def test_what_failed_the_first_time_is_told_last_with_its_state(logs: Path) -> None:
    report(logs / "real.xml", ("one", kept("/log/failed/one")), ("two", kept("/log/failed/two")), ("three", PASSED))
    report(logs / "real-again.xml", ("one", PASSED), ("two", kept("/log/failed/two-2")))
    report(logs / "unit.xml", ("four", FAILED))
    assert stages.told(logs) == [
        "", "FAILED THE FIRST TIME:",
        "  tests.a::one: passed when run again: why did it fail?",
        "    its objects, events and logs: /log/failed/one",
        "  tests.a::two: failed again",
        "    its objects, events and logs: /log/failed/two",
        "    its objects, events and logs: /log/failed/two-2",
        "  tests.a::four: not run again",
    ]  # fmt: skip
    report(logs / "real.xml", ("one", PASSED))
    report(logs / "real-again.xml")
    report(logs / "unit.xml", ("four", PASSED))
    assert stages.told(logs) == []


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, list[str]]]:
    """Plays stages; what began and what ended, in order. `meet`: those that end only when all of them have begun."""

    def play(*names: str, bad: str = "", meet: tuple[str, ...] = ()) -> tuple[bool, list[str]]:
        seen, together = list[str](), threading.Barrier(max(1, len(meet)), timeout=20)

        def run(stage: stages.Stage, _number: int, _of: int) -> bool:
            seen.append(f"{stage.name} begins")
            if stage.name in meet:
                together.wait()
            seen.append(f"{stage.name} ends")
            return stage.name != bad

        monkeypatch.setattr(stages, "run_stage", run)
        return stages.run_all(stages.choose(list(names))), seen

    return play


def test_the_cluster_is_made_beside_what_needs_none(played: Callable[..., tuple[bool, list[str]]]) -> None:
    good, seen = played(meet=("cluster", "venv"))
    assert good
    good, seen = played(meet=("install", "unit"))
    assert good
    order = {what: number for number, what in enumerate(seen)}
    for first, then in (
        ("venv", "lint"), ("lint", "unit"), ("venv", "install"), ("cluster", "install"), ("unit", "contract"),
        ("install", "contract"), ("contract", "real"), ("real", "demo"),
    ):  # fmt: skip
        assert order[f"{first} ends"] < order[f"{then} begins"]


def test_stages_that_are_chosen_keep_their_order(played: Callable[..., tuple[bool, list[str]]]) -> None:
    assert played("cluster", "demo") == (True, ["cluster begins", "cluster ends", "demo begins", "demo ends"])


def test_after_a_failure_nothing_begins(played: Callable[..., tuple[bool, list[str]]]) -> None:
    good, seen = played(bad="lint")
    assert not good
    assert "unit begins" not in seen
    assert "contract begins" not in seen
