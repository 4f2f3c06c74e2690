"""What recording costs: the same load on a model server with and without the proxy and the recorder, in turns.

The model server is an Envoy that answers at once, so that nothing but the recording is measured. Needs no cluster. With
--bins each share is measured once more with requests that are counted by a profile of 20 features; `steered` is a share
that follows the traffic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.api.tasks import Access, ProfileAt
from fairlead.manifests.proxy import PARTS, parts
from fairlead.monitor.profile import BINS, Category, Number, Pair, Profile, Slice
from hack.bench.load import Answer, Load
from hack.bench.report import keep, quantile, table
from hack.testbed.programs import program
from hack.testbed.recorded import Pod, children, running

ANSWER = json.dumps({
    "model_name": "delay", "id": "0", "outputs": [{"name": "predict", "shape": [8, 1], "datatype": "FP64",
                                                   "data": [0.1 * number for number in range(8)]}],
})  # fmt: skip
ROWS, NUMBERS, NAMES = 8, 15, 5
"""Of a request: rows, and features that are numbers and categories."""
P99_ADDED, MEMORY, COUNTED_MEMORY, COUNTED_CPU = 1.0, 64.0, 96.0, 0.1
"""Targets: milliseconds, MiB of the recorder without and with counting, and how much more CPU that takes."""
STEERED = "steered"
SIDECARS = ("proxy", "recorder")
ALL = ("server", *SIDECARS)
KEPT = "fairlead_recorder_kept_total"
PLACE = b"0" * 36


def model_server(port: int) -> list[str]:
    """An Envoy that answers each request with ANSWER."""
    kinds = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{kinds}.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": ANSWER}}}
    route["response_headers_to_add"] = [{"header": {"key": "content-type", "value": "application/json"},
                                         "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]  # fmt: skip
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "model",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }  # fmt: skip
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    config = json.dumps({"static_resources": {"listeners": [listener]}})
    quiet = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    return [program("envoy"), "--config-yaml", config, *quiet]


@dataclass
class Case:
    """A way to the model server, and what was measured on it."""

    name: str
    pod: Pod
    port: int
    turns: list[list[Answer]] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    """CPU seconds by process."""
    kept: float = 0.0
    chance: float = 1.0
    """With which a request was counted at the end."""

    @property
    def recorded(self) -> bool:
        """Whether requests go through the proxy."""
        return self.port == self.pod.port

    def milliseconds(self, share: float) -> float:
        """The median over the turns of a quantile within a turn."""
        return statistics.median(quantile([one.seconds for one in turn], share) for turn in self.turns) * 1000

    def processes(self, name: str) -> list[int]:
        """A sidecar's process, and its children."""
        pid = self.pod.running[name].pid
        return [pid, *children(pid)]

    def cpu(self, name: str) -> float:
        """CPU seconds that a sidecar has used so far."""
        return sum(_cpu(pid) for pid in self.processes(name))

    def took(self, answers: list[Answer], kept: float, cpu: dict[str, float]) -> None:
        """A turn is over. kept, cpu: as they were before it."""
        self.turns.append(answers)
        self.kept += self.pod.counted(KEPT) - kept if self.recorded else 0
        for name, before in cpu.items():
            self.spent[name] = self.spent.get(name, 0.0) + self.cpu(name) - before
        if self.recorded:
            self.chance = self.pod.counts()["chance"]

    def answers(self) -> list[Answer]:
        """All that were measured."""
        return [one for turn in self.turns for one in turn]

    def figures(self) -> dict[str, Any]:
        """What came out."""
        answers = self.answers()
        found: dict[str, Any] = {
            "case": self.name, "requests": len(answers), "failed": sum(one.code != 200 for one in answers),
            "p50 ms": self.milliseconds(0.5), "p99 ms": self.milliseconds(0.99),
        }  # fmt: skip
        found |= {f"{name} us": round(self.spent[name] / len(answers) * 1e6) for name in ALL}
        if self.recorded:
            for name in SIDECARS:
                each = [_memory(pid) for pid in self.processes(name)]
                found[f"{name} MiB"] = round(sum(whole for whole, _ in each))
                found[f"{name} own MiB"] = round(sum(own for _, own in each))
            found["kept"] = round(self.kept)
            found["chance"] = self.chance
        return found


def _memory(pid: int) -> tuple[float, float]:
    """Resident memory, MiB: all of it, and without pages of files, which all pods of a node share."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "RssAnon"))}
    return int(found["VmRSS"]) / 1024, int(found["RssAnon"]) / 1024


def _cpu(pid: int) -> float:
    """CPU seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def profile() -> Profile:
    """What the requests are counted by."""
    edges = [one / BINS for one in range(1, BINS)]
    numbers = [Number(kind="number", name=f"n{n}", edges=edges, counts=[99] * BINS, low=0, high=1, mean=0.5, sd=0.3)
               for n in range(NUMBERS)]  # fmt: skip
    names = [Category(kind="category", name=f"c{n}", values=[f"v{v}" for v in range(8)], counts=[99] * 8)
             for n in range(NAMES)]  # fmt: skip
    return Profile(
        task="regression", rows=99 * BINS, features=[*numbers, *names], prediction=numbers[0],
        slices=[Slice(by="c0", values=[f"v{v}" for v in range(8)], counts=[9] * 8)],
        pairs=[Pair(a=f"n{n}", b=f"n{n + 1}", n=99, r=0) for n in range(NUMBERS - 1)],
    )  # fmt: skip


def body() -> bytes:
    """A request."""
    numbers = [{"name": f"n{n}", "datatype": "FP64", "shape": [ROWS, 1], "data": [(n + r) / 31 for r in range(ROWS)]}
               for n in range(NUMBERS)]  # fmt: skip
    names = [{"name": f"c{n}", "datatype": "BYTES", "shape": [ROWS, 1],
              "data": [f"v{(n + r) % 9}" for r in range(ROWS)]} for n in range(NAMES)]  # fmt: skip
    return json.dumps({"inputs": [*numbers, *names]}).encode()


def pod_of(folder: Path, sample: str, counted: bool) -> Pod:
    """A pod; the profile is there already, so that no store is needed."""
    found = Pod(folder, model_server, sample=PARTS if sample == STEERED else parts(sample), steered=sample == STEERED)
    if counted:
        (folder / "spool").mkdir(parents=True)
        (folder / "spool" / "profile.json").write_bytes(profile().dumped())
        found.profile = ProfileAt(access=Access(), uri="s3://none/profile.json", sha256=profile().digest)
    return found


class _Identified(Load):
    """Load whose requests have an id each, as a gateway gives them."""

    def request(self) -> bytes:
        """With a place for the id."""
        self.headers["x-request-id"] = PLACE.decode()
        return super().request()

    async def _one(self, wire: bytes) -> None:
        await super()._one(wire.replace(PLACE, str(uuid.uuid4()).encode(), 1))


async def load(case: Case, rate: float, seconds: float) -> list[Answer]:
    """Load for some time; the answers."""
    sending = _Identified("127.0.0.1", case.port, "/v2/models/delay/infer", rate, body=body())
    task = asyncio.create_task(sending.run())
    await asyncio.sleep(seconds)
    sending.stop()
    await task
    return sending.answers


async def measure(groups: list[list[Case]], rate: float, seconds: float, turns: int, settle: float) -> None:
    """Groups take turns, so that what else the machine does meets all alike; those of a group are under load together.
    The first turn only warms up. settle: seconds of load before each turn, in which shares come to what they are."""
    for number in range(turns + 1):
        for group in groups:
            if settle:
                await asyncio.gather(*(load(case, rate, settle) for case in group if case.recorded))
            before = {case.name: {name: case.cpu(name) for name in ALL} for case in group}
            kept = {case.name: case.pod.counted(KEPT) for case in group}
            answers = await asyncio.gather(*(load(case, rate, seconds) for case in group))
            await asyncio.sleep(1)
            for case, turn in zip(group if number else (), answers, strict=False):
                case.took(turn, kept[case.name], before[case.name])


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="recorder", description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0, help="requests/s")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sample", action="append", help=f"share that is recorded, or {STEERED}; several may be given")
    parser.add_argument("--settle", type=float, default=0.0, help="seconds of load before each turn")
    parser.add_argument("--bins", action="store_true", help="measure each share with counting too")
    options = parser.parse_args(arguments)
    asked = [(sample, counted) for sample in options.sample or ["10%", "100%"]
             for counted in ((False, True) if options.bins else (False,))]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        pods = [
            stack.enter_context(running(pod_of(Path(scratch) / str(number), sample, counted)))
            for number, (sample, counted) in enumerate(asked)
        ]
        cases = [Case("the server alone", pods[0], pods[0].server_port)]
        cases += [
            Case(f"{sample} recorded{' and counted' if counted else ''}", pod, pod.port)
            for pod, (sample, counted) in zip(pods, asked, strict=True)
        ]
        size = 2 if options.bins else 1
        groups = [cases[:1], *(cases[at : at + size] for at in range(1, len(cases), size))]
        asyncio.run(measure(groups, options.rate, options.seconds, options.turns, options.settle))
        found = [case.figures() for case in cases]
    table("Recording", [[row.get(name, "") for name in found[-1]] for row in found], list(found[-1]))
    keep("recorder", found)
    good = [_plain(found), not options.bins or _counted(found[1:])]
    return 0 if all(good) else 1


def _plain(found: list[dict[str, Any]]) -> bool:
    added = found[1]["p99 ms"] - found[0]["p99 ms"]
    recorded = [row for row in found[1:] if "counted" not in row["case"]]
    good = added <= P99_ADDED and all(row["recorder MiB"] <= MEMORY for row in recorded)
    good = good and not any(row["failed"] for row in found)
    wanted = f"p99 + {P99_ADDED:g} ms (+ {added:.2f}), {MEMORY:g} MiB of the recorder, no request fails"
    print(f"target: {wanted}: {'met' if good else 'MISSED'}")
    return good


def _counted(found: list[dict[str, Any]]) -> bool:
    """Each share without counting, and then with it."""
    good = True
    for before, after in zip(found[::2], found[1::2], strict=True):
        spent = [sum(row[f"{name} us"] for name in SIDECARS) for row in (before, after)]
        more = spent[1] / spent[0] - 1
        met = more <= COUNTED_CPU and after["recorder MiB"] <= COUNTED_MEMORY
        good = good and met
        wanted = f"CPU of both at most {COUNTED_CPU:+.0%} ({more:+.1%}: {spent[0]} and {spent[1]} us)"
        late = f"p99 {before['p99 ms']:.1f} and {after['p99 ms']:.1f} ms"
        print(f"target: {after['case']}: {wanted}, {COUNTED_MEMORY:g} MiB: {'met' if met else 'MISSED'}; {late}")
    return good
