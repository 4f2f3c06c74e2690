"""What tests of the SDK share."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fairlead.sdk.modules import load


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example, imported as `fairlead export` imports it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return load(Path(__file__).parent / "flow.py")
