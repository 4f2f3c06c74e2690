"""`fairlead artifacts run/NAME`: all that the steps of a run have left: outputs, previews, metrics, artifacts, logs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fairlead.cli import runs, stores
from fairlead.cli.session import OK, Json, Problem, Session, add_options, command, print_json, tell

if TYPE_CHECKING:
    from fairlead.api.pipelinerun import StepStatus
    from fairlead.api.tasks import PublishResult
    from fairlead.cli.blocks import Block


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("artifacts", help="what the steps of a run have left, and the metrics they logged")
    parser.add_argument("what", metavar="run/NAME")
    stores.add_options(parser)
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """List them."""
    from fairlead.cli.blocks import show

    name, found = await runs.found(session, args.what)
    steps = []
    for step in found.status.steps:
        try:
            said, problem = await runs.committed(session, args, step), ""
        except Problem as why:  # what the status has can be told without the store
            said, problem = None, str(why)
            tell(f"what step {step.name} has logged can't be read: {why}", sys.stderr)
        steps.append(of_step(step, said, problem))
    if args.output == "json":
        print_json({"run": name, "phase": found.status.phase, "steps": steps})
    else:
        show(blocks(steps))
    return OK


def of_step(step: StepStatus, said: PublishResult | None, problem: str = "") -> Json:
    """What a step has left. said: its document in the store; problem: why that could not be read."""
    items = [{"name": o.name, "type": o.type, "media": o.media, "bytes": o.bytes, "sha256": o.sha256, "uri": o.uri}
             for o in step.outputs]  # fmt: skip
    logged = [(one, "artifact") for one in said.artifacts] if said else []
    logged += [(said.series, "metrics")] if said and said.series else []
    items += [{"name": one.name, "type": kind, "media": one.media, "bytes": one.bytes, "sha256": one.sha256,
               "uri": one.uri} for one, kind in logged]  # fmt: skip
    if step.log is not None and step.log.uri:
        items.append({"name": "log", "type": "log", "media": "text/plain", "bytes": step.log.bytes, "sha256": "",
                      "uri": step.log.uri})  # fmt: skip
    found: Json = {"step": step.name, "phase": step.phase, "attempt": step.attempt, "metrics": dict(step.metrics),
                   "items": items}  # fmt: skip
    if step.logged is not None and step.logged.left_out:
        found["leftOut"] = said.left_out if said else [step.logged.left_out]
    if step.log is not None and step.log.problem:
        found["logNotKept"] = step.log.problem
    return found | ({"problem": problem} if problem else {})


def blocks(steps: list[Json]) -> list[Block]:
    """As people see it."""
    from fairlead.cli.blocks import Lines, Table
    from fairlead.cli.text import short, size

    rows = [
        [step["step"], one["name"], one["type"], one["media"] or "-", size(one["bytes"]), short(one["sha256"]) or "-",
         one["uri"]]
        for step in steps for one in step["items"]
    ]  # fmt: skip
    shown: list[Block] = [Table(["STEP", "NAME", "TYPE", "MEDIA", "SIZE", "SHA256", "URI"], rows)] if rows else []
    metrics = [[step["step"], name, value] for step in steps for name, value in step["metrics"].items()]
    if metrics:
        shown.append(Table(["STEP", "METRIC", "LAST"], metrics))
    left = [
        f"step {step['step']} logged, and it is not kept: {one}" for step in steps for one in step.get("leftOut", ())
    ]
    left += [
        f"step {step['step']}: its log is not kept: {step['logNotKept']}" for step in steps if "logNotKept" in step
    ]
    if left:
        shown.append(Lines(left))
    return shown or [Lines(["no step has left anything"])]
