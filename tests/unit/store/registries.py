"""A registry on this machine, by the distribution API: what it does, the repository's name says."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
LOGIN = "Basic " + base64.b64encode(b"me:hush").decode()


def manifest(number: int) -> bytes:
    """The n-th one."""
    return json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"n": str(number)}}
    ).encode()


def digest(number: int) -> str:
    """Of the n-th one."""
    return f"sha256:{hashlib.sha256(manifest(number)).hexdigest()}"


@dataclass(frozen=True)
class Asked:
    """A request that has come."""

    method: str
    path: str
    headers: dict[str, str] = field(compare=False)


class Registry(ThreadingHTTPServer):
    """Tags by `repository:tag`. `go` ends what hangs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.tags: dict[str, int] = {}
        self.asked: list[Asked] = []
        self.go, self.realm, self.elsewhere = threading.Event(), f"http://{self.host}/token", ""

    @property
    def host(self) -> str:
        """As images name it."""
        return f"127.0.0.1:{self.server_address[1]}"

    def paths(self, method: str = "") -> list[str]:
        """What was asked for."""
        return [one.path for one in self.asked if method in ("", one.method)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who has asked may have gone: that is no error here."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Of a manifest."""
        self._any()

    def do_GET(self) -> None:
        """A manifest, or a token."""
        self._any()

    def _any(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers.items())))
        with suppress(OSError):
            if url.path == "/token":
                self._token(parse_qs(url.query))
            else:
                self._manifest(url.path)

    def _token(self, query: dict[str, list[str]]) -> None:
        scope = query.get("scope", [""])[0]
        if "private" in scope and self.headers.get("Authorization") != LOGIN:
            return self.say(401, b"{}")
        if "strange" in scope:
            return self.say(200, b"[1, 2")
        if "newline" in scope:
            return self.say(200, json.dumps({"token": "a\r\nHost: other"}).encode())
        word = "access_token" if "other" in scope else "token"
        self.say(200, json.dumps({word: f"for {scope}"}).encode())

    def _manifest(self, path: str) -> None:
        repository, _, tag = path.removeprefix("/v2/").partition("/manifests/")
        first = repository.partition("/")[0]
        known = self.headers.get("Authorization", "")
        if first == "hang":
            self.server.go.wait(60)
        if first in ("public", "private", "other", "strange", "newline", "denied") and known != \
                f"Bearer for repository:{repository}:pull":  # fmt: skip
            said = f'Bearer realm="{self.server.realm}",service="here",scope="repository:{repository}:pull"'
            return self.say(401, b"{}", {"WWW-Authenticate": said})
        if first == "basic" and known != LOGIN:
            return self.say(401, b"{}", {"WWW-Authenticate": 'Basic realm="here"'})
        if first == "denied":
            return self.say(403, b"{}")
        if first == "busy":
            return self.say(429, b"{}")
        if first == "moved":
            return self.say(307, b"", {"Location": self.server.elsewhere or f"/v2/open/manifests/{tag}"})
        if first == "html":
            return self.say(200, b"<html>hello</html>")
        if first == "broken":
            return self.say(500, b"secret words of what listens here")
        if first == "huge":
            return self.say(200, b"{" + b" " * (5 << 20) + b"}")
        number = self.server.tags.get(f"{repository}:{tag}")
        if number is None:
            return self.say(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        headers = {} if first == "plain" else {"Docker-Content-Digest": digest(number)}
        self.say(200, manifest(number), {"Content-Type": INDEX, **headers})

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer."""
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry, for as long as it is needed."""
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
