"""A server as somebody has it who has never heard of Fairlead: a port of its own, /healthz, /predict, a key, a file.

`python3 plain_server.py PORT`. The model is JSON; `errorRate` of its answers are failures."""

from __future__ import annotations

import json
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = json.loads(next(Path("/fairlead/model").glob("*.json")).read_text())
KEY = Path("/fairlead/secrets/scorer-key/token").read_text()
WORDS = json.loads(Path("/etc/scorer/words.json").read_text())


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Health."""
        self.answer(200 if self.path == "/healthz" else 404, b"{}")

    def do_POST(self) -> None:
        """A prediction; an empty row is always answered."""
        row = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.path != "/predict":
            self.answer(404, b"{}")
            return
        code = 500 if row and random.random() < MODEL.get("errorRate", 0.0) else 200
        told = {"model": MODEL["name"], "greeting": WORDS["greeting"], "key": len(KEY)}
        self.answer(code, json.dumps(told).encode())

    def answer(self, code: int, body: bytes) -> None:
        """Send it."""
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are many."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
