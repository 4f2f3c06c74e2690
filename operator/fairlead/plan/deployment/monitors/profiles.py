"""What the live version learnt from: where its profile lies, and the profile itself."""

from __future__ import annotations

from fairlead.monitor import profile as profiles
from fairlead.monitor.profile import SIZE, BadProfile, Profile
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import recording
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import NOT_YET, Document, Failed, ReadDocument


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


def read(look: Look, version: str) -> Profile | Problem | None:
    """The profile, or why there is none; None: the store has not answered yet."""
    asked = request(look, version)
    if asked is None:
        return _none(look, version)
    answer = look.world.answer(asked)
    if isinstance(answer, Document):
        return _parsed(look, version, answer, asked.sha256)
    if isinstance(answer, Failed) and answer.reason in NOT_YET:
        return None
    why = answer.message if isinstance(answer, Failed) else "the store's answer is no document"
    return Problem("ProfileUnread", f"the profile of {version} can't be read: {why}")


def _none(look: Look, version: str) -> Problem:
    told = recording.learnt(look, version)
    why = f": {told.message}" if told and told.message else ""
    return Problem("NoProfile", f"{version} has no profile of what it learnt from{why}. Nothing can be compared; an "
                   "evaluation of a new ModelVersion makes one")  # fmt: skip


def _parsed(look: Look, version: str, answer: Document, digest: str) -> Profile | Problem:
    memo = look.world.memo

    def parse() -> Profile | Problem:
        try:
            return profiles.parse(answer.text.encode(), digest)
        except BadProfile as bad:
            return Problem("BadProfile", f"the profile of {version} can't be used: {bad}")

    found: Profile | Problem = (
        memo.find(("profile", digest), lambda known: known == digest, lambda: (digest, parse())) if memo else parse()
    )
    return found
