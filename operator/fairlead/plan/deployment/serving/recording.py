"""What is kept of a version's answers."""

from __future__ import annotations

from fairlead.api.units import seconds
from fairlead.manifests.proxy import parts
from fairlead.manifests.recorder import Recording
from fairlead.plan import store
from fairlead.plan.deployment.context import Look


def of(look: Look, version: str) -> Recording | None:
    """The recording that the Deployment asks for; None: it asks for none."""
    wanted = look.spec.record
    if wanted is None:
        return None
    folder = store.predictions_folder(look.world.config, look.namespace, look.name, version)
    return Recording(
        deployment=look.name, version=version, parts=parts(wanted.sample), every=seconds(wanted.every),
        inputs=wanted.inputs, path=wanted.output.path, store=folder.place() if folder else None,
        credentials=folder.reach.credentials if folder else None, copies=look.copies, grpc=look.grpc,
    )  # fmt: skip
