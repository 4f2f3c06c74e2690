"""How bytes come from a git server: urllib3, with connections that keep to the thread's terms (see `store.wire`).

Redirects are not followed, and packs only come from the server that was asked: another address has not been looked at.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any, NoReturn

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from fairlead.store.errors import StoreError
from fairlead.store.terms import current
from fairlead.store.wire import Checked, TlsSocket

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 30.0
"""Seconds. The second is for what comes at once; how long all of it may take, the terms of the work say."""


@cache
def _context() -> ssl.SSLContext:
    """Made once: it reads all certificates of the system."""
    context = ssl.create_default_context()
    context.sslsocket_class = TlsSocket
    return context


class _Connection(Checked, HTTPConnection):
    pass


class _TlsConnection(Checked, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Web(urllib3.PoolManager):
    """Requests to one server. Each answer is bounded by the terms of the thread's work, as they were when the request
    was sent."""

    def __init__(self, base: str) -> None:
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
        super().__init__(1, timeout=timeout, retries=False, ssl_context=_context())
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._base = base

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]  # noqa: ARG002
        """Raises StoreError for another server, and for an answer that sends elsewhere or is compressed."""
        if not url.startswith(self._base):
            _elsewhere(self._base, url)
        terms = current()
        if terms is not None:
            terms.asked()
        found = super().urlopen(method, url, redirect=False, **kw)
        if 300 <= found.status < 400:
            found.close()
            _elsewhere(self._base, str(found.headers.get("Location", "")))
        if found.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            found.close()
            raise StoreError(
                "BadTask", f"{self._base} answers compressed, though it was asked not to; switch it off there"
            )
        return found


def _elsewhere(base: str, to: str) -> NoReturn:
    shown = to.split("?")[0].removesuffix("/info/refs")[:200] or "another address"
    raise StoreError(
        "EndpointRefused", f"{base} sends to {shown!r}, and that is not followed; write the address where the "
        "repository is"
    )  # fmt: skip
