"""A request to a Service through the API server: as it is, and told apart from what the API server says itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from kubernetes.aio import client as k8s

from fairlead.cluster import errors
from fairlead.cluster.client import ANSWER, HttpKube

BODY = b'{"inputs": [ {"data": [1.0, null]}]}\n'
PATH = "/api/v1/namespaces/team/services/web-1:8080/proxy/v2/models/m/infer"


@pytest_asyncio.fixture
async def door() -> AsyncIterator[tuple[HttpKube, dict]]:
    """With a server in the API server's place, and what it has got and answers."""
    state: dict = {"status": 200, "body": "[1]"}

    async def answer(asked: web.Request) -> web.Response:
        state.update(path=asked.path_qs, got=await asked.read(), headers=asked.headers)
        headers = {"x-server": "mine"} | ({"Location": state["location"]} if "location" in state else {})
        return web.Response(status=state["status"], text=state["body"], headers=headers)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = k8s.Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    configuration.api_key = {"BearerToken": "Bearer token-of-alice"}
    kube = HttpKube(configuration)
    yield kube, state
    await kube.close()
    await runner.cleanup()


async def post(kube: HttpKube, path: str = "/v2/models/m/infer"):
    return await kube.post("team", "web-1:8080", path, BODY, {"Content-Type": "application/json"})


async def test_a_request_goes_through_as_it_is(door) -> None:
    kube, state = door
    reply = await post(kube)
    assert (reply.status, reply.body, reply.headers["x-server"]) == (200, b"[1]", "mine")
    assert (state["path"], state["got"]) == (PATH, BODY)
    assert state["headers"]["Authorization"] == "Bearer token-of-alice"
    await post(kube, "/predict?a=b c")
    assert state["path"].endswith("/proxy/predict?a=b%20c")


@pytest.mark.parametrize("body", ["no such row", '{"error": "no"}', '["Status"]', ""])
async def test_an_error_of_the_server_is_its_answer(door, body) -> None:
    kube, state = door
    state.update(status=403, body=body)
    assert (await post(kube)).status == 403


async def test_an_error_of_the_api_server_is_its_own(door) -> None:
    kube, state = door
    state.update(status=403, body='{"kind": "Status", "apiVersion": "v1", "message": "alice cannot create it"}')
    with pytest.raises(errors.Forbidden, match="alice cannot"):
        await post(kube)
    state.update(status=503, body='{"kind": "Status", "apiVersion": "v1", "message": "no endpoints"}')
    with pytest.raises(errors.Unavailable, match="no endpoints"):
        await post(kube)


async def test_no_answer_at_all() -> None:
    configuration = k8s.Configuration()
    configuration.host = "http://127.0.0.1:9"
    kube = HttpKube(configuration)
    with pytest.raises(errors.Unavailable, match="no answer from the API server"):
        await post(kube)
    await kube.close()


@pytest.mark.parametrize("path", ["/../../x", "/a/..", "/%2e%2e/%2E%2E/x", "/..%2f..%2fx", "/a/./b", "/..\\\\x"])
async def test_no_path_leads_out_of_the_service(door, path) -> None:
    """A version's author could else have whoever asks it write what they like, with that person's rights."""
    kube, state = door
    with pytest.raises(ValueError, match="leads out of the service"):
        await post(kube, path)
    assert "path" not in state


async def test_a_redirection_is_an_answer_and_not_followed(door) -> None:
    kube, state = door
    state.update(status=307, location="/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
    reply = await post(kube)
    assert (reply.status, reply.headers["Location"]) == (307, state["location"])
    assert state["path"] == PATH


async def test_an_answer_without_end_is_refused(door) -> None:
    kube, state = door
    state["body"] = "x" * (ANSWER + 1)
    with pytest.raises(errors.ApiError, match="more than 4 MiB"):
        await post(kube)
