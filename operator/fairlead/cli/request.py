"""A request to a model that works: what is sent where, and how it looks as a command and as a program. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote

from fairlead.api import foreign
from fairlead.api.modelversion import SAMPLE_LIMIT, ModelVersion, ModelVersionSpec
from fairlead.cli import columns
from fairlead.cli.columns import Column
from fairlead.cluster.port import IN_PATHS, climbs

Json = dict[str, Any]
TYPE = "application/json"
FEW = 6
"""Columns of a row that are shown in a command; those after them are said in words."""


@dataclass(frozen=True)
class Request:
    """What is sent."""

    path: str
    """Below the Deployment's address."""
    body: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": TYPE})
    note: str = ""
    """What has to be filled in before it works; empty: nothing."""


def oip(model: str) -> str:
    """Where a model's predictions are asked for by Open Inference Protocol."""
    return f"/v2/models/{model}/infer"


def below(path: str) -> str:
    """A path below an address, with escapes for what can't stand in one: as a client, curl and Python all send it.
    Raises ValueError for one that would lead elsewhere: to another Deployment, or another part of the API server."""
    if not path.startswith("/"):
        raise ValueError(f"the path {path!r} must begin with a slash")
    if climbs(path):
        raise ValueError(f"the path {path!r} leads out of what is asked; write it without '.' and '..'")
    return quote(path, safe=IN_PATHS, errors="surrogateescape")


def example(version: ModelVersion) -> Request:
    """A request that the version answers: the one that new pods are warmed with or that its evaluation kept, else one
    to be filled in."""
    spec = version.spec
    if spec.server.protocol != "oip":
        return _of_its_own(spec)
    sample = version.status.evidence.sample if version.status.evidence else ""
    if columns.of(sample):
        return Request(oip(spec.model), lines(foreign.parse(sample)))
    if spec.evaluation:
        made = columns.body([*map(_number, spec.evaluation.features)], [dict.fromkeys(spec.evaluation.features, 0.0)])
        return Request(oip(spec.model), lines(made), note="The types of the columns are not known: the evaluation has "
                       f"kept no request (it keeps one of up to {SAMPLE_LIMIT:,} characters). Write values of the "
                       "right type: true or false, a text in quotes, a whole number without a point.")  # fmt: skip
    made = columns.body([_number("x")], [{"x": 0.0}])
    return Request(oip(spec.model), lines(made), note="The version has no evaluation that says its columns: write "
                   "those that the model was trained on.")  # fmt: skip


def _of_its_own(spec: ModelVersionSpec) -> Request:
    """Of a server that speaks another protocol."""
    if spec.server.warm_up:
        return Request(spec.server.warm_up.path, spec.server.warm_up.body)
    if spec.server.protocol == "openai":
        asked = {"model": spec.model, "messages": [{"role": "user", "content": "Hello"}]}
        return Request("/v1/chat/completions", json.dumps(asked))
    return Request("/", "{}", note="What this server's requests look like, spec.server does not say (warmUp would): "
                   "write the path and the body.")  # fmt: skip


def _number(name: str) -> Column:
    return Column(name, columns.FLOAT, (), None, 0.0)


def lines(body: Json) -> str:
    """JSON with one tensor a line: it is to be read and changed."""
    tensors = body.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        return json.dumps(body)
    rest = {name: value for name, value in body.items() if name != "inputs"}
    head = "".join(f"{json.dumps(name)}: {json.dumps(value)}, " for name, value in rest.items())
    return f'{{{head}"inputs": [\n  ' + ",\n  ".join(json.dumps(tensor) for tensor in tensors) + "\n]}"


def curl(address: str, request: Request) -> str:
    """The request as a command for a shell."""
    heads = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items())
    sent = f"curl -sS {shlex.quote(address + request.path)} {heads} --data-binary @-"
    taken = request.body.split("\n")
    if not all(line.isprintable() for line in taken):  # such characters get lost between here and a shell
        return f"printf '%b' {shlex.quote(_escaped(request.body))} | {sent}"
    end = next(word for n in count() if (word := f"EOF{n or ''}") not in taken)
    return f"{sent} <<'{end}'\n{request.body}\n{end}"


def _escaped(body: str) -> str:
    """As the `%b` of printf reads it."""
    return "".join(
        char if char.isprintable() and char != "\\" else "".join(f"\\0{byte:03o}" for byte in char.encode())
        for char in body
    )


def python(address: str, request: Request) -> str:
    """The request as a program, which needs nothing but Python."""
    plain = "'" not in request.body and all(line.isprintable() for line in request.body.split("\n"))
    body = f"r'''\n{request.body}\n'''" if plain else ascii(request.body)
    return (
        "import urllib.request\n\n"
        f"body = {body}\n"
        f"request = urllib.request.Request({address + request.path!r}, body.encode(), {dict(request.headers)!r})\n"
        "with urllib.request.urlopen(request) as answer:\n"
        "    print(answer.headers['x-fairlead-model'], answer.read().decode())"
    )


ROWS = "rows.csv"


def row(known: Sequence[Column]) -> str:
    """One row of the sample, as `--row` takes it; empty if it has too many columns to be read."""
    if not known or len(known) > 2 * FEW:
        return ""
    return json.dumps({column.name: column.example for column in known})


def command(deployment: str, namespace: str, version: ModelVersion) -> str:
    """`kubectl fairlead ask …`, with a row that the model knows where that is short enough."""
    words = ["kubectl", "fairlead", "ask", f"deployment/{deployment}", "-n", namespace]
    if version.spec.server.protocol != "oip":
        wanted = example(version)
        if not wanted.body.isprintable():  # it is spec.server.warmUp's, which is sent without being named
            return shlex.join(words)
        return shlex.join([*words, "--path", wanted.path, "--raw", wanted.body])
    known = columns.of(version.status.evidence.sample if version.status.evidence else "")
    found = row(known)
    if not known and version.spec.evaluation:  # without a row it would say that no request is known
        features = version.spec.evaluation.features
        found = row([_number(name) for name in features])
        return shlex.join([*words, *(["--row", found] if found else ["--rows", ROWS])])
    return shlex.join([*words, *(["--row", found] if found else [])])


def shown(deployment: str, namespace: str, address: str, version: ModelVersion) -> list[str]:
    """Lines for people: how the Deployment is asked, by a command and by a request. None without an address."""
    if not address.startswith("http"):
        said = f"It is asked by gRPC at {address}: ModelInfer of Open Inference Protocol v2"
        return [said + f", model_name {version.spec.model}."] if address else []
    wanted = example(version)
    note = [wanted.note] if wanted.note else []
    asked = command(deployment, namespace, version)
    if asked.endswith(ROWS):
        note.append(f"{ROWS} is a file of yours: a header with the names of the columns, and a line for each row.")
    return [asked, *note, *curl(address, wanted).split("\n")]
