"""`fairlead lineage MODELVERSION|deployment/NAME`: from the data to what is live."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fairlead.cli.decide import pinned
from fairlead.cli.session import FAILED, OK, Json, Problem, Session, add_options, command, print_json
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.api.modelversion import ModelVersion
    from fairlead.cli.blocks import Node


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("lineage", help="what a model was made from, how it was proven, where it is live")
    parser.add_argument("subject", metavar="MODELVERSION|deployment/NAME")
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show the tree."""
    from fairlead.api.modelversion import ModelVersion
    from fairlead.cli.blocks import show
    from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION

    name, uid = await _version(session, args.subject)
    raw = await session.get(MODEL_VERSION, name)
    if uid not in ("", raw["metadata"].get("uid")):
        raise Problem(f"{args.subject} serves another {name} than the one that is there now: it was made again since. "
                      f"Its lineage is gone; of the new one: kubectl fairlead lineage {name}", FAILED)  # fmt: skip
    deployments = await session.all(DEPLOYMENT)
    if args.output == "json":
        print_json({"modelVersion": raw, "usedBy": uses(name, deployments)})
        return OK
    datasets = {d: await _dataset(session, d) for d in raw["spec"].get("lineage", {}).get("datasets", {})}
    show([tree(name, ModelVersion.model_validate(raw), datasets, uses(name, deployments), time.time())])
    return OK


async def _version(session: Session, subject: str) -> tuple[str, str]:
    """The ModelVersion that is meant: itself, or the live one of a deployment, with its uid if that is recorded."""
    from fairlead.plan.core import DEPLOYMENT

    kind, slash, name = subject.rpartition("/")
    if not slash or kind in ("modelversion", "mv"):
        return name, ""
    if kind not in ("deployment", "mdeploy"):
        raise Problem(f"{subject!r}: write a model version's name or deployment/NAME", 2)
    raw = await session.get(DEPLOYMENT, name)
    live = raw.get("status", {}).get("live")
    if not live:
        raise Problem(f"deployment {name!r} has nothing live yet. See: kubectl fairlead get deployment {name}", FAILED)
    return str(live["version"]), str(pinned(raw, str(live["version"])).get("uid", ""))


async def _dataset(session: Session, name: str) -> Json | None:
    from fairlead.plan.core import DATASET

    try:
        return await session.get(DATASET, name)
    except Problem:
        return None  # it was deleted since; the version's name still stands in the lineage


def uses(version: str, deployments: Iterable[Json]) -> list[Json]:
    """Where a version serves or served: `{deployment, as, since}`."""
    found: list[Json] = []
    for raw in deployments:
        name, status = raw["metadata"]["name"], raw.get("status", {})
        for role in ("live", "candidate"):
            entry = status.get(role) or {}
            if entry.get("version") == version:
                found.append({"deployment": name, "as": role, "since": entry.get("since", "")})
        found += [
            {"deployment": name, "as": record["result"], "since": record["endedAt"], "reason": record.get("reason", "")}
            for record in status.get("history", [])
            if record["version"] == version
        ]
    return found


def tree(
    name: str, found: ModelVersion, datasets: dict[str, Json | None], used: list[Json], now: float
) -> Node:  # fmt: skip
    """Data, run, artifact, proof and use of a version."""
    from fairlead.cli.blocks import Node
    from fairlead.cli.text import ago

    root = Node(f"modelversion {name} ({found.status.phase or 'Pending'}), version of {found.spec.model}")
    _made(root, found, datasets)
    _proven(root, found, now)
    for use in used:
        because = f" ({use['reason']})" if use.get("reason") else ""
        root.add(f"deployment {use['deployment']}: {use['as']} {ago(use['since'], now)}{because}")
    if not used:
        root.add("not live anywhere in this namespace")
    return root


def _made(root: Node, found: ModelVersion, datasets: dict[str, Json | None]) -> None:
    from fairlead.cli.text import one_line, short

    lineage = found.spec.lineage
    data = root.add("data") if lineage.datasets or lineage.after else None
    for dataset, version in sorted(lineage.datasets.items()):
        known = ((datasets.get(dataset) or {}).get("status") or {}).get("versions", [])
        rows = next((f", {amount(v.get('rows', 0), 'row')}" for v in known if v["version"] == version), "")
        if data is not None:
            data.add(f"dataset {dataset}@{version}{rows}")
    for output, digest in sorted(lineage.after.items()):
        if data is not None:
            data.add(f"output {output} sha256:{short(digest)}")
    if lineage.run:
        run = root.add(f"run {lineage.run}" + (f" of pipeline {lineage.pipeline}" if lineage.pipeline else ""))
        for step, image in sorted(lineage.images.items()):
            run.add(f"step {step}: {image}")
        for step, component in sorted(lineage.components.items()):
            run.add(f"step {step} is {component}")
        if lineage.commit:
            run.add(f"code {lineage.repository}@{lineage.commit}")
        for key, value in sorted(lineage.params.items()):
            run.add(f"param {key}={one_line(value)}")
    artifact = found.spec.artifact
    root.add(
        f"artifact {artifact.uri} sha256:{short(artifact.sha256)}" if artifact else f"image {found.spec.server.image}"
    )


def _proven(root: Node, found: ModelVersion, now: float) -> None:
    from fairlead.cli.text import ago, short

    evidence, status = found.status.evidence, found.status
    if evidence is not None:
        against = f"against {evidence.champion}" if evidence.champion else "without a champion"
        proof = root.add(f"evidence {short(evidence.digest)}: {amount(evidence.rows, 'row')}, {against}")
        for gate in evidence.gates:
            proof.add(f"{gate.verdict}: {gate.gate}")
    if status.approved_at:
        by = f" by {', '.join(status.approved_by)}" if status.approved_by else ""
        root.add(f"approved {ago(status.approved_at, now)}{by}")
