"""Requests that were answered long ago, sent once more: to the version before, which runs beside this program.

A body that was kept is sent as it came, and the answer is read as the recorder reads one. So between the two answers to
a request there is no difference but the version's. A request that is not answered (a refusal, an answer without an
output, one that takes too long) has no output here; a server that breaks off comes back, or ends the task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import urllib3

from fairlead.api.tasks import Subject
from fairlead.worker import oip
from fairlead.worker.record import extract
from fairlead.worker.record.names import BODY_LIMIT

AT_ONCE = 4
"""Requests under way: a server that was made for one node's traffic is not to be flooded."""
READ = 60.0
"""Seconds until an answer."""
LONGEST = 900.0
"""Seconds after the first answer from which on no more are sent: what is known by then counts."""
_TRIES = 3


class Again:
    """A version's server, asked once more."""

    def __init__(self, subject: Subject, pointer: str | None, ready_timeout: float) -> None:
        self._server = oip.Server(subject.subject, subject.url, subject.name, ready_timeout, subject.ready)
        self._url = f"{subject.url.rstrip('/')}/v2/models/{subject.name}/infer"
        self._pointer = pointer
        timeout = urllib3.Timeout(connect=5, read=READ)
        self._http = urllib3.PoolManager(timeout=timeout, retries=False, maxsize=AT_ONCE)
        self._began: float | None = None

    def outputs(self, bodies: Sequence[str]) -> Iterator[str | None]:
        """The outputs, in order, as JSON text; None where there is none; fewer where they take too long. Raises
        TaskFailed (ServerFailed) when the server does not begin to answer, or breaks off and doesn't come back."""
        if not bodies:
            return
        if self._began is None:
            self._server.wait(bodies[0].encode())
            self._began = time.monotonic()
        rest = iter(bodies)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # some at a time: of a server that is slow the last one is not waited for
            while time.monotonic() - self._began < LONGEST and (some := list(islice(rest, AT_ONCE * 16))):
                yield from pool.map(self._output, some)

    def _output(self, body: str) -> str | None:
        for _ in range(_TRIES):
            try:
                return self._ask(body.encode())
            except urllib3.exceptions.TimeoutError:
                return None
            except urllib3.exceptions.HTTPError:
                self._server.wait(body.encode())
        return None  # one that ends the server each time would have had no answer

    def _ask(self, body: bytes) -> str | None:
        headers = {"Content-Type": "application/json"}
        answer = self._http.request("POST", self._url, body=body, headers=headers, preload_content=False)
        with closing(answer):
            found = answer.read(BODY_LIMIT + 1, decode_content=False)
            if len(found) <= BODY_LIMIT:
                answer.release_conn()  # read to its end: the next request may use it
        if not 200 <= answer.status <= 299 or len(found) > BODY_LIMIT:
            return None
        kind, encoding = answer.headers.get("content-type", ""), answer.headers.get("content-encoding", "")
        output = extract.output(found, kind, encoding, self._pointer)
        return None if output == extract.NONE else output
