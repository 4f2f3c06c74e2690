"""The objects of one run, in memory: what a plan sees where there is no API server."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from fairlead.api.config import Images, OperatorConfig
from fairlead.api.fetching import Access
from fairlead.plan.core import PIPELINE_RUN, Claim, Json, Kind
from fairlead.plan.memo import Memo
from fairlead.plan.pipeline import runs
from fairlead.plan.requests import Answer, Document, Failed, KeepLog, LogKept, ReadDocument, Request
from fairlead.store.errors import StoreError
from fairlead.store.folder import Folder
from fairlead.worker import digests

BUCKET = "local"
"""The name of the bucket that the store's folder stands for."""
WORKER = "fairlead.local/worker"
"""The image of the worker, which is this program."""
TRAINER = "fairlead.local/trainer"
"""The image of Components that train: this program, too, with what is installed beside it."""
SERVER = "fairlead.local/server"
"""The image of a model server, which no step of a run here has."""
NOT_HERE = "NotOnThisMachine"
"""Reason of what can only be asked of a cluster, or of something that it reaches."""


class Here:
    """See World."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.logs: dict[str, Path] = {}
        """Where a pod's log lies, by the pod's name."""
        self._objects: dict[tuple[Kind, str], Json] = {}
        self._elsewhere: dict[tuple[Kind, str, str], Json] = {}
        self._config = OperatorConfig.model_validate(
            {
                "images": Images(worker=WORKER, trainer=TRAINER, runtimes={"sklearn": SERVER}),
                "store": {"bucket": BUCKET},
            },
        )

    @property
    def config(self) -> OperatorConfig:
        """See World."""
        return self._config

    @property
    def access(self) -> Access:
        """How the store is reached."""
        return Access(folder=str(self.store))

    # --- what the run does with them ----------------------------------------------------------------------------

    def add(self, kind: Kind, manifest: Json, stamp: str) -> Json:
        """Make an object; one that is there stays as it is."""
        name = manifest["metadata"]["name"]
        meta = {"uid": str(uuid.uuid4()), "creationTimestamp": stamp, "generation": 1, "resourceVersion": "1"}
        made = manifest | {"metadata": meta | manifest["metadata"]}
        return self._objects.setdefault((kind, name), made)

    def add_elsewhere(self, kind: Kind, manifest: Json) -> None:
        """An object of another namespace than the run's."""
        meta = manifest["metadata"]
        self._elsewhere[kind, meta["namespace"], meta["name"]] = manifest

    def put(self, kind: Kind, found: Json) -> None:
        """Set an object."""
        self._objects[kind, found["metadata"]["name"]] = found

    def remove(self, kind: Kind, name: str) -> None:
        """It is gone."""
        self._objects.pop((kind, name), None)

    # --- what a plan sees ----------------------------------------------------------------------------------------

    def get(self, kind: Kind, name: str) -> Json | None:
        """See World."""
        return self._objects.get((kind, name))

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        """See World."""
        wanted = (labels or {}).items()
        found = (one for (which, _), one in sorted(self._objects.items(), key=lambda kv: kv[0][1]) if which == kind)
        return [one for one in found if wanted <= (one["metadata"].get("labels") or {}).items()]

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        """See World. Runs are found by their Pipeline, and nothing else by keys."""
        return [one for one in self.select(kind) if kind == PIPELINE_RUN and key in runs.keys(one)]

    def owned(self, kind: Kind) -> list[Json]:
        """See World. Whatever is there with an owner is the run's."""
        return [one for one in self.select(kind) if one["metadata"].get("ownerReferences")]

    def served(self, kind: Kind) -> bool:
        """See World."""
        del kind
        return True

    def claims(self, kind: Kind, near: Claim) -> tuple[Claim, ...]:
        """See World."""
        del kind, near
        return ()

    def elsewhere(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """See World. What was given with this namespace, or without any. Who may use it is known in a cluster only."""
        found = self._elsewhere.get((kind, namespace, name)) or self.get(kind, name)
        return found and found | {"spec": found["spec"] | {"allowedNamespaces": ["*"]}}

    def answer(self, request: Request) -> Answer:
        """See World. What a worker has left in the store; nothing else can be asked here."""
        if isinstance(request, ReadDocument):
            return self._document(request)
        if isinstance(request, KeepLog):
            return self._log(request)
        return Failed(NOT_HERE, f"{type(request).__name__} can't be asked without a cluster")

    def _document(self, request: ReadDocument) -> Answer:
        try:
            body = Folder(self.store, request.bucket).read(request.key, request.limit)
        except StoreError as error:
            return Failed(error.reason, error.message)
        if digests.of_bytes(body) != request.sha256:
            return Failed("DigestMismatch", f"{request.key} was changed")
        return Document(body.decode())

    def _log(self, request: KeepLog) -> Answer:
        path = self.logs.get(request.pod)
        if path is None or not path.is_file():
            return Failed("LogGone", "the program has printed nothing, and has perhaps not begun")
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - request.limit))
            Folder(self.store, request.bucket).put_if_absent(request.key, file.read(request.limit))
        return LogKept(min(size, request.limit), size > request.limit)

    @property
    def memo(self) -> Memo[Any] | None:
        """See World."""
        return None

    @property
    def shared(self) -> dict[Hashable, Any] | None:
        """See World."""
        return None

    @property
    def crowd(self) -> int:
        """See World."""
        return 0
