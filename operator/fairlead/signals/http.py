"""HTTP with bounds: on time, and on the size of what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from fairlead.signals.errors import SignalError


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    text: str


async def fetch(
    session: aiohttp.ClientSession, method: str, url: str, *, seconds: float, limit: int, **options: Any
) -> Reply:
    """One request. seconds: total time allowed; limit: bytes of the answer allowed; options go to aiohttp.

    Raises SignalError (Timeout, Unreachable, TooLarge). Redirects are not followed: a pod that answers for another
    address would be judged by the other's counters.
    """
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 0.5))
    try:
        async with session.request(method, url, timeout=timeout, allow_redirects=False, **options) as response:
            body = await _read(response, limit, url)
            return Reply(response.status, body.decode("utf-8", "replace"))
    except TimeoutError as error:
        raise SignalError("Timeout", f"{url} did not answer within {seconds:g} s. Is it overloaded?") from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
        raise SignalError(
            "Unreachable", f"{url} can't be read: {_words(error)}. Is the server up, and does a NetworkPolicy allow it?"
        ) from error


async def _read(response: aiohttp.ClientResponse, limit: int, url: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise SignalError("TooLarge", f"{url} answered more than {limit // 1024} KiB. Export fewer series there.")
        chunks.append(chunk)
    return b"".join(chunks)


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
