"""The operator asks a real git server: seldom, from its own threads, and only where it may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.unit.store.gitserver import Origin, Server, serving

from fairlead.api.config import OperatorConfig
from fairlead.engine.repositories import Repositories
from fairlead.plan.requests import UNDERWAY, Answer, Failed, GitSeen, ReadGit
from fairlead.store.endpoints import Rules


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("git")) as server:
        Origin.made(server.root / "r").commit({"training/train.py": "1"})
        yield server


def asking(allow: list[str], clock: list[float]) -> Repositories:
    config = OperatorConfig.model_validate({"images": {"worker": "none"}, "endpoints": {"allow": allow}})
    return Repositories(Rules(config), lambda: clock[0])


async def told(asked: Repositories, request: ReadGit) -> Answer:
    """The answer, once it is there."""
    async with asyncio.timeout(30):
        while True:
            answer = await asked.read(request)
            if not (isinstance(answer, Failed) and answer.reason == UNDERWAY):
                return answer


async def test_an_answer_is_kept_as_long_as_who_asks_wants_it(served: Server) -> None:
    clock = [0.0]
    asked, origin = asking(["127.0.0.0/8"], clock), Origin(served.root / "r")
    request = ReadGit("team", served.repository("r"), "main", "training", age=300.0)
    first = await told(asked, request)
    assert isinstance(first, GitSeen)
    assert len(first.tree) == 40
    moved, number = origin.commit({"training/train.py": "2"}), len(served.asked)
    clock[0] = 299.0
    assert await told(asked, request) == first
    assert len(served.asked) == number
    looked = await told(asked, replace(request, look="a webhook"))
    clock[0] = 300.0
    again = await told(asked, request)
    assert isinstance(looked, GitSeen)
    assert isinstance(again, GitSeen)
    assert looked.commit == again.commit == moved
    asked.close()


async def test_it_does_not_knock_at_loopback_unless_it_may(served: Server) -> None:
    asked = asking([], [0.0])
    for url in (served.repository("r"), served.repository("r").replace("127.0.0.1", "localhost"),
                "http://kubernetes.default.svc/x", "http://169.254.169.254/latest"):  # fmt: skip
        answer = await told(asked, ReadGit("team", url, "main"))
        assert isinstance(answer, Failed)
        assert (answer.reason, served.asked) == ("EndpointRefused", [])
        assert "endpoints.allow" in answer.message
    asked.close()


async def test_a_failure_is_not_kept_for_long(served: Server) -> None:
    clock = [0.0]
    asked = asking(["127.0.0.0/8"], clock)
    request = ReadGit("team", served.repository("r"), "main", age=3600.0)
    served.away = True
    answer = await told(asked, request)
    assert isinstance(answer, Failed)
    assert answer.reason == "Unreachable"
    served.away, clock[0] = False, 31.0
    assert isinstance(await told(asked, request), GitSeen)
    asked.close()
