"""Says whether the server beside it has started: it can answer, and it answers golden rows as it should.

The kubelet's start-up probe of the *server* asks here, so what is said holds for each process of each pod (the first
one, a new one after a crash, those of pods that are made when nobody watches), and afterwards nothing asks here any
more: what becomes of the recorder is nothing to a pod that has started. It is part of the process that keeps the
recorder running, without which the pod would not be in service anyway, and does with bare sockets: an HTTP server would
double its memory.

A row that can't be compared stops nothing: only a difference does.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fairlead.monitor.golden import PATH

OK, SKEW, NOT_YET = 200, 409, 503
SECONDS = 60.0
"""That golden rows may take: the server's start-up probe waits for them."""
FRESH = 5.0
"""Seconds in which a verdict is told to all who ask: the kubelet need not be the first. Later it is told once."""
AGAIN = 300.0
"""Seconds after which a server that differs is asked once more: what it lacked may have come."""
ASKING, ANSWER = 5.0, 5.0
"""Seconds for the server's own word, as many as the kubelet gives it, and for a request here."""
REST = 0.25
"""Seconds for the rest of a body: only people read it."""
LINE, HEAD, KEPT = 2048, 16384, 600
"""Bytes of a request that are read, of an answer's head, and of what the server says that are handed on."""
CALLERS = 16
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What came of the golden rows."""

    state: str
    """`Ok`, `Skew` or `Unknown`."""
    reason: str
    message: str
    at: float = 0.0

    @property
    def status(self) -> int:
        """Of HTTP."""
        return SKEW if self.state == "Skew" else OK

    @property
    def text(self) -> str:
        """For people, and for the operator."""
        return f"{self.state} {self.reason}: {self.message}"


class Gate:
    """Answers the start-up probe. command: prints a verdict as JSON, and ends."""

    def __init__(self, told: Mapping[str, Any], command: Sequence[str]) -> None:
        self._server, self._ready, self._port = int(told["server"]), str(told["ready"]), int(told["port"])
        self._command = command
        self._lock = threading.Lock()
        self._asking = False
        self._known: Verdict | None = None
        self._used = True
        """What is known is of another process of the server, or of none."""
        self._callers = threading.Semaphore(CALLERS)
        self._socket = socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)

    def start(self) -> int:
        """Listen, from a thread of its own; returns the port. Raises OSError when it is taken."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._socket.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(("", self._port))
        self._socket.listen(CALLERS)
        threading.Thread(target=self._listen, name="gate", daemon=True).start()
        return int(self._socket.getsockname()[1])

    def _listen(self) -> None:
        while True:
            try:
                self._next()
            except (OSError, RuntimeError) as error:  # a caller that is gone, or no more files or threads for now
                log.warning("a caller was not answered", extra={"error": str(error)})
                time.sleep(REST)

    def _next(self) -> None:
        caller, _ = self._socket.accept()
        if not self._callers.acquire(blocking=False):
            caller.close()
            return
        try:
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()
        except RuntimeError:
            self._callers.release()
            caller.close()
            raise

    def _serve(self, caller: socket.socket) -> None:
        try:
            with caller, suppress(OSError):
                caller.settimeout(ANSWER)
                words = caller.recv(LINE).split(b" ", 2)
                path = words[1].decode("latin-1") if len(words) > 2 else ""
                caller.sendall(_reply(*self.said(path)))
        finally:
            self._callers.release()

    def said(self, path: str) -> tuple[int, str]:
        """Status and text. At PATH what is known is told, and nothing begins."""
        if path != PATH:
            return self._started()
        known = self._known
        return (known.status, known.text) if known else (NOT_YET, "golden rows were not asked for yet")

    def _started(self) -> tuple[int, str]:
        """The start-up probe's question. It is not asked again of a process that has started: who asks again asks of
        another one."""
        with self._lock:
            if self._asking:
                return NOT_YET, "the server can answer, and is asked for golden rows"
        status, text = ask(self._server, self._ready)
        with self._lock:
            if self._asking:
                return NOT_YET, "the server can answer, and is asked for golden rows"
            if not OK <= status < 400:  # as the kubelet has it
                self._used = True
                return status or NOT_YET, text
            known = None if self._used else self._known
            if known is None or (known.status == SKEW and time.monotonic() > known.at + AGAIN):
                self._asking = True
                threading.Thread(target=self._ask, name="golden", daemon=True).start()
                return NOT_YET, "the server can answer, and is asked for golden rows"
            self._used = known.status == OK and time.monotonic() > known.at + FRESH
            return known.status, known.text

    def _ask(self) -> None:
        found = self._verdict()
        log.info("golden rows", extra={"state": found.state, "reason": found.reason, "said": found.message})
        with self._lock:
            self._known, self._used, self._asking = found, False, False

    def _verdict(self) -> Verdict:
        """Whatever goes wrong, it is not known then."""
        try:
            ended = subprocess.run(self._command, capture_output=True, timeout=SECONDS, check=False)
            said = json.loads(ended.stdout)
            words = str(said["state"]), str(said["reason"]), str(said["message"])
        except subprocess.TimeoutExpired:
            words = "Unknown", "TooSlow", f"golden rows were not answered within {SECONDS:g} s"
        except OSError as error:
            words = "Unknown", "NotAsked", f"golden rows can't be asked for: {error}"
        except (ValueError, KeyError, TypeError):
            why = ended.stderr.decode(errors="replace")[-300:].strip()
            words = "Unknown", "NotAsked", f"golden rows can't be asked for: {why}"
        return Verdict(*words, time.monotonic())


def ask(port: int, path: str) -> tuple[int, str]:
    """Status of the server's answer and its beginning; 0 and why where there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), ASKING) as asked:
            question = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
            asked.sendall(question.encode("latin-1"))
            head, body = _read(asked)
    except OSError as error:
        return 0, "nothing listens" if isinstance(error, ConnectionRefusedError) else f"no answer: {error}"
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1][:3].isdigit():
        return 0, "the answer is no HTTP"
    return int(words[1][:3]), body[:KEPT].decode(errors="replace")


def _read(asked: socket.socket) -> tuple[bytes, bytes]:
    """Head and beginning of an answer. Raises OSError where there is no head in time. A server may leave the connection
    open, and need not say how long its body is: what has come by then is its beginning."""
    answer, until = b"", time.monotonic() + ASKING
    while b"\r\n\r\n" not in answer and len(answer) < HEAD:
        answer += (more := _more(asked, until))
        if not more:
            break
    head, _, body = answer.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: *(\d{1,9})", head, re.IGNORECASE)
    wanted = min(KEPT, int(found[1])) if found else KEPT
    with suppress(TimeoutError):
        while len(body) < wanted and (more := _more(asked, min(until, time.monotonic() + REST))):
            body += more
    return head, body


def _more(asked: socket.socket, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    asked.settimeout(left)
    return asked.recv(LINE)


def _reply(status: int, text: str) -> bytes:
    body = text.encode()[: 2 * KEPT]
    head = f"HTTP/1.0 {status} {'OK' if status == OK else 'No'}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode("latin-1") + body
