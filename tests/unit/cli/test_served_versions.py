"""What a person may go back to is read from the record, and of a release without records from beside it."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.api import halves
from fairlead.api.deploymentstatus import DeploymentStatus, Live
from fairlead.api.pinned import Pinned
from fairlead.cli.decide import was_live
from fairlead.cli.session import Problem

STATUS = DeploymentStatus(
    live=Live(version="m-3", since="2026-01-01T00:00:00Z"), previous="m-2", served=[Pinned(name="m-1")]
)


@pytest.mark.parametrize(
    "status", [halves.written(STATUS), STATUS.model_dump(mode="json", by_alias=True, exclude_none=True)],
    ids=["record", "no record"],
)  # fmt: skip
def test_only_what_was_live_is_gone_back_to(status: dict[str, Any]) -> None:
    raw = {"metadata": {"name": "web"}, "status": status}
    for version in ("m-1", "m-2", "m-3"):
        was_live(raw, version)
    with pytest.raises(Problem, match="m-9 was never live"):
        was_live(raw, "m-9")
