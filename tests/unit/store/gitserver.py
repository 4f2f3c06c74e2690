"""A real git server on loopback: `git http-backend`, as Apache or nginx run it."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

WHO = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]


def git(folder: Path, *args: str, stdin: bytes = b"") -> str:
    """What git says."""
    done = subprocess.run(["git", *WHO, *args], cwd=folder, input=stdin, check=True, capture_output=True)
    return done.stdout.decode().strip()


@dataclass
class Origin:
    """A repository that is worked in, and served."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *, filters: bool = True) -> Origin:
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "-b", "main")
        git(folder, "config", "uploadpack.allowFilter", str(filters).lower())
        return cls(folder)

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "work") -> str:
        """Write files (None: remove), and commit; the commit's name."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_bytes(text.encode() if isinstance(text, str) else text)
        git(self.folder, "add", "-A", "-f")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.folder, "rev-parse", "HEAD")

    def crafted(self, tree: bytes, ref: str = "refs/heads/crafted") -> str:
        """A commit with a tree of these bytes, which git itself would not make."""
        made = git(self.folder, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=tree)
        commit = git(self.folder, "commit-tree", made, "-m", "crafted")
        git(self.folder, "update-ref", ref, commit)
        return commit

    def blob(self, body: bytes) -> str:
        """The name of an object with these bytes."""
        return git(self.folder, "hash-object", "-w", "--stdin", stdin=body)


@dataclass
class Server:
    """What is served, and what was asked."""

    root: Path
    url: str = ""
    login: str = ""
    """`user:password` that it wants; empty: none."""
    away: bool = False
    redirect: str = ""
    asked: list[str] = field(default_factory=list)

    def repository(self, name: str) -> str:
        """Its address."""
        return f"{self.url}/{name}"


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """All repositories below a folder, on a free port of loopback."""
    told = Server(root)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, told))
    told.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, told: Server, *args: object) -> None:
        self._told = told
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        told = self._told
        told.asked.append(f"{self.command} {self.path}")
        if told.away:
            return self._say(503, {}, b"away")
        if told.redirect:
            return self._say(301, {"Location": told.redirect + self.path}, b"")
        wanted = "Basic " + base64.b64encode(told.login.encode()).decode()
        if told.login and self.headers.get("Authorization") != wanted:
            return self._say(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(told.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        status = int(headers.pop("Status", "200 OK").split()[0])
        return self._say(status, headers, rest)

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def serving_as_of_old(origin: Origin) -> Iterator[str]:
    """dulwich's own server, which speaks the protocol before version 2: no filters, and all names at once. Its
    address."""
    app = make_wsgi_chain(DictBackend({"/r": Repo(str(origin.folder))}))
    http = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/r"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
