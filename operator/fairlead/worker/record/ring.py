"""The newest answers, in memory, for whoever compares them."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice

ANSWERS = 20_000
BYTES = 8 << 20
INPUT_BYTES = 4 << 20
PAGE = 2 << 20
"""Bytes of answers in one page; an answer is less than 5 KiB."""


class Ring:
    """Bounded in answers and bytes, drops the oldest; safe to be read from another thread."""

    def __init__(self, boot: str, answers: int = ANSWERS, size: int = BYTES, inputs: int = INPUT_BYTES) -> None:
        self._boot, self._answers, self._size, self._inputs_size = boot, answers, size, inputs
        self._lines: deque[tuple[str, bytes]] = deque()
        self._inputs: OrderedDict[str, str] = OrderedDict()
        self._last = 0
        self._held = self._inputs_held = 0
        self._lock = threading.Lock()

    @property
    def last(self) -> int:
        """The number of the newest answer; 0: there was none."""
        return self._last

    def add(self, request_id: str, row: str, given: str | None = None) -> int:
        """Take an answer (members of a JSON list) and what was asked; returns its number, the last one's plus 1."""
        with self._lock:
            self._last += 1
            line = f"[{self._last},{row}]".encode()
            self._lines.append((request_id, line))
            self._held += len(line)
            while self._held > self._size or len(self._lines) > self._answers:
                self._held -= len(self._lines.popleft()[1])
            if given is not None:
                self._keep(request_id, given)
            return self._last

    def _keep(self, request_id: str, given: str) -> None:
        self._inputs_held += len(given) - len(self._inputs.pop(request_id, ""))
        self._inputs[request_id] = given
        while self._inputs_held > self._inputs_size:
            self._inputs_held -= len(self._inputs.popitem(last=False)[1])

    def after(self, number: int, limit: int) -> bytes:
        """JSON: the answers with a greater number, the oldest of them (`limit`, and PAGE bytes, at most); `next` is
        what to ask for then; `dropped` of those asked for are gone."""
        with self._lock:
            first = self._last - len(self._lines) + 1
            number = min(max(number, 0), self._last)
            begin = max(number + 1, first)
            found = _page(islice(self._lines, begin - first, begin - first + limit))
        dropped, following = begin - number - 1, begin + len(found) - 1
        head = f'{{"boot":"{self._boot}","next":{following},"dropped":{dropped},"answers":['
        return head.encode() + b",".join(found) + b"]}"

    def of(self, request_id: str) -> bytes | None:
        """JSON: what is known of a request; None: nothing any more."""
        with self._lock:
            found = [line for one, line in self._lines if one == request_id]
            given = self._inputs.get(request_id)
        if not found and given is None:
            return None
        return b'{"answers":[' + b",".join(found) + b'],"input":' + json.dumps(given).encode() + b"}"


def _page(lines: Iterable[tuple[str, bytes]]) -> list[bytes]:
    found: list[bytes] = []
    size = 0
    for _, line in lines:
        size += len(line)
        if size > PAGE and found:
            break
        found.append(line)
    return found
