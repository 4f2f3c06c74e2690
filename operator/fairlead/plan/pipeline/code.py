"""A Pipeline's code: what is asked about it, and what a run pins."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.code import GitCode
from fairlead.api.fetching import CodeItem
from fairlead.api.pipeline import PipelineSpec
from fairlead.manifests import pod
from fairlead.plan.core import Invalid
from fairlead.plan.requests import Answer, Failed, GitSeen, ReadGit

FOLDER = "/fairlead/code"
FINAL = ("RefMissing", "CommitMissing", "PathMissing", "TooLarge", "EndpointRefused", "BadTask")
"""Reasons for which asking once more can't help."""
_FIELDS = {"RefMissing": "ref", "CommitMissing": "ref", "PathMissing": "path"}
_SCHEMES = ("https://", "http://")


def git_of(spec: PipelineSpec) -> GitCode | None:
    """Where a Pipeline's code is; None: in its images alone."""
    return spec.code.git if spec.code else None


def check(spec: PipelineSpec) -> None:
    """Raises Invalid for what the CRD's schema refuses too, where there is one."""
    git = git_of(spec)
    if git is not None and not git.url.startswith(_SCHEMES):
        raise Invalid(
            "spec.code.git.url", "code is fetched over https:// or http://, not by ssh; write the repository's https "
            "address, and for a private one name a Secret in credentials"
        )  # fmt: skip


def question(namespace: str, git: GitCode, ref: str, look: str, age: float = 60.0) -> ReadGit | None:
    """What the operator asks; None: the repository is private, and the operator reads no Secret for it."""
    return None if git.credentials else ReadGit(namespace, git.url, ref, git.path, look, age)


@dataclass(frozen=True)
class Unknown:
    """It can't be said which commit is meant."""

    reason: str
    message: str
    final: bool
    """Asking once more can't help."""


def understood(answer: Answer, *, commit: bool = False) -> GitSeen | Unknown:
    """What was answered. commit: `spec.commit` of the run was asked for, and not a ref."""
    if isinstance(answer, GitSeen):
        return answer
    assert isinstance(answer, Failed)
    return unknown(answer.reason, answer.message, commit=commit)


def unknown(reason: str, message: str, *, commit: bool = False) -> Unknown:
    """Why it is not known, with the field to correct."""
    named = _FIELDS.get(reason, "url")
    field = "spec.commit" if commit and named == "ref" else f"spec.code.git.{named}"
    return Unknown(reason, f"{field}: {message}", reason in FINAL)


def item(git: GitCode, commit: str) -> CodeItem:
    """What brings it into a pod."""
    secret = git.credentials.name if git.credentials else None
    return CodeItem(
        url=git.url, commit=commit, path=git.path, credentials=pod.credentials_path(secret) if secret else None,
        dest=FOLDER,
    )  # fmt: skip


def env(commit: str) -> dict[str, str]:
    """What the program is told of it."""
    return {"FAIRLEAD_CODE": FOLDER, "FAIRLEAD_COMMIT": commit}
