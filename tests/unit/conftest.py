"""For all pure tests."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings
from tests.effort import SOAK

# how long an example takes is up to the machine, and to what else it does
settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("soak" if SOAK else "ci")


def pytest_collection_finish() -> None:
    """What was imported stays for good: it is not searched for cycles again and again while the tests run."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator asks for has minutes to come: a machine that is busy with other things is no slow server."""
    from fairlead.engine import resolve
    from fairlead.signals import answers, http, pods, prometheus

    for kind in resolve.LIMITS:
        monkeypatch.setitem(resolve.LIMITS, kind, 300.0)
    for module, name in [
        (resolve, "PATIENCE"), (resolve, "LISTING"), (resolve, "EVIDENCE"), (resolve, "TURN"), (answers, "SECONDS"),
        (resolve, "LOG"), (resolve, "LOGS"), (resolve, "LOG_TURN"),
        (http, "CONNECT"), (pods, "SCRAPE_SECONDS"), (pods, "READY_SECONDS"), (prometheus, "QUERY_SECONDS"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, 300.0)


@pytest.fixture
def own_garbage() -> None:
    """What other tests have left in memory is not searched for cycles in the time that this one measures."""
    gc.collect()
    gc.freeze()
