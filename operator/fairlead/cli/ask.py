"""`fairlead ask deployment/NAME`: send a request to a model, and show what it answers and which version that was."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fairlead.cli.session import (
    DENIED,
    FAILED,
    NOT_FOUND,
    OK,
    UNREACHABLE,
    USAGE,
    Json,
    Problem,
    Session,
    add_options,
    command,
    print_json,
    tell,
)

if TYPE_CHECKING:
    from fairlead.api.deployment import Deployment
    from fairlead.api.modelversion import ModelVersion
    from fairlead.cli.blocks import Block
    from fairlead.cli.columns import Column
    from fairlead.cli.request import Request
    from fairlead.cluster.port import Reply

CONNECT, ANSWER = 2.0, 60.0
"""Seconds in which the address takes a connection, and an answer comes."""
MOST = 100_000
"""Requests of one command."""
LONGEST = 4000
"""Characters of an answer that is an error."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "ask", help="send a request to a deployment and show the answer",
        description="Send a request to a Deployment and show what it answers, which version that was, and how long it "
        "took. Without --row, --rows or --raw it is the request that the version's evaluation has kept. The request "
        "goes to the Deployment's address; where that can't be reached from here, through the API server to the live "
        "version's Service.",
    )  # fmt: skip
    parser.add_argument("what", metavar="deployment/NAME")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--row", action="append", default=[], metavar="JSON",
                       help="a row, as in {\"x\": 1.5, \"carrier\": \"AA\"}; may be repeated")  # fmt: skip
    given.add_argument("--rows", metavar="FILE", help="rows: a .csv with a header, or a .jsonl; - for JSON lines")
    given.add_argument("--raw", metavar="BODY", help="the request's body as it is; @FILE: from a file, @-: from input")
    parser.add_argument("--content-type", metavar="TYPE",
                        help="what a body of --raw is, as in text/csv (default: application/json)")  # fmt: skip
    parser.add_argument("--path", help="below the address (default: where the model's predictions are asked for)")
    parser.add_argument("--version", help="ask this version, live or on its way (default: as the traffic is divided)")
    parser.add_argument("--times", type=_times, default=1, metavar="N",
                        help="send it so often, one after the other, and count the answers by version")  # fmt: skip
    parser.add_argument("--show", nargs="?", const="curl", choices=("curl", "python"),
                        help="print the request as a command, or as a program, and send nothing")  # fmt: skip
    add_options(parser, output=True)
    parser.set_defaults(run=run)


def _times(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"a whole number of 1 to {MOST}, not {text!r}")
    return int(text)


@dataclass(frozen=True)
class Subject:
    """Who is asked."""

    name: str
    address: str
    version: str
    """The live one, or the one that was named."""
    known: Sequence[Column]
    """What it is asked with, as far as its evaluation says so."""
    features: Sequence[str]
    """The columns' names where nothing more is known."""
    model: str
    read: ModelVersion | None
    """None: it is not there any more."""


@dataclass(frozen=True)
class Answered:
    """What came back, and how."""

    reply: Reply
    seconds: float
    way: str
    version: str
    """Empty: nobody says."""
    note: str = ""


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Ask once."""
    from fairlead.cli import request

    subject = await _subject(session, args)
    wanted = _request(args, subject)
    if args.show:
        made = {"curl": request.curl, "python": request.python}[args.show]
        tell(made(subject.address or "http://ADDRESS", wanted))
        return OK
    answered = await _ask(session, subject, wanted, named=bool(args.version))
    if args.times > 1:
        return await _again(session, args, subject, wanted, answered)
    if args.output == "json":
        print_json({
            "version": answered.version, "status": answered.reply.status, "seconds": round(answered.seconds, 4),
            "answer": _parsed(answered.reply.body),
        })  # fmt: skip
    else:
        from fairlead.cli.blocks import show

        show(blocks(subject, wanted, answered))
    return OK if answered.reply.status < 300 else FAILED


async def _subject(session: Session, args: argparse.Namespace) -> Subject:
    from fairlead.api.deployment import Deployment
    from fairlead.cli import columns
    from fairlead.plan.core import DEPLOYMENT

    kind, slash, name = args.what.partition("/")
    if not slash or not name or kind not in ("deployment", "mdeploy"):
        raise Problem(f"{args.what!r} is not deployment/NAME", USAGE)
    found = Deployment.model_validate(await session.get(DEPLOYMENT, name))
    version = chosen(name, found, args.version)
    read = await served(session, found, version)
    if read is None and found.spec.model.name is None:
        raise Problem(f"modelversion {version!r} can't be read, so how it is asked is not known", NOT_FOUND)
    evidence = read.status.evidence if read else None
    evaluation = read.spec.evaluation if read else None
    return Subject(
        name, found.status.address, version, columns.of(evidence.sample if evidence else ""),
        evaluation.features if evaluation else (), read.spec.model if read else str(found.spec.model.name), read,
    )  # fmt: skip


def chosen(name: str, found: Deployment, version: str | None) -> str:
    """The version that is asked: the one that is named, if it has pods, else the live one. Raises Problem."""
    status = found.status
    arms = status.experiment.arms if status.experiment else []
    candidates = [one.version for one in (status.candidate, *arms) if one]
    if status.live is None:
        raise Problem(f"deployment {name!r} has nothing live yet: {status.message or 'see its conditions'}. "
                      f"See: kubectl fairlead get deployment {name}", NOT_FOUND)  # fmt: skip
    there = [status.live.version, *candidates]
    if version and version not in there:
        raise Problem(f"{version} serves nothing in deployment {name!r}; there are: {', '.join(there)}", NOT_FOUND)
    return version or status.live.version


async def served(session: Session, found: Deployment, name: str) -> ModelVersion | None:
    """A version as the Deployment serves it, whatever has its name by now; without a record of it the ModelVersion, if
    that is there and may be read."""
    from fairlead.api.modelversion import ModelVersion
    from fairlead.cluster.errors import Forbidden, NotFound
    from fairlead.plan.core import MODEL_VERSION
    from fairlead.plan.model import identity

    kept = identity.named(found.status.versions, name)
    known = identity.unpin(kept) if kept and kept.record else None
    if known is not None:
        return known
    try:
        return ModelVersion.model_validate(await session.kube.get(MODEL_VERSION, session.namespace, name))
    except (NotFound, Forbidden):
        return None


# --- what is sent --------------------------------------------------------------------------------------------------


def _request(args: argparse.Namespace, subject: Subject) -> Request:
    """Raises Problem for rows that the model can't be asked with."""
    from fairlead.cli import request, rows

    if args.content_type is not None and (args.raw is None or not _one_line(args.content_type)):
        raise Problem(
            "--content-type says in one line what a body of --raw is; rows are always application/json", USAGE
        )
    headers = {"Content-Type": args.content_type or request.TYPE} | (
        {"x-fairlead-version": args.version} if args.version else {}
    )
    usual = request.example(subject.read) if subject.read else request.Request(request.oip(subject.model), "")
    try:
        where = request.below(args.path or usual.path)
    except ValueError as bad:
        raise Problem(str(bad), USAGE) from None
    if args.raw is not None:
        return request.Request(where, rows.text(args.raw), headers)
    given = [rows.row(text, "--row") for text in args.row]
    if args.rows is not None:
        given = rows.of_file(args.rows, subject.known)
    if given:
        return request.Request(where, request.lines(_body(subject, given)), headers)
    if subject.read is None or (usual.note and not args.show):
        raise Problem(f"{subject.version}: {usual.note or 'it is not there any more.'} Say what is asked: --row "
                      "'{\"x\": 1.5}', or --raw with any body and --path", USAGE)  # fmt: skip
    if usual.note:
        tell(usual.note, sys.stderr)
    return replace(usual, path=where, headers=headers)


def _one_line(text: str) -> bool:
    """Whether a text can be a header's value."""
    return bool(text.strip()) and text.isascii() and text.isprintable()


def _body(subject: Subject, rows: Sequence[Json]) -> Json:
    from fairlead.cli import columns

    protocol = subject.read.spec.server.protocol if subject.read else "oip"
    if protocol != "oip":
        raise Problem(f"{subject.version} speaks {protocol}, which has no rows: --raw sends a body as it is", USAGE)
    known = subject.known or columns.guessed(rows, subject.features)
    try:
        made = columns.body(known, rows)
    except columns.Unfit as bad:
        raise Problem(
            f"{subject.version} can't be asked with that:\n{bad}\n--raw sends a request as it is.", USAGE
        ) from None
    if not subject.known:
        tell("no evaluation says the columns' types; they are as the values look: "
             + ", ".join(f"{column.name} {column.datatype}" for column in known), sys.stderr)  # fmt: skip
    return made


# --- the way there -------------------------------------------------------------------------------------------------


async def _ask(session: Session, subject: Subject, wanted: Request, named: bool) -> Answered:
    """By the address, else through the API server. Raises Problem."""
    from fairlead.cluster.errors import ApiError, Forbidden
    from fairlead.manifests.meta import child_name
    from fairlead.manifests.presets import PORT
    from fairlead.manifests.route import ANSWER_HEADER

    why, where = "it is not known yet", subject.address or "the address"
    if subject.address.startswith("http"):
        begun = time.monotonic()
        found = await _direct(subject.address, wanted)
        if not isinstance(found, str):
            version = _header(found.headers, ANSWER_HEADER)
            if version or found.status < 300:
                note = f"{subject.version} was asked for" if named and version not in ("", subject.version) else ""
                return Answered(found, time.monotonic() - begun, subject.address, version, note)
            found = f"it answers {found.status}{_elsewhere(found)}, and that is no version's answer"
        why = found
    elif subject.address:
        why = "it is for gRPC"
    service = child_name(subject.name, subject.version)
    begun = time.monotonic()
    try:
        reply = await session.kube.post(
            session.namespace, f"{service}:{PORT}", wanted.path, wanted.body.encode(), wanted.headers
        )
    except Forbidden as refused:
        raise Problem(
            f"{where}: {why}; and through the API server: {refused.message}. Ask for the right "
            f"to create services/proxy in namespace {session.namespace} (the cluster's role `edit` has it).", DENIED,
        ) from None  # fmt: skip
    except ApiError as failed:
        raise Problem(f"{where}: {why}; and through the API server: {failed.message}", UNREACHABLE) from None
    way = f"the API server to {subject.version}, past the Gateway"
    return Answered(reply, time.monotonic() - begun, way, subject.version, f"{where}: {why}")


async def _again(
    session: Session, args: argparse.Namespace, subject: Subject, wanted: Request, first: Answered
) -> int:  # fmt: skip
    """The same the other times, by the way that the first one took; and what came of it, by version."""
    from fairlead.cli.blocks import Lines, Table, show
    from fairlead.cli.text import count

    by_address = first.way == subject.address
    subject = subject if by_address else replace(subject, address="")
    answers: dict[str, list[tuple[float, bool]]] = {}
    for number in range(args.times):
        one = first if number == 0 else await _ask(session, subject, wanted, named=False)
        answers.setdefault(one.version, []).append((one.seconds, one.reply.status >= 300))
    counted = [
        (version, len(mine), sum(bad for _, bad in mine), statistics.median(seconds for seconds, _ in mine))
        for version, mine in sorted(answers.items())
    ]
    if args.output == "json":
        print_json([{"version": v, "answers": n, "failed": bad, "median": round(s, 4)} for v, n, bad, s in counted])
    else:
        rows = [[v or "(not named)", count(n), count(bad), f"{1000 * s:.0f} ms"] for v, n, bad, s in counted]
        note = [Lines([first.note])] if first.note and not by_address else []
        show([Table(["VERSION", "ANSWERS", "FAILED", "MEDIAN"], rows), *note])
    return FAILED if any(bad for _, _, bad, _ in counted) else OK


async def _direct(address: str, wanted: Request) -> Reply | str:
    """The answer of the address, or why there is none from here. Raises Problem when it does not end."""
    from urllib.request import getproxies

    import aiohttp

    from fairlead.cluster.client import whole
    from fairlead.cluster.errors import ApiError

    timeout = aiohttp.ClientTimeout(total=ANSWER, sock_connect=CONNECT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=bool(getproxies())) as http,
            http.post(
                address.rstrip("/") + wanted.path, data=wanted.body.encode(), headers=wanted.headers,
                allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            return await whole(answer)
    except ApiError as long:
        raise Problem(f"{address}: {long.message}; --show prints the request for curl", FAILED) from None
    except aiohttp.ClientSSLError as refused:
        return f"its certificate is not accepted here ({refused})"
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return "it can't be reached from here"
    except TimeoutError:
        raise Problem(f"{address} has not answered within {ANSWER:g} s", UNREACHABLE) from None
    except (aiohttp.ClientError, OSError) as broken:
        return f"it breaks off ({broken or type(broken).__name__})"


def _elsewhere(reply: Reply) -> str:
    """Where a redirection leads, which is not followed: rows go to the address, and to nobody else."""
    where = _header(reply.headers, "location") if 300 <= reply.status < 400 else ""
    return f" (go to {where[:200]})" if where else ""


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


# --- what is shown -------------------------------------------------------------------------------------------------


def blocks(subject: Subject, wanted: Request, answered: Answered) -> list[Block]:
    """The answer, with what may be wrong with the request if it is an error."""
    from fairlead.cli.blocks import Lines, Title

    reply = answered.reply
    good = reply.status < 300
    state = "ok" if good else f"Failed ({reply.status})"
    title = Title(f"answer of {answered.version or 'a version that nobody names'}", state,
                  f"in {1000 * answered.seconds:.0f} ms, by {answered.way}")  # fmt: skip
    notes = [one.strip() for one in (answered.note, _elsewhere(reply)) if one]
    shown: list[Block] = [title, *([Lines(notes)] if notes else [])]
    parsed = _parsed(reply.body)
    outputs = parsed.get("outputs") if good and isinstance(parsed, dict) else None
    if isinstance(outputs, list) and outputs and all(isinstance(one, dict) and "data" in one for one in outputs):
        return [*shown, Lines([line for one in outputs for line in _output(one)])]
    shown.append(Lines(_words(parsed)))
    if not good:
        shown += _doubts(subject, wanted)
    return shown


def _output(tensor: Json) -> list[str]:
    """A line for each row of an output tensor."""
    data, shape, name = tensor["data"], tensor.get("shape"), str(tensor.get("name", "output"))[:80]
    rows = shape[0] if isinstance(shape, list) and shape and isinstance(shape[0], int) and shape[0] > 0 else 1
    if not isinstance(data, list) or len(data) % rows:
        return [f"{name}  {json.dumps(data)}"]
    width = len(data) // rows
    cells = [data[at] if width == 1 else data[at : at + width] for at in range(0, len(data), max(width, 1))]
    return [f"{name}  {json.dumps(cell)}" for cell in cells]


def _words(parsed: Any) -> list[str]:
    from fairlead.cli.given import pretty

    text = parsed if isinstance(parsed, str) else "\n".join(pretty(parsed, 100))
    return (text[:LONGEST] + ("…" if len(text) > LONGEST else "")).split("\n") if text else ["(nothing)"]


def _doubts(subject: Subject, wanted: Request) -> list[Block]:
    """What was sent that the evaluation's rows did not have."""
    from fairlead.cli import columns
    from fairlead.cli.blocks import Lines

    told = columns.differences(subject.known, _parsed(wanted.body.encode()))
    if told:
        return [Lines(told)]
    same = "the request has the columns and types that the evaluation's had; its values may be others"
    return [Lines([same if subject.known else "no evaluation says what this version is to be asked with"])]


def _parsed(body: bytes) -> Any:
    """JSON, or the text."""
    from fairlead.api import foreign

    try:
        return foreign.parse(body, finite=False)
    except ValueError:
        return body.decode("utf-8", "replace")
