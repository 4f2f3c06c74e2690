"""`fairlead get KIND NAME`: one object, as people look at it."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fairlead.cli import items
from fairlead.cli.session import OK, USAGE, Json, Problem, Session, add_options, command, print_json

if TYPE_CHECKING:
    from fairlead.cli.blocks import Block
    from fairlead.cli.show_run import Past
    from fairlead.cli.trail import Trail
    from fairlead.plan.core import Kind

# Kind by what people type: its own names, plural and short forms.
NAMES = {
    "deployment": "deployment", "deployments": "deployment", "mdeploy": "deployment",
    "pipelinerun": "run", "pipelineruns": "run", "run": "run", "mlrun": "run",
    "modelversion": "modelversion", "modelversions": "modelversion", "mv": "modelversion",
    "pipeline": "pipeline", "pipelines": "pipeline", "mlpipe": "pipeline",
    "dataset": "dataset", "datasets": "dataset", "dset": "dataset",
    "component": "component", "components": "component", "mlcomp": "component",
}  # fmt: skip
_CLEAR = "\x1b[H\x1b[2J"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("get", help="show a deployment, pipeline, run, model version, dataset or component")
    parser.add_argument("kind", metavar="KIND", help="deployment, run, dataset …; or KIND/NAME")
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("-w", "--watch", action="store_true", help="show it again each second, until Ctrl-C")
    items.add_options(parser)
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show it."""
    import asyncio

    from fairlead.cli.blocks import show
    from fairlead.cli.trail import Trail

    word, name = named(args.kind, args.name)
    if args.items:
        return await items.show(session, args, f"{args.kind.partition('/')[0]}/{name}")
    kind, trail = kind_of(word), Trail()
    before: Past | None = None
    while True:
        raw = await session.get(kind, name)
        if args.output == "json":
            print_json(raw)
        else:
            if args.watch and sys.stdout.isatty():
                sys.stdout.write(_CLEAR)
            before = before or await _past(session, raw)
            shown = view(word, raw, time.time(), trail, await _datasets(session, raw), before)
            show([*shown, *([] if args.watch else await _request(session, raw))])
        if not args.watch:
            return OK
        await asyncio.sleep(1)


def named(kind: str, name: str | None) -> tuple[str, str]:
    """What is meant by `KIND NAME` or `KIND/NAME`: the key of a view, and a name. Raises Problem."""
    word, slash, inside = kind.partition("/")
    if word not in NAMES:
        raise Problem(f"there is no kind {word!r}; there are {', '.join(sorted(NAMES))}", USAGE)
    if bool(slash) == (name is not None):
        raise Problem(f"say which {word}: fairlead get {word} NAME, or {word}/NAME", USAGE)
    return NAMES[word], inside if name is None else name


async def _past(session: Session, raw: Json) -> Past | None:
    """How long runs of the same Pipeline took. Those that can't be had, or read, say nothing."""
    if raw["kind"] != "PipelineRun":
        return None
    from pydantic import ValidationError

    from fairlead.api.pipelinerun import PipelineRun
    from fairlead.cli.show_run import past
    from fairlead.cluster.errors import Forbidden
    from fairlead.plan.core import LABEL_PREFIX, PIPELINE_RUN

    runs = []
    with suppress(Forbidden):
        selector = f"{LABEL_PREFIX}pipeline={raw['spec']['pipeline']}"
        async for page in session.kube.pages(PIPELINE_RUN, session.namespace, selector=selector):
            for item in page.items:
                with suppress(ValidationError):
                    runs.append(PipelineRun.model_validate(item))
    return past(runs)


async def _request(session: Session, raw: Json) -> list[Block]:
    """How a Deployment's model is asked; nothing while there is none."""
    if raw["kind"] != "Deployment":
        return []
    from fairlead.api.deployment import Deployment
    from fairlead.cli import request
    from fairlead.cli.ask import served
    from fairlead.cli.blocks import Lines, Title

    found = Deployment.model_validate(raw)
    version = await served(session, found, found.status.live.version) if found.status.live else None
    if version is None:
        return []
    lines = request.shown(raw["metadata"]["name"], session.namespace, found.status.address, version)
    return [Title("ask it"), Lines(lines)] if lines else []


async def _datasets(session: Session, raw: Json) -> dict[str, Json]:
    """The Datasets of labels that a Deployment's guards name. One that can't be had is left out: the Deployment's own
    status says what is wrong with it."""
    from fairlead.cluster.errors import Forbidden, NotFound
    from fairlead.plan.core import DATASET

    rollout = raw["spec"].get("rollout") or {} if raw["kind"] == "Deployment" else {}
    found = {}
    for name in {guard["labels"]["dataset"] for guard in rollout.get("guard") or [] if guard.get("labels")}:
        with suppress(NotFound, Forbidden):
            found[name] = await session.kube.get(DATASET, session.namespace, name)
    return found


def kind_of(word: str) -> Kind:
    """The kind behind a key of the views."""
    from fairlead.plan import core

    return {
        "deployment": core.DEPLOYMENT, "run": core.PIPELINE_RUN, "modelversion": core.MODEL_VERSION,
        "dataset": core.DATASET, "pipeline": core.PIPELINE, "component": core.COMPONENT,
    }[word]  # fmt: skip


def view(
    word: str, raw: Json, now: float, trail: Trail | None = None, datasets: dict[str, Json] | None = None,
    before: Past | None = None,
) -> list[Block]:  # fmt: skip
    """What is shown of an object. For a Deployment: trail: what was seen before, if it is watched; datasets: those that
    its guards on labels name. For a run: before: how long others took."""
    from fairlead.api.kinds import KINDS

    model = next(info.model for info in KINDS if info.kind == raw["kind"])
    module = importlib.import_module(f"fairlead.cli.show_{word}")
    more: tuple[object, ...] = {"deployment": (trail, datasets), "run": (before,)}.get(word, ())
    found: list[Block] = module.blocks(raw["metadata"]["name"], model.model_validate(raw), now, *more)
    return found
