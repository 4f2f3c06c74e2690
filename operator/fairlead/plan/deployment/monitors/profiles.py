"""What the live version learnt from: where its profile lies, and the profile itself."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.monitor import profile as profiles
from fairlead.monitor.profile import SIZE, BadProfile, Profile
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import recording
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import NOT_YET, Document, Failed, ReadDocument


@dataclass(frozen=True)
class Known:
    """A profile, as it lies in the store."""

    document: str
    """SHA-256 of its bytes: what recorders name it by."""
    profile: Profile


def request(look: Look, version: str) -> ReadDocument | None:
    """The question for the document; None: no profile is known."""
    found = recording.profiled(look, version)
    if found is None:
        return None
    bucket, _, key = found.at.uri.removeprefix("s3://").partition("/")
    access = found.at.access
    return ReadDocument(
        look.namespace, bucket, key, found.at.sha256, access.endpoint, access.region, found.credentials, SIZE
    )


def read(look: Look, version: str) -> Known | Problem | None:
    """The profile, or why there is none; None: the store has not answered yet."""
    asked = request(look, version)
    if asked is None:
        return Problem("NoProfile", f"{version} has no profile of what it learnt from{_why(look, version)}; an "
                       "evaluation of a new ModelVersion makes one, or its spec.profile names one")  # fmt: skip
    answer = look.world.answer(asked)
    if isinstance(answer, Document):
        return _parsed(look, version, answer, asked.sha256)
    if isinstance(answer, Failed) and answer.reason in NOT_YET:
        return None
    why = answer.message if isinstance(answer, Failed) else "the store's answer is no document"
    return Problem("ProfileUnread", f"the profile of {version} can't be read: {why}")


def _why(look: Look, version: str) -> str:
    """What its evaluation says of that."""
    status = (versions.record(look, version) or {}).get("status") or {}
    said = (status.get("evidence") or {}).get("noProfile")
    return f" ({quoted(str(said), 400)})" if said else ""


def _parsed(look: Look, version: str, answer: Document, digest: str) -> Known | Problem:
    memo = look.world.memo

    def parse() -> Known | Problem:
        try:
            return Known(digest, profiles.parse(answer.text.encode(), digest))
        except BadProfile as bad:
            return Problem("BadProfile", f"the profile of {version} can't be used: {bad}")

    found: Known | Problem = (
        memo.find(("profile", digest), lambda known: known == digest, lambda: (digest, parse())) if memo else parse()
    )
    return found
