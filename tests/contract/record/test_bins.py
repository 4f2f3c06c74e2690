"""What requests are like, counted behind a real Envoy, with a profile that comes from a real S3 server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hack.testbed.programs import program
from hack.testbed.recorded import Pod, get, running
from tests.contract.record.conftest import S3, make
from tests.contract.record.test_predictions import FOLDER, table
from tests.unit.record.made import profile, tensor
from tests.unit.record.test_record_profiled import COUNTED, STEERED, envoy

from fairlead.api.tasks import ProfileAt
from fairlead.manifests.recorder import Recording
from fairlead.worker.record.choice import fraction
from fairlead.worker.record.runtime import Runtime

LATEST = 60.0
KEY = "team/models/delay-1/profile.json"
KEPT = "fairlead_recorder_kept_total"
RECEIVED = "fairlead_recorder_received_total"


def placed(s3: S3, bucket: str, digest: str | None = None) -> ProfileAt:
    """The profile in the store."""
    made = profile()
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=made.dumped())
    access = s3.place(bucket, "")
    where = {name: getattr(access, name) for name in ("endpoint", "region", "credentials")}
    return ProfileAt.model_validate({"access": where, "uri": f"s3://{bucket}/{KEY}", "sha256": digest or made.digest})


async def until(pod: Pod, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The counts once they say so."""
    deadline = time.monotonic() + LATEST
    while not done(found := pod.counts()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
    return found


def dealt(found: dict[str, Any]) -> int:
    """Requests of one row that were counted, or were not."""
    return int(found["tally"]["rows"] + sum(found["tally"]["unread"].values()))


async def classify(http: aiohttp.ClientSession, pod: Pod, *values: float, one: str = "") -> None:
    """A request for so many rows."""
    asked = [tensor("n0", list(values)), tensor("c0", ["c0"] * len(values), datatype="BYTES")]
    headers = {"x-request-id": one or str(uuid.uuid4())}
    async with http.post(f"{pod.url}/v2/models/delay/infer", json={"inputs": asked}, headers=headers) as reply:
        assert reply.status == 200, await reply.text()


async def test_requests_are_counted_and_not_kept(tmp_path: Path, s3: S3, bucket: str) -> None:
    """Their bodies come to the recorder to be counted; nobody asked to keep them."""
    at = placed(s3, bucket)
    with running(make(tmp_path, profile=at)) as pod:
        await until(pod, lambda found: found["problem"] == "")
        async with aiohttp.ClientSession() as http:
            for number in range(20):
                await classify(http, pod, number + 0.5, 31.5, one=f"r-{number}")
            for body in (b"\0\xff" * 40, b"x" * (1 << 20)):
                async with http.post(f"{pod.url}/echo", data=body) as reply:
                    assert await reply.read() == body
        found = await until(pod, lambda found: dealt(found) == 42)
        assert json.loads(get(f"{pod.answers_url}/answers/r-3"))["input"] is None
        tally = found["tally"]
        assert (found["boot"], found["profile"]) == (pod.answers()["boot"], at.sha256)
        assert (tally["requests"], tally["sampled"]) == (22, 22)
        assert tally["unread"] == {"binary": 1, "long": 1}
        assert tally["vectors"]["feature/n0"][:32] == [1] * 20 + [0] * 11 + [20]
        assert tally["vectors"]["answers"][:2] == [16, 24]
        assert tally["vectors"]["slice/c0=c0/answers"][:2] == [16, 24]
        assert sum(tally["vectors"]["scores"]) == 40
        os.kill(pod.recorder(), signal.SIGKILL)
        s3.client.delete_object(Bucket=bucket, Key=KEY)
        await asyncio.to_thread(pod.wait_for_recorder)
        again = await until(pod, lambda now: now["problem"] == "" and now["boot"] != found["boot"])
        assert again["tally"]["rows"] == 0, "another process counts from 0, by the profile that the pod has kept"


@pytest.mark.parametrize("which", ["another digest", "no such object"])
async def test_without_its_profile_all_else_goes_on(tmp_path: Path, s3: S3, bucket: str, which: str) -> None:
    at = placed(s3, bucket, "0" * 64 if which == "another digest" else None)
    if which == "no such object":
        at = at.model_copy(update={"uri": f"s3://{bucket}/none.json"})
    expected = "DigestMismatch" if which == "another digest" else "ObjectMissing"
    with running(make(tmp_path, profile=at)) as pod:
        async with aiohttp.ClientSession() as http:
            await classify(http, pod, 1.0)
        await asyncio.to_thread(pod.recorded, 1)
        found = await until(pod, lambda found: found["problem"] == expected)
        assert found["tally"]["unread"] == {"early": 1}
        assert found["message"]


async def test_the_share_follows_what_the_recorder_sets(tmp_path: Path) -> None:
    """The proxy hands over no more than the share, of which the recorder tells it while it runs."""
    ids = [str(uuid.uuid4()) for _ in range(600)]
    runtime = Runtime(str(tmp_path))
    runtime.steer(1 / 16)
    with running(make(tmp_path, steered=True)) as pod:
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(classify(http, pod, 1.0, one=one) for one in ids))
            wanted = {one for one in ids if fraction(one) < 1 / 16}
            rows = await asyncio.to_thread(pod.recorded, len(wanted))
            assert wanted <= {row[1] for row in rows}
            assert all(fraction(row[1]) < row[7] for row in rows), "each with the chance that it had"
            assert pod.counted(RECEIVED) < len(ids) / 2
            assert abs(pod.counts()["tally"]["requests"] - 600) < 300, "weighed by the chance"
            deadline = time.monotonic() + LATEST
            while True:
                Runtime(str(tmp_path)).steer(1 / 256)  # again: the recorder looks at the rate meanwhile, and raises it
                before = pod.counted(RECEIVED)
                for _ in range(10):
                    await classify(http, pod, 1.0, one=f"{str(uuid.uuid4())[:-2]}08")
                await asyncio.sleep(0.2)
                if pod.counted(RECEIVED) == before:
                    break
                assert time.monotonic() < deadline
            last = f"{str(uuid.uuid4())[:-10]}{0:010}"
            forged = {"x-fairlead-record-share": "7", "x-fairlead-user": "new", "x-request-id": last}
            async with http.post(f"{pod.url}/headers", headers=forged) as reply:
                assert not [name for name in reply.headers if name.lower().startswith("x-fairlead-record")]
            while last not in (found := {row[1]: row[7] for row in pod.answers()["answers"]}):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            assert found[last] != 7 / 256, "not what somebody has said"
            assert pod.counted("fairlead_answers_new_users_total") == 0


@pytest.mark.parametrize("steered", [True, False])
async def test_the_share_falls_with_a_rush(tmp_path: Path, s3: S3, bucket: str, steered: bool) -> None:
    """Of what is counted; of what is kept only where nobody has said which share that is."""
    sent = 0
    with running(make(tmp_path, steered=steered, profile=placed(s3, bucket))) as pod:
        await until(pod, lambda found: found["problem"] == "")
        async with aiohttp.ClientSession() as http:
            deadline = time.monotonic() + LATEST
            while Runtime(str(tmp_path)).chance > 1 / 4:
                await asyncio.gather(*(classify(http, pod, 1.0) for _ in range(200)))
                sent += 200
                assert time.monotonic() < deadline
        tally = (await until(pod, lambda found: dealt(found) == found["tally"]["sampled"]))["tally"]
        assert 0 < tally["rows"] < tally["requests"]
        if steered:
            assert pod.counted(KEPT) < sent
        else:  # of a rush Envoy leaves out what is too much
            await until(pod, lambda _: pod.counted(KEPT) == pod.counted(RECEIVED))
            assert pod.counted(KEPT) > tally["sampled"]


@pytest.mark.parametrize("recording", [COUNTED, STEERED, replace(STEERED, copies="m-2", grpc=True, inputs=True)])
def test_envoy_takes_what_pods_get(tmp_path: Path, recording: Recording) -> None:
    """Where nothing of the folder of the settings is there yet."""
    config = json.dumps(envoy(recording)).replace("/fairlead/record/", f"{tmp_path}/")
    checked = subprocess.run([program("envoy"), "--mode", "validate", "--config-yaml", config], capture_output=True)
    assert checked.returncode == 0, checked.stderr.decode()[-500:]


async def test_what_lies_outside_is_marked_in_the_log(tmp_path: Path, s3: S3, bucket: str) -> None:
    """By the child that writes it, with the profile that the recorder has brought."""
    at = placed(s3, bucket)
    with running(make(tmp_path, profile=at, store=s3.place(bucket, FOLDER), every=1.0, inputs=True)) as pod:
        await until(pod, lambda found: found["problem"] == "")
        async with aiohttp.ClientSession() as http:
            await classify(http, pod, 1.5, one="inside")
            await classify(http, pod, 1.5, 1e6, one="outside")
        await asyncio.to_thread(pod.recorded, 2)
        assert pod.end("recorder") == 0
    rows = [row for key in s3.keys(bucket, FOLDER) for row in table(s3, bucket, key)]
    assert {row["request_id"]: row["outside"] for row in rows} == {"inside": [], "outside": ["n0"]}
