"""A store on this machine that does what a tenant's store may do: what, the bucket's name says."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>'
)
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
    "<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise("abcdefghi")
) + ']><ListBucketResult><Name>&i;</Name><IsTruncated>false</IsTruncated></ListBucketResult>'  # fmt: skip


def page(*entries: str, token: str = "") -> bytes:
    """A page of a listing; with a token, one that is not the last."""
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    return PAGE.format((more if token else "<IsTruncated>false</IsTruncated>") + "".join(entries)).encode()


def entry(key: str, size: object = 3) -> str:
    return ENTRY.format(key=key, size=size)


class Store(ThreadingHTTPServer):
    """Counts what it was asked. `go` ends what hangs; `slowness`: seconds that `slow` takes else."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Answers)
        self.go, self.asked, self.elsewhere = threading.Event(), list[str](), ""
        self.slowness = 12.0
        self._changed = threading.Condition()
        self.kept: dict[str, bytes] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who has asked may have gone: that is no error here."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def came(self, bucket: str) -> None:
        """A request for a bucket has come."""
        with self._changed:
            self.asked.append(bucket)
            self._changed.notify_all()

    def wait_for(self, number: int) -> bool:
        """Wait until so many have come; False if they don't."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.asked) >= number, 60.0)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List, or read."""
        url = urlsplit(self.path)
        _, bucket, key = (*url.path.split("/", 2), "")[:3]
        self.server.came(bucket)
        token = parse_qs(url.query).get("continuation-token", ["0"])[0]
        with suppress(OSError):  # who has asked has gone
            if key:
                self.read(bucket)
            else:
                BUCKETS.get(bucket.rstrip("0123456789-"), good)(self, int(token))

    def do_PUT(self) -> None:
        """Keep."""
        bucket = urlsplit(self.path).path.split("/")[1]
        self.server.came(bucket)
        if bucket == "hangup":
            self.close_connection = True
            return
        self.server.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.whole(b"")

    def handle_expect_100(self) -> bool:
        """`hangup` says that it goes on, and goes."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n" + b"\r\n" * (not self.path.startswith("/hangup")))
        return True

    def read(self, bucket: str) -> None:
        """A document."""
        if bucket == "longer":  # than it says
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        if bucket == "longline":
            self.trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * (1 << 16), 0.0)
        if bucket == "trickle":
            self.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x", 0.02)
        self.whole(self.server.kept.get(self.path, b"{}"))

    def whole(self, body: bytes, status: int = 200, **headers: str) -> None:
        """An answer as it should be."""
        self.send_response(status)
        mark = {"x-amz-request-id": "1"} if status == 200 else {}  # as S3 does, which says no in S3's words
        for name, value in {"Content-Length": str(len(body)), **mark, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, head: bytes, more: bytes, every: float) -> None:
        """An answer that does not end."""
        self.close_connection = True
        self.wfile.write(head)
        while not self.server.go.is_set():
            self.wfile.write(more)
            time.sleep(every)


def good(one: Answers, _: int) -> None:
    one.whole(page(*(entry(f"in/{n}") for n in range(3))))


def slow(one: Answers, _: int) -> None:
    one.server.go.wait(one.server.slowness)
    one.whole(page(entry("in/a")))


def redirected(status: int) -> Callable[[Answers, int], None]:
    return lambda one, _: one.whole(b"", status, Location=f"{one.server.elsewhere}/good")


BUCKETS: dict[str, Callable[[Answers, int], None]] = {
    "slow": slow,
    "bucket": slow,
    "endless": lambda one, n: one.whole(page(*(entry(f"in/{n:09}-{m:04}") for m in range(1000)), token=str(n + 1))),
    "pages": lambda one, n: one.whole(page(token=str(n + 1))),
    "again": lambda one, _: one.whole(page(entry("in/a"), token="7")),
    "unordered": lambda one, n: one.whole(
        page(*(entry(f"in/{10**9 - n:09}-{m:0500}") for m in range(1000)), token=str(n + 1))
    ),
    "trickle": lambda one, _: one.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" ", 0.02),
    "headers": lambda one, _: one.trickle(b"HTTP/1.1 200 OK\r\nx-a: ", b"a", 0.02),
    "continue": lambda one, _: one.trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.0),
    "giant": lambda one, _: one.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n", b" " * (1 << 20), 0.0),
    "chunks": lambda one, _: one.trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536, 0.0),
    "tags": lambda one, _: one.whole(page("<a/>" * 1_000_000)),
    "attributes": lambda one, _: one.whole(page("<a " + " ".join(f'a{n}=""' for n in range(300_000)) + "/>")),
    "lines": lambda one, _: one.whole(page("<Key>" + "ab\n" * 1_300_000 + "</Key>")),
    "references": lambda one, _: one.whole(page("<Key>" + "&amp;ab" * 500_000 + "</Key>")),
    "bomb": lambda one, _: one.whole(BOMB.encode()),
    "wide": lambda one, _: one.whole(BOMB.encode("utf-16")),
    "html": lambda one, _: one.whole(b"<html><body>secret</body></html>"),
    "json": lambda one, _: one.whole(b'{"token": "secret"}'),
    "empty": lambda one, _: one.whole(b""),
    "digits": lambda one, _: one.whole(page(entry("in/a", "9" * 100_000))),
    "huge": lambda one, _: one.whole(page(entry("in/a", "9" * 4000))),
    "float": lambda one, _: one.whole(page(entry("in/a", "1e999"))),
    "negative": lambda one, _: one.whole(page(entry("in/a", -5))),
    "nested": lambda one, _: one.whole(page("<a>" * 40_000 + "</a>" * 40_000)),
    "nameless": lambda one, _: one.whole(page("<Contents><Size>1</Size></Contents>")),
    "dated": lambda one, _: one.whole(page(entry("in/a").replace("2026-01", "the day"))),
    "refuses": lambda one, _: one.whole(b"<Error><Code>Odd</Code><Message>secret</Message></Error>", 403),
    "fails": lambda one, _: one.whole(b"secret", 500),
    "moved": redirected(301),
    "elsewhere": redirected(307),
}


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Store]:
    """The store, while it is needed, at one of this machine's addresses."""
    with Store(host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.go.set()
            server.shutdown()
