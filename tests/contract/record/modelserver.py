"""`python modelserver.py PORT`: a model server that answers as it is asked to."""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web


async def infer(request: web.Request) -> web.Response:
    """Doubles the first input's data; `status` in the query is the answer's."""
    asked = json.loads(await request.read())
    data = [2 * value for value in asked["inputs"][0]["data"]]
    status = int(request.query.get("status", "200"))
    body = {"outputs": [{"name": "predict", "data": data}]} if status == 200 else {"error": "no"}
    return web.json_response(body, status=status)


async def classify(request: web.Request) -> web.Response:
    """1 where the first input is above 16, with probabilities."""
    values = json.loads(await request.read())["inputs"][0]["data"]
    outputs = [
        {"name": "predict", "datatype": "INT64", "shape": [len(values), 1], "data": [int(one > 16) for one in values]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [len(values), 2],
         "data": [[1 - one / 32, one / 32] for one in values]},
    ]  # fmt: skip
    return web.json_response({"outputs": outputs})


async def echo(request: web.Request) -> web.Response:
    """The request's body."""
    return web.Response(body=await request.read(), content_type="application/octet-stream")


async def stream(request: web.Request) -> web.StreamResponse:
    """Server-sent events of the OpenAI API, with pauses."""
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    for word in ("one ", "two ", "three"):
        event = json.dumps({"choices": [{"delta": {"content": word}}]})
        await reply.write(f"data: {event}\n\n".encode())
        await asyncio.sleep(0.3)
    await reply.write(b"data: [DONE]\n\n")
    return reply


async def seen(request: web.Request) -> web.Response:
    """The request's headers."""
    return web.json_response(dict(request.headers))


async def ready(_: web.Request) -> web.Response:
    """Yes."""
    return web.Response(text="ok")


def main(port: int) -> None:
    """Serve."""
    application = web.Application(client_max_size=1 << 28)
    application.router.add_post("/infer", infer)
    application.router.add_post("/v2/models/delay/infer", classify)
    application.router.add_post("/echo", echo)
    application.router.add_post("/stream", stream)
    application.router.add_post("/headers", seen)
    application.router.add_get("/v2/health/ready", ready)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
