"""What the recorder answers over HTTP: the newest answers, its counters, whether it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import generate_latest

from fairlead.worker.record.counts import REGISTRY
from fairlead.worker.record.ring import ANSWERS, Ring

_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
Reply = tuple[str, str, bytes]
Counts = Callable[[str], bytes]
"""The page of counts, with those since a mark."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it is asked every second."""


def start(port: int, ring: Ring, counts: Counts) -> WSGIServer:
    """Answer on `port` from a thread of its own. counts: what `/counts` says. Raises OSError when the port is taken."""

    def application(environment: dict[str, Any], begin: Callable[..., Any]) -> Iterable[bytes]:
        status, kind, body = reply(ring, counts, environment)
        begin(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body] if environment["REQUEST_METHOD"] != "HEAD" else []

    server = make_server("", port, application, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def reply(ring: Ring, counts: Counts, environment: dict[str, Any]) -> Reply:
    """Status line, content type and body for a WSGI request."""
    path = str(environment.get("PATH_INFO", ""))
    if environment.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return "405 Method Not Allowed", _TEXT, b"only GET\n"
    if path == "/healthz":
        return "200 OK", _TEXT, b"ok\n"
    if path == "/metrics":
        return "200 OK", _TEXT, generate_latest(REGISTRY)
    if path == "/counts":
        return "200 OK", _JSON, counts(parse_qs(str(environment.get("QUERY_STRING", ""))).get("since", [""])[0])
    if path == "/answers":
        return _answers(ring, str(environment.get("QUERY_STRING", "")))
    if path.startswith("/answers/"):
        found = ring.of(unquote(path.removeprefix("/answers/")))
        return ("200 OK", _JSON, found) if found else ("404 Not Found", _TEXT, b"this request is not kept any more\n")
    return "404 Not Found", _TEXT, b"there are /answers, /answers/<request id>, /counts, /metrics and /healthz\n"


def _answers(ring: Ring, query: str) -> Reply:
    given = parse_qs(query)
    try:
        after, limit = (int(given.get(name, [default])[0]) for name, default in (("after", "0"), ("limit", "5000")))
    except ValueError:
        return "400 Bad Request", _TEXT, b"after and limit are whole numbers\n"
    return "200 OK", _JSON, ring.after(after, min(max(limit, 1), ANSWERS))
