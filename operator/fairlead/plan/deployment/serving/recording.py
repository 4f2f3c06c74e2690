"""What is kept of a version's answers, and what its requests are counted by."""

from __future__ import annotations

from fairlead.api.common import S3Access
from fairlead.api.tasks import ProfileAt
from fairlead.api.units import seconds
from fairlead.manifests.proxy import parts
from fairlead.manifests.recorder import Profiled, Recording
from fairlead.plan import store
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import golden


def of(look: Look, version: str) -> Recording | None:
    """The recording that the Deployment asks for; None: it asks for none. Without `record` the share follows the
    traffic."""
    wanted = look.spec.recorded
    if wanted is None:
        return None
    folder = store.predictions_folder(look.world.config, look.namespace, look.name, version)
    return Recording(
        deployment=look.name, version=version, parts=parts(wanted.sample), every=seconds(wanted.every),
        inputs=wanted.inputs, path=wanted.output.path, store=folder.place() if folder else None,
        credentials=folder.reach.credentials if folder else None, copies=look.copies, grpc=look.grpc,
        profile=profiled(look, version) if look.spec.monitors else None, steered=look.spec.record is None,
        golden=golden.of(look, version),
    )  # fmt: skip


def profiled(look: Look, version: str) -> Profiled | None:
    """Where a version's profile lies; None: it has none."""
    found = versions.read(look, version)
    evidence = found.status.evidence if found else None
    if evidence is None or evidence.profile is None:
        return None
    reach = store.reach(S3Access(), look.world.config)
    at = ProfileAt(access=reach.access(), uri=evidence.profile.uri, sha256=evidence.profile.digest)
    return Profiled(at, reach.credentials)
