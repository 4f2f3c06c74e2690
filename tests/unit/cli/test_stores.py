"""Where a command finds the store, and the Secret that opens it, and what it says when it may not."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
import yaml
from tests.unit.cli.test_commands import Memory

from fairlead.cli import session, stores
from fairlead.cli.main import main
from fairlead.cluster import errors
from fairlead.cluster.port import Page
from fairlead.store import s3 as store_s3

STORE = {"bucket": "fairlead", "endpoint": "http://s3.example.com:9000", "credentials": {"name": "s3"}}
SEGMENT = [
    {"t": 0.0, "rollout": {"steps": [{"weight": 10}], "falseAlarms": "5%"}, "version": "m-2", "against": "m-1"},
    {"t": 0.0, "margins": {"0/errors": {"odds": 1.0, "floor": 0.0}}},
    {
        "t": 1.0, "weight": 10, "logEvidence": {"0/errors": "2.376847680029294"},
        "arms": {"stable": {"requests": 900, "failures": 6}, "candidate": {"requests": 100, "failures": 4}},
    },
    {"t": 2.0, "end": "Live", "reason": "Promoted", "message": "m-2 is live"},
]  # fmt: skip


class Cluster(Memory):
    """With kinds that the caller may not read."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: set[str] = set()

    async def get(self, kind, namespace, name):
        if kind.kind in self.forbidden:
            raise errors.Forbidden(f"alice cannot get {kind.plural}", 403)
        return await super().get(kind, namespace, name)

    async def pages(self, kind, _namespace=None, **_options):
        if kind.kind in self.forbidden or (kind.kind == "ConfigMap" and f"{kind.kind}s" in self.forbidden):
            raise errors.Forbidden(f"alice cannot list {kind.plural}", 403)
        yield Page([o for (k, _), o in self.objects.items() if k == kind.kind], "1")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def installed(cluster: Cluster, store: dict | None = STORE) -> None:
    text = yaml.safe_dump({"images": {"worker": "w"}} | ({"store": store} if store else {}))
    cluster.put("ConfigMap", "fairlead", data={"config.yaml": text})


def find(cluster: Cluster, bucket: str) -> stores.Place:
    return asyncio.run(stores.find(session.Session(cluster, "airline"), bucket))


def test_b10_the_installations_store_is_found(cluster):
    installed(cluster)
    found = find(cluster, "fairlead")
    assert (found.endpoint, found.credentials) == ("http://s3.example.com:9000", "s3")
    assert found.said == "the installation's configuration"


def test_b10_whoever_may_not_list_may_have_been_given_this_one(cluster):
    installed(cluster)
    cluster.forbidden.add("ConfigMaps")
    assert find(cluster, "fairlead").endpoint == "http://s3.example.com:9000"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Dataset",
         {"store": {"bucket": "own", "credentials": {"name": "mine"}}, "source": {"s3": {"bucket": "other"}}}),
        ("Dataset", {"source": {"s3": {"bucket": "own", "credentials": {"name": "mine"}}}}),
        ("Pipeline", {"store": {"bucket": "own", "credentials": {"name": "mine"}}}),
        ("ModelVersion",
         {"artifact": {"uri": "s3://own/m", "sha256": "ab" * 32, "credentials": {"name": "mine"}}}),
    ],
)  # fmt: skip
def test_b10_an_object_of_the_namespace_names_it(cluster, kind, spec):
    installed(cluster)
    cluster.put(kind, "rides", spec=spec)
    found = find(cluster, "own")
    assert found == stores.Place("http://s3.example.com:9000", "", "mine", f"{kind} rides")
    cluster.forbidden.update(("ConfigMap", "ConfigMaps"))
    assert find(cluster, "own") == stores.Place("", "", "mine", f"{kind} rides")  # nobody says where the rest is


def test_a_store_that_nobody_names_is_aws(cluster):
    cluster.forbidden.add("ConfigMap")
    found = find(cluster, "fairlead")
    assert (found.endpoint, found.credentials) == ("", "")
    assert "which can't be read (alice cannot get configmaps)" in found.said


# --- the whole way -------------------------------------------------------------------------------------------------


@pytest.fixture
def s3():
    """As much of S3 as lists and reads one object; its address."""

    class Handler(BaseHTTPRequestHandler):
        keys: ClassVar[list[str]] = []

        def do_GET(self):
            self.keys.append(self.headers["Authorization"].split("Credential=")[1].split("/")[0])
            body = "\n".join(map(json.dumps, SEGMENT)).encode()
            if "list-type" in self.path:
                body = (
                    b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>l/00000.jsonl</Key>"
                    b'<Size>9</Size><ETag>"e"</ETag></Contents></ListBucketResult>'
                )
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/xml")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def own_keys(monkeypatch) -> Iterator[None]:
    """The caller's own, as AWS's chain finds them: once in a process, so nobody else's may be known, nor stay."""
    known = (store_s3._core, store_s3._made)
    for one in known:
        one.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yield
    for one in known:
        one.cache_clear()


@pytest.fixture
def replay(cluster, monkeypatch) -> Callable[..., int]:
    async def connect(_kubeconfig):
        return cluster

    monkeypatch.setattr(session, "_kube", connect)
    record = {
        "version": "m-2", "against": "m-1", "result": "Live", "reason": "Promoted", "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-01T00:01:00Z", "ledger": "s3://fairlead/l/", "weight": 10,
        "stable": {"requests": 900, "failures": 6}, "candidate": {"requests": 100, "failures": 4},
    }  # fmt: skip
    cluster.put("Deployment", "delay", status={"history": [record]},
                spec={"model": {"name": "m"}, "route": {"gateway": {"name": "public"}}})  # fmt: skip
    data = {"AWS_ACCESS_KEY_ID": "found", "AWS_SECRET_ACCESS_KEY": "secret"}
    cluster.put("Secret", "s3", data={k: base64.b64encode(v.encode()).decode() for k, v in data.items()})
    return lambda *words: main(["replay", "deployment/delay", "-n", "airline", *words])


def test_b10_replay_finds_the_store_and_its_secret_by_itself(cluster, replay, s3, capsys):
    installed(cluster, STORE | {"endpoint": s3[0]})
    assert replay() == 0
    assert "to the last bit" in capsys.readouterr().out
    assert set(s3[1].keys) == {"found"}


@pytest.mark.usefixtures("own_keys")
def test_b10_a_missing_right_is_named_with_the_options(cluster, replay, s3, capsys):
    installed(cluster, STORE | {"endpoint": s3[0]})
    cluster.forbidden.add("Secret")
    assert replay() == session.DENIED
    told = capsys.readouterr().err
    for words in ("Secret 's3' of namespace 'airline'", "alice cannot get secrets", "--credentials ''"):
        assert words in told
    s3[1].keys.clear()
    assert replay("--credentials", "") == 0
    assert set(s3[1].keys) == {"mine"}


def test_b10_a_missing_secret_and_another_store_are_said(cluster, replay, s3, capsys):
    installed(cluster, STORE | {"endpoint": "http://127.0.0.1:9"})
    del cluster.objects["Secret", "s3"]
    assert replay() == session.NOT_FOUND
    assert (
        "is not there, where the store's keys are according to the installation's configuration"
        in capsys.readouterr().err
    )
    assert replay("--endpoint", s3[0], "--credentials", "s3") == session.NOT_FOUND
    assert "according to the options" in capsys.readouterr().err


def test_an_address_of_the_clusters_network_is_its_services(cluster, replay, s3):
    port = s3[0].rpartition(":")[2]
    installed(cluster, STORE | {"endpoint": f"http://s3.store.svc:{port}"})
    cluster.put("Service", "s3", spec={"clusterIP": "127.0.0.1"})
    assert replay() == 0


def test_b10_where_no_service_answers_kubectl_forwards(cluster, replay, s3, capsys, tmp_path, monkeypatch):
    port = s3[0].rpartition(":")[2]
    installed(cluster, STORE | {"endpoint": "http://s3.store.svc.cluster.local:9000"})
    kubectl = tmp_path / "kubectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kubectl.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/words\necho "Forwarding from 127.0.0.1:{port} -> 9000"\n'
                       "exec sleep 60\n")  # fmt: skip
    kubectl.chmod(0o755)
    assert replay() == 0
    assert (tmp_path / "words").read_text().split() == [
        "port-forward", "-n", "store", "--address=127.0.0.1", "service/s3", ":9000",
    ]  # fmt: skip
    kubectl.write_text("#!/bin/sh\necho 'pods is forbidden' >&2\nexit 1\n")
    capsys.readouterr()
    assert replay() == session.UNREACHABLE
    assert "kubectl port-forward: pods is forbidden. Say --endpoint" in capsys.readouterr().err


def test_the_options_are_the_same_everywhere():
    parser = argparse.ArgumentParser()
    stores.add_options(parser)
    assert vars(parser.parse_args([])) == {"endpoint": None, "credentials": None}
