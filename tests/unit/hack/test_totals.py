"""What `make test` counts: by the reports that pytest leaves, in which a test may stand twice."""

from __future__ import annotations

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
