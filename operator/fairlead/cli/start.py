"""`fairlead run PIPELINE`: start a run by hand; `fairlead run --resume RUN`: one that goes on from another one."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from fairlead.cli.session import FAILED, OK, USAGE, Json, Problem, Session, add_options, command, print_json, tell

ENDED = ("Completed", "Failed", "Aborted")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("run", help="start a run of a pipeline")
    parser.add_argument("pipeline", metavar="PIPELINE", nargs="?", help="not needed with --resume")
    parser.add_argument("-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="override a parameter")
    parser.add_argument(
        "--dataset", action="append", default=[], metavar="NAME=VERSION", help="read this version of a dataset"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on from this run: what is the same is not made again")
    parser.add_argument(
        "--edit", action="append", default=[], metavar="STEP.FIELD=VALUE",
        help="with --resume, one step otherwise: image, command, args (as a shell reads them), env.NAME, "
        "params.NAME of its component, memory, cpu",
    )  # fmt: skip
    parser.add_argument(
        "--after", action="append", default=[], metavar="PIPELINE=RUN", help="read this run's outputs of a pipeline"
    )
    parser.add_argument(
        "--commit", default="", metavar="SHA", help="of the pipeline's code, instead of what its ref is"
    )
    parser.add_argument("--reason", default="", help="why, for the record")
    parser.add_argument("--wait", action="store_true", help="follow it to its end; exit code 1 unless it completed")
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Make the PipelineRun; with `--wait`, follow it."""
    from fairlead.cli.approve import whoami
    from fairlead.plan.core import PIPELINE

    name = await _pipeline(session, args)
    pipeline = await session.get(PIPELINE, name)
    reason = args.reason or f"started by {os.environ.get('USER', 'hand')} with fairlead run"
    params, datasets = pairs(args.param, "param"), pairs(args.dataset, "dataset")
    after = pairs(args.after, "after")
    check_params(name, pipeline, params)
    edit = edited(pairs(args.edit, "edit"), pipeline)
    author = await whoami(session)

    def wanted(now: float) -> Json:
        made = run_object(session.namespace, name, params, datasets, reason, now, author, after, args.commit)
        made["spec"] |= {"resumeFrom": args.resume} if args.resume else {}
        made["spec"] |= {"edit": edit} if edit else {}
        return made

    made = await make(session, wanted)
    name = made["metadata"]["name"]
    if args.output == "json":
        print_json(made)
    else:
        tell(f"pipelinerun {name} created; follow it: kubectl fairlead get run {name} -n {session.namespace} --watch")
    return await follow(session, name) if args.wait else OK


async def _pipeline(session: Session, args: argparse.Namespace) -> str:
    """The pipeline's name, given or that of the run that is gone on from. Raises Problem."""
    from fairlead.plan.core import PIPELINE_RUN

    if args.edit and not args.resume:
        raise Problem("--edit goes with --resume; else change the Pipeline", USAGE)
    if not args.resume and args.pipeline is None:
        raise Problem("name a PIPELINE, or a run to go on from: --resume RUN", USAGE)
    if not args.resume:
        return str(args.pipeline)
    of = str((await session.get(PIPELINE_RUN, args.resume))["spec"]["pipeline"])
    if args.pipeline not in (None, of):
        raise Problem(f"{args.resume} is a run of pipeline {of!r}, not of {args.pipeline!r}", USAGE)
    return of


def edited(given: dict[str, str], pipeline: Json) -> Json:
    """`{"train.image": "x"}` as spec.edit. Raises Problem for a step that is not there, for several, and for what can't
    be edited."""
    import shlex

    found: Json = {}
    for entry, value in given.items():
        step, _, field = entry.partition(".")
        known = [one["name"] for one in pipeline["spec"].get("steps") or ()]
        if step not in known:
            raise Problem(f"--edit: there is no step {step!r}; there are {', '.join(known)}", USAGE)
        if found.setdefault("step", step) != step:
            raise Problem(f"--edit: one step can be edited, not {found['step']} and {step}", USAGE)
        if field == "image":
            found["image"] = value
        elif field in ("command", "args"):
            found[field] = shlex.split(value)
        elif field.startswith("env."):
            found.setdefault("env", []).append({"name": field.removeprefix("env."), "value": value})
        elif field.startswith("params."):
            found.setdefault("params", {})[field.removeprefix("params.")] = value
        elif field in ("memory", "cpu"):
            mine = next(one for one in pipeline["spec"]["steps"] if one["name"] == step)
            found["resources"] = {**(mine.get("resources") or {}), **found.get("resources", {}), field: value}
        else:
            raise Problem(f"--edit: {entry!r} is none of STEP.image, .command, .args, .env.NAME, "
                          ".params.NAME, .memory, .cpu", USAGE)  # fmt: skip
    return found


async def make(session: Session, wanted: Callable[[float], Json]) -> Json:
    """Create it. Names hold the second: where that is taken, the next one is waited for."""
    import asyncio

    from fairlead.cluster.errors import AlreadyExists
    from fairlead.plan.core import PIPELINE_RUN

    while True:
        try:
            return await session.kube.create(PIPELINE_RUN, wanted(time.time()))
        except AlreadyExists:
            await asyncio.sleep(1)


def pairs(given: list[str], what: str) -> dict[str, str]:
    """`["k=v"]` as a dict. Raises Problem for anything else."""
    found: dict[str, str] = {}
    for entry in given:
        key, equals, value = entry.partition("=")
        if not key or not equals:
            raise Problem(f"--{what} needs KEY=VALUE, not {entry!r}", USAGE)
        found[key] = value
    return found


def check_params(name: str, pipeline: Json, given: dict[str, str]) -> None:
    """Raises Problem for parameters that the pipeline does not have: its run would fail at once."""
    known = pipeline.get("spec", {}).get("params") or {}
    unknown = sorted(set(given) - set(known))
    if unknown:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise Problem(f"pipeline {name!r} has no parameter {', '.join(unknown)}; {there}. No run was made", USAGE)


def run_object(
    namespace: str, pipeline: str, params: dict[str, str], datasets: dict[str, str], reason: str, now: float,
    author: str = "", after: dict[str, str] | None = None, commit: str = "",
) -> Json:  # fmt: skip
    """The PipelineRun. Its name ends with the time, so that models made by it sort after earlier ones. author: the user
    that starts it, as the API server knows them."""
    from fairlead.api.common import API_VERSION
    from fairlead.manifests.meta import LABEL_PREFIX

    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    spec: Json = {"pipeline": pipeline, "reason": reason}
    spec |= {"author": author} if author else {}
    spec |= {"params": params} if params else {}
    spec |= {"datasets": datasets} if datasets else {}
    spec |= {"after": after} if after else {}
    spec |= {"commit": commit} if commit else {}
    return {
        "apiVersion": API_VERSION, "kind": "PipelineRun",
        "metadata": {
            "name": f"{pipeline[:48].rstrip('-')}-{stamp}", "namespace": namespace,
            "labels": {f"{LABEL_PREFIX}pipeline": pipeline},
        },
        "spec": spec,
    }  # fmt: skip


async def follow(session: Session, name: str) -> int:
    """Print what changes until the run has ended."""
    import asyncio

    from fairlead.plan.core import PIPELINE_RUN

    said: dict[str, str] = {}
    while True:
        status = (await session.get(PIPELINE_RUN, name)).get("status", {})
        for step in status.get("steps", []):
            line = f"{step['name']}: {step.get('phase', 'Pending')} {step.get('reason', '')}".rstrip()
            if said.get(step["name"], f"{step['name']}: Pending") != line:
                tell(line)
            said[step["name"]] = line
        if status.get("phase") in ENDED:
            tell(f"{name}: {status['phase']} {status.get('message', '')}".rstrip())
            return OK if status["phase"] == "Completed" else FAILED
        await asyncio.sleep(1)
