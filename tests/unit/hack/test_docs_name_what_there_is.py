"""The docs' tables name the conditions and reasons that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fairlead.plan.deployment import pins
from fairlead.plan.deployment.evidence import memory
from fairlead.plan.deployment.experiment import tell
from fairlead.plan.deployment.rollback import afterwards, readiness, world
from fairlead.plan.deployment.serving import ability, pods, scaling

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
CODE = "".join(path.read_text() for path in sorted((ROOT / "operator" / "fairlead").rglob("*.py")))
KUBERNETES = {"WatchList"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_reason_in_a_table_is_one_that_is_given(page: Path) -> None:
    rows = "".join(line for line in page.read_text().splitlines(keepends=True) if line.startswith("|"))
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", rows)) - KUBERNETES
    assert [one for one in sorted(named) if one.removesuffix("AfterPromotion") not in CODE] == []


def test_one_page_has_all_conditions_of_a_deployment() -> None:
    page = (ROOT / "docs" / "how-to" / "watch-a-rollout.md").read_text()
    elsewhere = [one.CONDITION for one in (ability, afterwards, memory, pins, readiness, scaling, tell, world)]
    here = re.findall(r'told\.set\(\s*"(\w+)"', (ROOT / "operator/fairlead/plan/deployment/report.py").read_text())
    assert here
    first = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert [one for one in {*here, *elsewhere, pods.FOREIGN} if f"`{one}`" not in first] == []
