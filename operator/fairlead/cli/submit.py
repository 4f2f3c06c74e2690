"""`fairlead submit FILE.py[:NAME]`: send a pipeline that is written in Python to the cluster, and start it."""

from __future__ import annotations

import argparse
import copy

from fairlead.cli.session import FAILED, OK, USAGE, Json, Problem, Session, command, guarded, tell
from fairlead.cli.session import add_options as session_options

PATIENCE = 60.0
"""Seconds that the operator may take to look at a Pipeline."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    from fairlead.cli import export

    parser = subparsers.add_parser(
        "submit", help="send a pipeline that is written in Python to the cluster",
        description="Make the Pipeline that a Python file describes, or change it. With --run a run is started, and "
        "followed to its end.",
    )  # fmt: skip
    export.add_options(parser)
    parser.add_argument(
        "--run", dest="start", action="store_true",
        help="start a run, and follow it to its end; exit code 1 unless it completed",
    )  # fmt: skip
    parser.add_argument(
        "-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="override a parameter of the run"
    )
    parser.add_argument("--reason", default="", help="of the run, for the record")
    session_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Describe it here, then send it. Returns the exit code."""
    return guarded(lambda: _described(args))


def _described(args: argparse.Namespace) -> int:
    from fairlead.cli import export, start

    if (args.param or args.reason) and not args.start:
        raise Problem("--param and --reason are of a run: add --run", USAGE)
    made = export.manifest(args.file, args.image)
    if made is None:
        return FAILED
    start.check_params(made["metadata"]["name"], made, start.pairs(args.param, "param"))
    args.namespace = args.namespace or made["metadata"].get("namespace")
    args.manifest = made
    return _send(args)


@command
async def _send(session: Session, args: argparse.Namespace) -> int:
    """Make or change the Pipeline; with `--run`, a run of it as it is now."""
    from fairlead.cli.approve import whoami

    author = await whoami(session)
    name = args.manifest["metadata"]["name"]
    there, said = await put(session, args.manifest, author)
    tell(f"pipeline {name} {said}")
    if not args.start:
        return OK
    return await _start(session, args, there, author)


async def put(session: Session, manifest: Json, author: str) -> tuple[Json, str]:
    """The Pipeline as it is then, and what was done."""
    from fairlead.cluster.errors import AlreadyExists
    from fairlead.plan.core import PIPELINE

    name, spec = manifest["metadata"]["name"], manifest["spec"] | {"author": author}
    metadata = {"name": name, "namespace": session.namespace}
    try:
        return await session.kube.create(PIPELINE, manifest | {"metadata": metadata, "spec": spec}), "created"
    except AlreadyExists:
        before = await session.get(PIPELINE, name)
    there = await session.change(PIPELINE, name, lambda raw: edit(raw, spec))
    same = there["metadata"].get("generation") == before["metadata"].get("generation")
    return there, "unchanged" if same else "changed"


def edit(raw: Json, spec: Json) -> bool:
    """Put a spec in place of the object's. Somebody's `suspend` stays: it says nothing of what the pipeline is. False
    if nothing would change."""
    kept = {"suspend": raw["spec"]["suspend"]} if "suspend" in raw["spec"] else {}
    wanted = kept | spec
    if raw["spec"] == wanted:
        return False
    raw["spec"] = copy.deepcopy(wanted)
    return True


async def _start(session: Session, args: argparse.Namespace, there: Json, author: str) -> int:
    """Start a run when the operator has seen the Pipeline as it is: a run goes by what the operator knows of it."""
    import os

    from fairlead.cli import start

    name = there["metadata"]["name"]
    await _seen(session, name, int(there["metadata"].get("generation", 0)))
    params = start.pairs(args.param, "param")
    reason = args.reason or f"started by {os.environ.get('USER', 'hand')} with fairlead submit"
    made = await start.make(
        session, lambda now: start.run_object(session.namespace, name, params, {}, reason, now, author)
    )
    tell(f"pipelinerun {made['metadata']['name']} created")
    return await start.follow(session, str(made["metadata"]["name"]))


async def _seen(session: Session, name: str, generation: int) -> None:
    """Wait until the operator has looked at this generation. Raises Problem if it can't be run, or nobody looks."""
    import asyncio

    from fairlead.plan.core import PIPELINE

    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                status = (await session.get(PIPELINE, name)).get("status", {})
                if int(status.get("observedGeneration", 0)) >= generation:
                    break
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise Problem(
            f"the operator has not looked at pipeline {name!r} for {PATIENCE:.0f} s, so no run was started. Does it "
            "run? kubectl get pods -A -l app.kubernetes.io/name=fairlead"
        ) from None
    invalid = [one for one in status.get("conditions", ()) if one["type"] == "Ready" and one["reason"] == "Invalid"]
    if invalid:
        raise Problem(f"pipeline {name!r} can't run: {invalid[0].get('message', '')}")
