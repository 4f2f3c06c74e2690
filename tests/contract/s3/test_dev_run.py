"""What runs on a person's machine has the cluster's names: the same versions of data, the same digests of outputs, and
inputs that lie in the same files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from fairlead.api.dataset import Dataset
from fairlead.api.tasks import INPUTS, FetchItem, FetchTask, PublishItem, PublishTask, SnapshotTask
from fairlead.cli.main import main
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.sources.registry import list_source
from fairlead.worker.fetch import fetch
from fairlead.worker.publish import publish
from fairlead.worker.snapshot import snapshot

Json = dict[str, Any]
SECRET = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "a-root-secret"}
SHELL = (
    "find /fairlead/in -type f | sort | sed 's|.*/in/||' > /fairlead/out/listed; "
    "mkdir -p /fairlead/out/deep/a/b /fairlead/out/deep/empty; "
    "cat /fairlead/in/raw/*.* > /fairlead/out/deep/a/b/all; printf 'é' > '/fairlead/out/deep/ü x'; "
    "ln -s b/all /fairlead/out/deep/a/same; : > /fairlead/out/deep/none"
)


def csv(folder: Path) -> None:
    (folder / "2013.csv").write_text("id,delay,at\n1,2.5,2013-01-01\n2,,2013-01-02\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "2014.csv.gz").write_bytes(gzip.compress(b"id,delay,at\n3,4,2014-01-01\n", mtime=0))
    (folder / "_SUCCESS").write_text("")
    (folder / "notes.md").write_text("no data")


def parquet(folder: Path) -> None:
    for number in (1, 2):
        table = pa.table({"id": [number, number + 10], "delay": [1.5, None]})
        pq.write_table(table, folder / f"{number}.parquet")


def jsonl(folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"id": 1, "delay": 2.5, "tags": ["x"]}\n{"id": 2}\n')


KINDS = [
    pytest.param("csv", csv, {"exclude": ["*.md"]}, id="csv"), pytest.param("parquet", parquet, {}, id="parquet"),
    pytest.param("jsonl", jsonl, {}, id="jsonl"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "write", "more"), KINDS)
def test_versions_digests_and_files_are_those_of_a_cluster(
    s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, write: Any, more: Json
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flights").mkdir()
    write(tmp_path / "flights")
    columns = [{"name": "id", "type": "integer"}, {"name": "delay", "type": "float", "nullable": True}]
    spec = {
        "source": {"s3": {"bucket": bucket, "prefix": "in/"}, **more}, "format": form, "schema": {"columns": columns},
        "checks": [{"unique": ["id"]}, {"rows": {"min": 1000}, "severity": "warn"},
                   {"sql": "select count(*) < 2 from data", "severity": "warn"}],
    }  # fmt: skip
    step = {
        "name": "one", "image": "x", "command": ["sh", "-ec", SHELL], "inputs": {"raw": {"dataset": "flights"}},
        "outputs": {"listed": {}, "deep": {"type": "dataset"}},
    }  # fmt: skip
    documents = [
        {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Dataset", "metadata": {"name": "flights"}, "spec": spec},
        {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "Pipeline",
            "metadata": {"name": "p"},
            "spec": {"steps": [step]},
        },
    ]
    Path("pipeline.yaml").write_text(yaml.safe_dump_all(documents))
    assert main(["dev", "run", "pipeline.yaml", "--data", "flights", "-q"]) == 0
    found = json.loads(Path(".fairlead/runs/1/run.json").read_text())["status"]

    for path in sorted((tmp_path / "flights").rglob("*")):
        if path.is_file():
            s3.client.upload_file(str(path), bucket, f"in/{path.relative_to(tmp_path / 'flights')}")
    version = made(s3, bucket, Dataset.model_validate({"spec": spec}))
    assert [(d["version"], d["digest"]) for d in found["datasets"]] == [(version.version, version.digest)]

    step_folder = Path(".fairlead/runs/1/steps/one")
    outputs = [
        PublishItem(name=n, type=t, path=str(step_folder / "out" / n))
        for n, t in (("listed", "file"), ("deep", "dataset"))
    ]
    kept = publish(PublishTask(store=s3.place(bucket, "ns/pipelines/p/u/one"), attempt=1, outputs=outputs))
    assert {o["name"]: (o["sha256"], o["bytes"]) for o in found["steps"][0]["outputs"]} == {
        o.name: (o.sha256, o.bytes) for o in kept.outputs
    }

    item = FetchItem(
        access=s3.access(), manifest=True, uri=version.manifest, sha256=version.digest, dest=str(tmp_path / "in/raw")
    )
    fetch(FetchTask(items=[item]))
    in_a_pod = sorted(p.relative_to(tmp_path / "in").as_posix() for p in (tmp_path / "in").rglob("*") if p.is_file())
    assert (step_folder / "out/listed").read_text().split("\n")[:-1] == in_a_pod
    assert INPUTS == "/fairlead/in"


def made(s3: Any, bucket: str, dataset: Dataset) -> Any:
    """The version that a cluster makes of what is in the bucket."""
    spec = dataset.spec
    exclude = tuple(spec.source.exclude or ())
    asked = ListObjects("n", s3.endpoint, bucket, "s3", "in/", exclude=exclude)
    task = SnapshotTask(
        dataset="flights", listing=list_source(asked, SECRET).digest, source=s3.place(bucket, "in/"),
        format=spec.format,
        store=s3.place(bucket, "ns/datasets/flights"), exclude=list(exclude), pin="copy", schema_=spec.schema_,
        checks=spec.checks, csv=spec.csv,
    )  # fmt: skip
    result = snapshot(task)
    assert result.version is not None, result.checks
    return result.version
