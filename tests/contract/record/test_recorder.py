"""The proxy and the recorder as they run in a pod, with a real Envoy."""

from __future__ import annotations

import time
import uuid
from typing import Any

import aiohttp
from tests.contract.record.conftest import Pod, get


def body(*values: float) -> dict[str, Any]:
    """An inference request."""
    return {"inputs": [{"name": "x", "data": list(values)}]}


async def infer(http: aiohttp.ClientSession, pod: Pod, value: float, request_id: str = "", status: int = 200) -> Any:
    """Ask; the answer."""
    headers = {"x-request-id": request_id} if request_id else {}
    query = "" if status == 200 else f"?status={status}"
    async with http.post(f"{pod.url}/infer{query}", json=body(value), headers=headers) as reply:
        assert reply.status == status
        return await reply.json(), reply.headers


async def test_what_was_answered_is_recorded(pod: Pod) -> None:
    ids = [str(uuid.uuid4()) for _ in range(50)]
    began = time.time()
    async with aiohttp.ClientSession() as http:
        for number, one in enumerate(ids):
            _, headers = await infer(http, pod, number, one, 500 if number % 10 == 9 else 200)
            assert headers["x-request-id"] == one
            assert not [name for name in headers if name.lower().startswith("x-fairlead-record")]
        _, made = await infer(http, pod, 1)
    rows = pod.recorded(51)
    assert [row[0] for row in rows] == list(range(1, 52))
    by_id = {row[1]: row for row in rows}
    for number, one in enumerate(ids):
        _, _, at, status, latency, output, shadow, probability = by_id[one]
        assert (status, shadow, probability) == (500 if number % 10 == 9 else 200, False, 1.0)
        assert output == ({"error": "no"} if status == 500 else [2 * number])
        assert began <= at <= time.time()
        assert 0 < latency < 5000
    assert uuid.UUID(made["x-request-id"])
    assert made["x-request-id"] in by_id
    assert b"recorder_received_total 51.0" in get(f"http://127.0.0.1:{pod.answers_port}/metrics")
