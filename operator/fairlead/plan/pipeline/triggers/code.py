"""A run when the Pipeline's own code has moved.

What is compared is the commit that its ref stands for; with a path the tree that this commit has there, so that commits
elsewhere start nothing. A git server that hands out no single trees can't tell: then each commit counts, and people are
told. However often a branch has moved, that is one run; a push by force is a move like any other."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.code import CodeTrigger, GitCode
from fairlead.api.pipeline import Pipeline
from fairlead.api.units import seconds
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import Context, Invalid, epoch
from fairlead.plan.pipeline import code
from fairlead.plan.pipeline.triggers.base import Private, Seeing, Sight, look, unknown
from fairlead.plan.requests import NOT_YET, UNDERWAY, Answer, Failed, GitSeen, ReadGit, Request

FASTEST, PRIVATE = 60.0, 300.0
"""Seconds between two questions, at least: to a public repository, and to a private one, for that takes a Job."""
AGAIN = 60.0
"""Seconds until a git server that has not told is asked again, at most."""
SOON = 1.0
"""Seconds until the next look, while a git server is being asked."""
DIGITS = 12
"""Characters of a commit that people are shown."""


class OfCode(Seeing[CodeTrigger]):
    """The key is the commit; where a tree is compared, `<tree>@<commit>`."""

    field = "code"

    def label(self) -> str:
        """The folder that counts."""
        return self.spec.path or "git"

    def check(self, path: str) -> None:
        """The pace."""
        if seconds(self.spec.every) < FASTEST:
            raise Invalid(f"{path}.every", f"a git server is asked every {FASTEST:.0f}s at most; write 1m or more")

    def outlook(self, _now: float) -> str:
        """What has to move."""
        return f"the code has moved; its git server is asked every {self.spec.every}"

    def requests(self, context: Context[Pipeline]) -> Iterable[Request]:
        """What the ref stands for."""
        asked = self._asked(context)
        return () if asked is None else (asked,)

    def sight(self, context: Context[Pipeline]) -> Sight | None:
        """What the git server says."""
        git = self._git(context)
        if git is None:
            return unknown("NoCode", "it needs spec.code.git, the repository that it looks at")
        answer = self._answer(context)
        if isinstance(answer, Failed) and answer.reason in NOT_YET:
            return None
        seen = code.understood(answer)
        if isinstance(seen, code.Unknown):
            return unknown(seen.reason, seen.message, min(seconds(self.spec.every), AGAIN))
        return _sight(git, seen, context.subject.body.status.handled.get(self.name, ""))

    def next_time(self, context: Context[Pipeline]) -> float | None:
        """When it may be asked again, or has answered."""
        asked = self._asked(context)
        being_asked = asked is not None and _being_asked(context.world.answer(asked))
        return SOON if being_asked else super().next_time(context)

    def private(self, context: Context[Pipeline]) -> Private | None:
        """The ref, where there is a Secret."""
        git = self._git(context)
        if git is None or git.credentials is None:
            return None
        asked = short_hash(git.url, git.ref, git.path, git.credentials.name, look(context), length=32)
        return Private(git, max(PRIVATE, seconds(self.spec.every)), asked)

    def _answer(self, context: Context[Pipeline]) -> Answer:
        """What the operator was told, or a Job."""
        asked, private = self._asked(context), self.private(context)
        if asked is not None or private is None:
            return context.world.answer(asked) if asked else Failed("NotAsked", "")
        seen = next((one for one in context.subject.body.status.code if one.asked == private.asked), None)
        if seen is not None and seen.reason:
            return Failed(seen.reason, seen.message)
        if seen is None or not seen.commit:
            return Failed("NotAsked", "")
        left = epoch(seen.at) + private.every - context.now if seen.at else 0.0
        return GitSeen(seen.commit, seen.tree, left)

    def commit(self, key: str) -> str:
        """The one that it saw, though there may be a newer one by now."""
        return key.rpartition("@")[2]

    def _git(self, context: Context[Pipeline]) -> GitCode | None:
        """The code, with the folder that counts."""
        git = code.git_of(context.subject.body.spec)
        return git.model_copy(update={"path": self.spec.path or git.path}) if git else None

    def _asked(self, context: Context[Pipeline]) -> ReadGit | None:
        git = self._git(context)
        if git is None:
            return None
        return code.question(context.namespace, git, git.ref, look(context), seconds(self.spec.every))


def _being_asked(answer: Answer) -> bool:
    return isinstance(answer, Failed) and answer.reason == UNDERWAY


def _sight(git: GitCode, seen: GitSeen, handled: str) -> Sight:
    tree, _, commit = handled.rpartition("@")
    key = f"{seen.tree}@{seen.commit}" if seen.tree else seen.commit
    told = f"{git.ref or 'the default branch'} is commit {seen.commit[:DIGITS]}"
    if git.path and not seen.tree:
        told += f" (each commit counts: the git server can't tell whether {git.path} has changed)"
    again = max(SOON, seen.left)
    if seen.commit == commit or (tree and seen.tree == tree):
        same = f", with the same {git.path} as {commit[:DIGITS]}" if seen.commit != commit else ""
        return Sight("Quiet", told + same, key=key, again=again, exact=True)
    told += f", and was {commit[:DIGITS]}" if commit else ""
    return Sight("Asks", told, key=key, again=again, exact=True)
