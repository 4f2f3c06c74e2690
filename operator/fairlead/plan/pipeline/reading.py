"""What the containers of a step's pod mean: whose program `step` is, and whose fault it is that it has failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.evaluating import MODEL
from fairlead.manifests.job import FETCH, PUBLISH, STEP
from fairlead.plan.core import Json
from fairlead.plan.jobs import failures
from fairlead.plan.jobs.beside import Beside
from fairlead.plan.jobs.failures import Failure, Raise
from fairlead.plan.jobs.jobpods import Found

SERVER_FAILED = "ServerFailed"


class Reading:
    """The container `step` runs a program of the user's."""

    def image(self, pod: Json) -> str:
        """The image whose program has made the result, with its digest."""
        return failures.image_ran(pod, STEP)

    def failure(self, found: Found) -> Failure:
        """Why a pod that has ended has failed."""
        return found.failure(STEP)

    def hopeless(self, found: Found) -> Failure | None:  # noqa: ARG002
        """Why a pod that still runs is given up, besides its clocks."""
        return None


_SERVER = Beside(MODEL, STEP, "version.server.resources.memory of the model's entry in produces")
_RAISE = Raise(
    "version.evaluation.resources.memory of the model's entry in produces",
    "version.evaluation.resources.scratch of the model's entry in produces", "timeout",
)  # fmt: skip


@dataclass(frozen=True)
class Served(Reading):
    """The container `step` is Fairlead's own; beside it runs the server of the user's model. What that one does, and
    rows that it can't answer, are the step's own fault; what Fairlead's does is not."""

    server: Beside = _SERVER

    def image(self, pod: Json) -> str:
        """The server's."""
        return failures.image_ran(pod, self.server.name)

    def failure(self, found: Found) -> Failure:
        """By the word of Fairlead's own containers, in their order; else by how the pod has ended."""
        assert found.pod is not None
        for name in (FETCH, STEP, PUBLISH):
            said = failures.result(found.pod, name)
            if said is not None and said.error is not None:
                failed = failures.by_task(said.error)
                return self._served(found.pod, failed) if failed.reason == SERVER_FAILED else failed
        stopped = failures.terminated(found.pod, STEP) or {}
        limited = stopped.get("reason") == "OOMKilled"
        failed = found.failure(None, _RAISE if limited else replace(_RAISE, memory=failures.INSTALLATION.memory))
        return replace(failed, fault="own") if limited or failed.reason == "OutOfScratch" else failed

    def hopeless(self, found: Found) -> Failure | None:
        """A server that ends again and again."""
        return self.server.stuck(found.pod) if found.pod is not None else None

    def _served(self, pod: Json, failed: Failure) -> Failure:
        """What the server itself has said at its end says more than that nobody answers."""
        ended = self.server.crashed(pod)
        return ended or replace(failed, fault="own")


PROGRAM, SERVED = Reading(), Served()
