"""Code from a git repository, beside the image."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.schema import Model, Name, Span, cel, strictly

GitUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        json_schema_extra=cel(
            ("self.startsWith('https://') || self.startsWith('http://')",
             "code is fetched over https:// or http://, not by ssh; write the repository's https address, and for a private one name a Secret with username and password (a token) in credentials"),
            ("!self.matches('^https?://[^/]*@')",
             "a user's name or a password does not belong into the address; name a Secret with username and password in credentials"),
            ("!self.startsWith('http') || self.matches('^https?://([A-Za-z0-9][A-Za-z0-9._-]*|\\\\[[0-9A-Fa-f:.]+\\\\])(:[1-9][0-9]{0,4})?/[!-~]+$') && !self.matches('[?#]') || self.matches('@')",
             "write the address of a repository, https://host/path, without ? and #"),
            (r"!self.matches(r'^https?://(([^:/]*[.])?localhost[.]?(:[0-9]+)?/|127[.]|0[.]0[.]0[.]0|169[.]254[.]|\[::1?\]|\[[fF][eE][89abAB])')",
             "loopback and link-local addresses are no git servers; write the address of one"),
        ),
    ),
]  # fmt: skip
"""`https://host/path` of a repository."""

Ref = Annotated[str, Field(max_length=256, json_schema_extra=strictly(r"^[^\x00-\x20\x7f~^:?*\[\\]*$"))]
"""A branch, a tag, a whole name (`refs/…`), or a commit."""

CodePath = Annotated[
    str,
    Field(
        max_length=256,
        json_schema_extra=strictly(r"^[^\x00-\x1f\x7f]*$")
        | cel(
            ("self == '' || !self.matches('(^|/)[.]{0,2}(/|$)')",
             "a folder of the repository, as `training/delay`: no slash at its ends, and no . and .. in it"),
        ),
    ),
]  # fmt: skip
"""A folder of a repository."""

Commit = Annotated[str, Field(max_length=40, pattern=r"^[0-9a-f]{40}$")]
"""The whole name of a commit."""


class GitSecret(Model):
    """A Secret in the same namespace with the keys `username` and `password`."""

    name: Name
    """Name of the Secret."""


class GitCode(Model):
    """A repository on a git server. Submodules and Git LFS are not followed."""

    url: GitUrl
    ref: Ref = ""
    """A branch, a tag, a whole name (`refs/…`) or a commit, which a run pins at its start. Default: the repository's
    default branch."""
    path: CodePath = ""
    """The folder in which steps are started. All of the repository is there."""
    credentials: GitSecret | None = None
    """Secret with `username` and `password` (a token) of a private repository. It is mounted into Jobs; the operator
    does not read it."""


class Code(Model):
    """Code that steps find at `/fairlead/code`, read-only: the files of one commit, the same in all steps of a run."""

    git: GitCode


class CodeJob(Model):
    """The Job that asks a private repository which commit is meant."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    """Empty until the Job exists: the attempt is recorded before the Job is made."""
    attempt: int = 1
    unreadable: int = 0
    """Attempts whose answer could not be read; at most 3."""
    not_before: Timestamp | None = None
    """The attempt has failed, and the next one waits until then."""


class CodeTrigger(Model):
    """A run when the Pipeline's own code has moved (`spec.code.git`): its branch or tag names another commit; with a
    path only if that folder has other files than before, where the git server can tell without sending them all."""

    path: CodePath = ""
    """Only what is in this folder counts. Default: `spec.code.git.path`, else all of the repository."""

    every: Span = "5m"
    """How often the server is asked; at least `1m`, and `5m` for a private repository, for that takes a Job."""


class CodeSeen(Model):
    """What a private repository has said to the Job that a trigger had made."""

    asked: Annotated[str, Field(max_length=32)]
    """Of what was asked: another repository, ref, folder or look is another question."""
    commit: Annotated[str, Field(max_length=40)] = ""
    tree: Annotated[str, Field(max_length=40)] = ""
    at: Timestamp | None = None
    """When it was answered last."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why nobody knows."""
    message: Annotated[str, Field(max_length=256)] = ""
    job: CodeJob | None = None
    """Under way."""
