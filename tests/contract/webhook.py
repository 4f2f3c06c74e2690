"""A mutating webhook that a test runs itself: it does to the pods of its namespaces what clusters do to pods."""

from __future__ import annotations

import base64
import copy
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.contract.apiserver import ApiServer

Json = dict[str, Any]
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@contextmanager
def mutating(server: ApiServer, name: str, folder: Path, change: Callable[[Json], None]) -> Iterator[None]:
    """While the block runs, `change` is applied to each new pod of the namespaces with the label `webhook: <name>`."""
    _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    hook = ThreadingHTTPServer(("127.0.0.1", 0), _handler(change))
    hook.socket = context.wrap_socket(hook.socket, server_side=True)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    made = server.call("POST", HOOKS, _configuration(name, folder, hook.server_address[1]))
    assert made.ok, made.message
    try:
        yield
    finally:
        server.call("DELETE", f"{HOOKS}/{name}")
        hook.shutdown()


def _certificate(folder: Path) -> None:
    """Of its own, for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key",
         "-out", folder / "tls.crt"],
        check=True, capture_output=True,
    )  # fmt: skip


def _configuration(name: str, folder: Path, port: int) -> Json:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "pods.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 5,
            "namespaceSelector": {"matchLabels": {"webhook": name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "clientConfig": {
                "url": f"https://127.0.0.1:{port}/",
                "caBundle": base64.b64encode((folder / "tls.crt").read_bytes()).decode(),
            },
        }],
    }  # fmt: skip


def _handler(change: Callable[[Json], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            spec = copy.deepcopy(request["object"]["spec"])
            change(spec)
            patch = json.dumps([{"op": "replace", "path": "/spec", "value": spec}]).encode()
            review = {
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch",
                             "patch": base64.b64encode(patch).decode()},
            }  # fmt: skip
            body = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
