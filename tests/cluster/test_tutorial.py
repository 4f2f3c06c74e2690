"""The tutorial with one's own model, word for word: its files are written, and its commands run, as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from hack.install.chart import ROOT, environment, kubectl
from hack.testbed.cluster import STORE_BUCKET, Cluster, root_keys

PAGE = ROOT / "docs" / "tutorials" / "your-own-model.md"
NAMESPACE = "sugar"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
NAMED = re.compile(r"`(\w+\.(?:py|yaml))`")
SETUP = "python3 -m venv"
"""How the block begins that makes the environment: here it is the tests' own, with the same versions."""


def blocks() -> list[tuple[str, str, str]]:
    """(language, text, name of the file that the prose before it gives) of each block, in order."""
    found, end, text = [], 0, PAGE.read_text()
    for match in FENCE.finditer(text):
        names = NAMED.findall(text[end : match.start()])
        found.append((match[1], match[2], names[0] if names and match[1] != "bash" else ""))
        end = match.end()
    return found


def script() -> str:
    """All commands in one shell, which prints what it does; the last block removes what was made."""
    commands = [text for language, text, _ in blocks() if language == "bash" and not text.startswith(SETUP)]
    return "set -e\nset -o pipefail\n" + "\n".join(f"set -x\n{text}{{ set +x; }} 2>/dev/null" for text in commands)


@pytest.fixture
def folder(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """With the page's files; what is left of an earlier run is gone before and after."""
    for language, text, name in blocks():
        if language in ("python", "yaml"):
            assert name, f"no file is named for the block that begins {text[:40]!r}"
            (tmp_path / name).write_text(text)
    remove(cluster)
    yield tmp_path
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def remove(cluster: Cluster) -> None:
    """What a run that has failed has left: with it the Deployment would come back as it was."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    keys = root_keys(cluster)
    s3 = boto3.resource("s3", endpoint_url=environment()["FAIRLEAD_S3_ENDPOINT"], region_name="us-east-1",
                        aws_access_key_id=keys[0], aws_secret_access_key=keys[1])  # fmt: skip
    for found in s3.Bucket(STORE_BUCKET).objects.filter(Prefix=f"{NAMESPACE}/"):
        found.delete()


@pytest.mark.long
@pytest.mark.namespace(NAMESPACE)
def test_b17_ones_own_model_in_the_first_hour(cluster: Cluster, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    env = environment() | {"PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT / "operator"))}
    done = subprocess.run(
        ["bash", "-c", script()], cwd=folder, env=env, text=True, timeout=480, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = done.stdout.replace(root_keys(cluster)[1], "…")
    print(said)
    assert done.returncode == 0, said[-3000:]
    # the first version answers alone, the second beside it and then alone, the third never
    assert [line for line in said.splitlines() if line.startswith("answer of ")][-1].startswith("answer of sugar-2  ok")
    assert said.count("answer of sugar-1  ok") == 2
    counted = dict(re.findall(r"^(sugar-\d) +([\d,]+) +0 ", said, re.M))
    assert set(counted) == {"sugar-1", "sugar-2"}, "both versions have answered, and neither has failed"
    assert re.search(r"sugar-2 +Live", said)
    assert "against champion, margin 2%" in said
    assert json.dumps("age") in said.split("curl -sS")[1], "the printed request has the columns"
