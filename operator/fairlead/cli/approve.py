"""`fairlead approve MODELVERSION`: say that this evidence is good enough to go live."""

from __future__ import annotations

import argparse

from fairlead.cli.session import FAILED, OK, Json, Problem, Session, add_options, command


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("approve", help="approve a model version's evidence in your own name")
    parser.add_argument("name", metavar="MODELVERSION")
    parser.add_argument("--comment", default="", help="for the record")
    add_options(parser)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Add the approval, and show what was approved."""
    from fairlead.api.modelversion import ModelVersion
    from fairlead.cli.blocks import Lines, show
    from fairlead.cli.show_modelversion import proof
    from fairlead.plan.core import MODEL_VERSION
    from fairlead.plan.deployment.requirements import authors

    user = await whoami(session)
    changed = await session.change(MODEL_VERSION, args.name, lambda raw: add(raw, user, args.comment))
    evidence = ModelVersion.model_validate(changed).status.evidence
    said = [f"modelversion {args.name} approved by {user}"]
    if user in authors(changed):
        said.append("You are its author: where Deployments ask for notAuthor, somebody else has to approve it too.")
    show([Lines(said), *(proof(evidence) if evidence else [])])
    return OK


async def whoami(session: Session) -> str:
    """The name by which the API server knows the caller."""
    from fairlead.plan.core import Kind

    kind = Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews")
    answer = await session.kube.create(
        kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    )  # fmt: skip
    return str(answer["status"]["userInfo"]["username"])


def add(raw: Json, user: str, comment: str) -> bool:
    """Put the user's approval of the present evidence into the object: a Deployment may ask for it though the version
    does not. False if it is there already. Raises Problem when there is nothing to approve."""
    name, spec, status = raw["metadata"]["name"], raw["spec"], raw.get("status", {})
    digest = (status.get("evidence") or {}).get("digest")
    if not digest:
        raise Problem(
            f"modelversion {name!r} has no evidence yet (phase {status.get('phase') or 'Pending'}). "
            f"See: kubectl fairlead get modelversion {name}",
            FAILED,
        )
    if status.get("phase") in ("Rejected", "Revoked"):
        raise Problem(f"modelversion {name!r} is {status['phase']}: {status.get('message', '')}")
    approvals = spec.get("approvals", [])
    if any(entry["user"] == user and entry["evidence"] == digest for entry in approvals):
        return False
    mine = {"user": user, "evidence": digest} | ({"comment": comment} if comment else {})
    spec["approvals"] = [*(entry for entry in approvals if entry["user"] != user), mine]
    return True
