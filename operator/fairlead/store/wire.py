"""How bytes go to a store and come back: botocore's HTTP session, with connections that keep to the thread's terms.

The bound is where the bytes arrive, at the socket. So it holds for all that is read: a status line, headers, the length
of a chunk, a body that is longer than it says or comes one byte at a time.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSResponse,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from fairlead.store.errors import ForeignAnswerError, SpentError, StoreError
from fairlead.store.terms import current

TAGS = 1 << 16
"""Of one answer. A full page of a listing has some 25,000; each is an object in memory, however short it is."""


PARTS = 2 * TAGS
"""Of one answer: tags, attributes, lines and references to characters, each of which is an object too. Those 25,000
tags, each in a line of its own, and ten of the others in each key, are half as many."""


def _bounded(sock: socket.socket, receive: Callable[[], int]) -> int:
    terms = current()
    if terms is None:
        return receive()
    left, patience = terms.left(), sock.gettimeout()
    if patience is None or patience > left:
        sock.settimeout(left)
    received = receive()
    terms.received(received)
    return received


class _Socket(socket.socket):
    def recv_into(self, *wanted: Any) -> int:
        return _bounded(self, partial(super().recv_into, *wanted))


class TlsSocket(ssl.SSLSocket):
    def recv_into(self, *wanted: Any) -> int:
        return _bounded(self, partial(super().recv_into, *wanted))


class Checked:
    """A connection to an address that was looked at, and to no other one that the name may mean a moment later."""

    def _new_conn(self: Any) -> socket.socket:
        terms = current()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        if terms and terms.check and self.proxy is None:  # a proxy is the platform's, and looks names up itself
            for *_, address in found:
                terms.check(str(address[0]))
        failed: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in found:
            sock = _Socket(family, kind, protocol)
            try:
                sock.settimeout(min(self.timeout, terms.left()) if terms else self.timeout)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.connect(address)
                return sock
            except OSError as error:
                failed = error
                sock.close()
            except SpentError:
                sock.close()
                raise
        if isinstance(failed, TimeoutError):
            raise ConnectTimeoutError(self, f"connection to {self.host} timed out") from failed
        raise NewConnectionError(self, f"failed to establish a new connection: {failed}") from failed

    def _consume_headers(self, fp: Any) -> None:
        """Those after `100 Continue`. botocore's own goes on for ever when the store hangs up."""
        while fp.readline() not in (b"\r\n", b""):
            pass


class _Connection(Checked, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TlsConnection(Checked, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Session(URLLib3Session):
    """Sends requests as botocore does, follows no redirects, and keeps to the terms."""

    _pool_classes_by_scheme: dict[str, Any]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool_classes_by_scheme.update({"http": _Pool, "https": _TlsPool})

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()  # type: ignore[misc]
        context.sslsocket_class = TlsSocket
        return context

    def send(self, request: Any) -> AWSResponse:
        """Raises botocore's HTTPClientError, StoreError, SpentError and ForeignAnswerError."""
        terms = current()
        if terms is not None:
            terms.asked()
        try:
            response: AWSResponse = super().send(request)
        except HTTPClientError as error:
            cause = error.kwargs.get("error")
            if isinstance(cause, (StoreError, SpentError)):
                raise cause from error
            raise
        if not request.stream_output or response.status_code >= 300:
            _acceptable(response.content)
        return response


def _acceptable(body: bytes) -> None:
    """Before it is parsed: no document of S3 declares entities, and none has so many elements."""
    if b"\0" in body or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ForeignAnswerError("it is no document of S3")
    if body.count(b"<") > TAGS or sum(map(body.count, (b"<", b"=", b"&", b"\n", b"\r"))) > PARTS:
        raise SpentError("bytes")
