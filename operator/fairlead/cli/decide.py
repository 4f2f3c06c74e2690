"""`fairlead rollback DEPLOYMENT`, `promote DEPLOYMENT --force`, `continue DEPLOYMENT`: a person's decision, and why."""

from __future__ import annotations

import argparse
import time

from fairlead.api import halves
from fairlead.cli.session import NOT_FOUND, OK, Json, Problem, Session, add_options, command, tell


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    back = subparsers.add_parser("rollback", help="take back what is on its way, or else what is live")
    back.add_argument("--to", metavar="VERSION", help="the version that shall be live (default: the last good one)")
    forward = subparsers.add_parser("promote", help="let the version on its way go live without waiting for evidence")
    forward.add_argument("--force", action="store_true", required=True, help="needed: nothing is proven yet")
    forward.add_argument("--version", help="which version; in an experiment it has to be named")
    let = subparsers.add_parser("continue", help="let a step with `manual: true` be left")
    for parser, run in ((back, rollback), (forward, promote), (let, go_on)):
        parser.add_argument("name", metavar="DEPLOYMENT")
        parser.add_argument("--reason", required=parser is not let, default="looked at", help="why; it is recorded")
        add_options(parser)
        parser.set_defaults(run=run)


@command
async def rollback(session: Session, args: argparse.Namespace) -> int:
    """Write the wish; the operator carries it out."""
    from fairlead.plan.core import DEPLOYMENT

    raw = await session.get(DEPLOYMENT, args.name)
    target = default_target(raw) if args.to is None else args.to
    await _check(session, raw, target)
    was_live(raw, target)
    raw = await session.change(DEPLOYMENT, args.name, lambda raw: decide(raw, "Rollback", target, args.reason))
    gone = f"{taken_back(raw, target)} is not tried again" if not compared(raw) else "its experiment ends"
    tell(f"deployment {args.name} goes back to {target}; {gone}. "
          f"See: kubectl fairlead get deployment {args.name} --watch")  # fmt: skip
    return OK


@command
async def promote(session: Session, args: argparse.Namespace) -> int:
    """Write the wish; the operator carries it out."""
    from fairlead.plan.core import DEPLOYMENT

    raw = await session.get(DEPLOYMENT, args.name)
    version = (raw.get("status", {}).get("candidate") or {}).get("version")
    others = compared(raw)
    if others and args.version not in others:
        raise Problem(f"deployment {args.name!r} has an experiment; name the winner: --version {'|'.join(others)}")
    version = args.version if others else version
    if not version:
        raise Problem(f"deployment {args.name!r} has no version on its way: {raw.get('status', {}).get('message', '')}")
    if args.version not in (None, version):
        raise Problem(
            f"{args.version} is not on its way in deployment {args.name!r}; {version} is. "
            "Name that one, or leave out --version."
        )
    await session.change(DEPLOYMENT, args.name, lambda raw: decide(raw, "Promote", version, args.reason))
    tell(f"{version} goes live as soon as its pods are warm. See: kubectl fairlead get deployment {args.name} --watch")
    return OK


@command
async def go_on(session: Session, args: argparse.Namespace) -> int:
    """Write the wish; the operator carries it out."""
    from fairlead.plan.core import DEPLOYMENT

    candidate = (await session.get(DEPLOYMENT, args.name)).get("status", {}).get("candidate") or {}
    if candidate.get("step", -1) < 0:
        raise Problem(f"deployment {args.name!r} has no version in a step.")
    version = candidate["version"]
    await session.change(DEPLOYMENT, args.name, lambda raw: decide(raw, "Continue", version, args.reason))
    tell(f"{version} may leave step {candidate['step'] + 1}. See: kubectl fairlead get deployment {args.name} --watch")
    return OK


async def _check(session: Session, raw: Json, target: str) -> None:
    """Raises Problem for a version that may not go live. One that the deployment has recorded may, whoever has its name
    by now."""
    from fairlead.plan.core import MODEL_VERSION

    known = pinned(raw, target)
    try:
        found = await session.get(MODEL_VERSION, target)
    except Problem:
        if known.get("record"):
            return
        raise
    if not known.get("record") or known.get("uid") == found["metadata"].get("uid"):
        usable(found)


def pinned(raw: Json, version: str) -> Json:
    """What a deployment has recorded of a version; {} if nothing."""
    found = halves.own(raw, "versions") or []
    return next((one for one in found if one["name"] == version), {})


def default_target(raw: Json) -> str:
    """What is gone back to without `--to`: the live version if another one is on its way, else the one before it.
    Raises Problem if there is none."""
    status = raw.get("status", {})
    if (status.get("candidate") or compared(raw)) and status.get("live"):
        return str(status["live"]["version"])
    if status.get("previous"):
        return str(status["previous"])
    live = (status.get("live") or {}).get("version")
    raise Problem(
        f"deployment {raw['metadata']['name']!r} has nothing to go back to: "
        + (f"{live} is live, and no good version before it is known. Name one with --to." if live
           else "nothing is live yet."),
        NOT_FOUND,
    )  # fmt: skip


def taken_back(raw: Json, target: str) -> str:
    """The version that leaves, in words."""
    status = raw.get("status", {})
    found = [(status.get(key) or {}).get("version") for key in ("candidate", "live")]
    return " and ".join(version for version in found if version and version != target) or "nothing"


def compared(raw: Json) -> list[str]:
    """The candidates of an experiment that is on its way."""
    return [arm["version"] for arm in (raw.get("status", {}).get("experiment") or {}).get("arms") or []]


def usable(version: Json) -> None:
    """Raises Problem for a version that may not go live."""
    name, phase = version["metadata"]["name"], version.get("status", {}).get("phase") or "Pending"
    if version["spec"].get("revoked"):
        raise Problem(f"{name} was revoked: {version['spec']['revoked']}. Name another version with --to.")
    if phase != "Approved":
        raise Problem(f"{name} is {phase}; only an approved version can go live. Name another one with --to.")


def was_live(raw: Json, version: str) -> None:
    """Raises Problem for a version that was never live here, as far as the status remembers."""
    status = raw.get("status", {})
    known = {one["name"] for one in status.get("served") or []}
    if known and version not in known | {status.get("previous"), (status.get("live") or {}).get("version")}:
        raise Problem(
            f"{version} was never live in deployment {raw['metadata']['name']!r}, so it can't be gone back to. To roll "
            "it out, name it in spec.model.version; kubectl fairlead promote --force then waits for no evidence."
        )


def decide(raw: Json, action: str, version: str, reason: str) -> bool:
    """Put the decision into the deployment. Raises Problem if there is nothing to decide."""
    from fairlead.plan.core import rfc3339

    status = raw.get("status", {})
    asked = (status.get("watch") or {}).get("confirmation") or (status.get("world") or {}).get("state") == "Unknown"
    moving = status.get("candidate") or status.get("wayBack") or compared(raw) or asked
    if action == "Rollback" and not moving and (status.get("live") or {}).get("version") == version:
        raise Problem(f"{version} is live already, and nothing is on its way.")
    raw["spec"]["override"] = {"action": action, "version": version, "reason": reason, "at": rfc3339(time.time())}
    return True
