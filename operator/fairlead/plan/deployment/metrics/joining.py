"""The Job that joins a guard's labels with the answers of two versions."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.dataset import Dataset, DatasetVersion
from fairlead.api.guard import Labels
from fairlead.api.labelled import Joined
from fairlead.api.tasks import JoinResult, JoinTask, TaskResult
from fairlead.plan import store
from fairlead.plan.core import LABEL_PREFIX
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.deployment.evidence.labeljob import LabelJob

JOIN = "join"


@dataclass(frozen=True)
class Joining(LabelJob[JoinResult, Joined]):
    """A guard on labels, in a rollout or after it."""

    label = "join"
    program = JOIN
    asker = "the guard's labels.dataset"
    lost = "the pod that joined labels with answers is gone, and its answer with it"

    wanted: Labels

    @property
    def dataset_name(self) -> str:
        return self.wanted.dataset

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.kept.rollout, self.kept.guard, self.kept.digest)

    def answer(self, said: TaskResult) -> JoinResult | None:
        """What was counted."""
        return said.join

    def task(self, found: Dataset, version: DatasetVersion) -> tuple[JoinTask, list[str | None]]:
        look, config, wanted, joined = self.context, self.context.world.config, self.wanted, self.kept
        folder = store.store(None, config, look.namespace).folder("deployments", look.name)
        item, secrets = fetched(found.spec, config, look.namespace, version.manifest, version.digest, "")
        task = JoinTask(
            labels=item, format=found.spec.format, request_id=wanted.request_id, label=wanted.label,
            tolerance=wanted.tolerance, loss=wanted.loss, cap=wanted.cap or "1",
            log=folder.folder("predictions").place(), stable=joined.against, candidate=joined.version,
            since=joined.since, cuts=joined.cuts, used=joined.used,
            store=folder.folder("labels", joined.rollout, joined.guard.replace("/", "-")).place(),
        )  # fmt: skip
        return task, [*secrets, folder.reach.credentials]


LABEL = LABEL_PREFIX + Joining.label
"""Label of Jobs and pods: the Deployment whose answers are joined. By `deployment` serving pods are found."""
