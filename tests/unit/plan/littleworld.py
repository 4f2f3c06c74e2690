"""A cluster in memory, small enough to be obvious: objects, the kernel's order of writes, and crashes between them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from tests.unit.plan import kstatus
from tests.unit.plan.answering import Answers
from tests.unit.plan.indexing import indexed

from fairlead.api.config import OperatorConfig
from fairlead.plan.core import (
    COMPONENT,
    DATASET,
    DEPLOYMENT,
    JOB,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    POD,
    Claim,
    Delete,
    Json,
    Kind,
    KindSpec,
    Meta,
    Plan,
    Subject,
    epoch,
    rfc3339,
)
from fairlead.plan.requests import Answer, Failed, KeepLog, LogKept, ReadDocument, Request

NAMESPACE = "team"
START = epoch("2026-03-02T09:00:00Z")
CONFIG = OperatorConfig.model_validate(
    {
        "images": {"worker": "worker:1"},
        "store": {
            "bucket": "store", "prefix": "fairlead", "endpoint": "http://s3:9000", "credentials": {"name": "keys"},
        },
    }
)  # fmt: skip
KINDS = {kind.kind: kind for kind in (COMPONENT, DATASET, PIPELINE, PIPELINE_RUN, MODEL_VERSION, DEPLOYMENT, JOB, POD)}


class Crash(Exception):  # noqa: N818 - reads as what it is
    """The operator was killed."""


@dataclass
class LittleWorld:
    """Objects of one namespace, and the time."""

    config: OperatorConfig = CONFIG
    now: float = START
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    others: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    """Objects of other namespaces: (kind, namespace, name)."""
    answers: dict[Request, Answer] = field(default_factory=dict)
    told: Answers = field(default_factory=Answers)
    """What workers have left in the store."""
    logs: Answer = LogKept(7, False)  # noqa: RUF009 - never changed
    """What is said of logs that are to be kept."""
    created: list[tuple[str, str]] = field(default_factory=list)
    """(kind, name) of everything that plans have made, in order."""
    unserved: set[Kind] = field(default_factory=set)
    """Kinds that the API server does not have at the moment."""
    writes: int = 0
    _uids: Any = field(default_factory=itertools.count)
    _subject: str = ""
    _asked: tuple[Request, ...] = ()

    # --- as a plan sees it ---

    memo = None
    shared = None
    crowd = 0

    def get(self, kind: Kind, name: str) -> Json | None:
        """See `World`."""
        return self.objects.get((kind.kind, name))

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        """See `World`."""
        wanted = (labels or {}).items()
        return [
            o for (k, _), o in sorted(self.objects.items())
            if k == kind.kind and wanted <= (o["metadata"].get("labels") or {}).items()
        ]  # fmt: skip

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        """See `World`."""
        return indexed(kind, self.select(kind), key)

    def owned(self, kind: Kind) -> list[Json]:
        """See `World`."""
        return [o for o in self.select(kind) if owner(o) == self._subject]

    def served(self, kind: Kind) -> bool:
        """See `World`."""
        return kind not in self.unserved

    def claims(self, _kind: Kind, _near: Claim) -> tuple[Claim, ...]:
        """See `World`."""
        return ()

    def elsewhere(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """See `World`."""
        return self.others.get((kind.kind, namespace, name))

    def answer(self, request: Request) -> Answer:
        """See `World`."""
        if request not in self._asked:
            return Failed("NotAsked", "")
        if isinstance(request, ReadDocument):
            return self.told.answer(request)
        if isinstance(request, KeepLog):
            return self.logs
        return self.answers.get(request, Failed("NotAsked", ""))

    # --- as people and Kubernetes change it ---

    def put(self, manifest: Json | str) -> Json:
        """Make or replace an object (YAML or JSON); metadata is filled in."""
        obj: Json = copy.deepcopy(yaml.safe_load(manifest) if isinstance(manifest, str) else manifest)
        meta = obj["metadata"]
        old = self.objects.get((obj["kind"], meta["name"]))
        meta |= {
            "namespace": NAMESPACE,
            "uid": old["metadata"]["uid"] if old else meta.get("uid", f"uid-{next(self._uids)}"),
            "generation": meta.get("generation", 1),
            "creationTimestamp": meta.get("creationTimestamp", rfc3339(self.now)),
            "resourceVersion": "1",
        }
        self.objects[(obj["kind"], meta["name"])] = obj
        return obj

    def remove(self, kind: Kind, name: str) -> None:
        """Delete an object, and what it controls."""
        gone = self.objects.pop((kind.kind, name), None)
        if gone is not None:
            for key, obj in list(self.objects.items()):
                if owner(obj) == gone["metadata"]["uid"]:
                    self.remove(KINDS[key[0]], key[1])

    def status(self, kind: Kind, name: str) -> Json:
        """An object's status."""
        found: Json = self.objects[(kind.kind, name)].get("status", {})
        return found

    # --- the kernel ---

    def subject(self, spec: KindSpec[Any], name: str) -> Subject[Any]:
        """An object as its plan gets it."""
        raw = self.objects[(spec.kind.kind, name)]
        meta = raw["metadata"]
        body = {k: raw[k] for k in ("spec", "status") if k in raw}
        return Subject(
            Meta(
                name, NAMESPACE, meta["uid"], meta["generation"], meta["resourceVersion"],
                epoch(meta["creationTimestamp"]), meta.get("labels", {}), meta.get("annotations", {}),
            ),
            spec.info.model.model_validate(body), raw,
        )  # fmt: skip

    def plan(self, spec: KindSpec[Any], name: str) -> Plan:
        """Plan once, write nothing."""
        subject = self.subject(spec, name)
        self._subject = subject.meta.uid
        self._asked = tuple(spec.observe(subject, self, self.now))
        found = spec.plan(subject, self, self.now)
        kstatus.obey(found.status.model_dump(mode="json", by_alias=True, exclude_none=True), subject.meta.generation)
        return found

    def look(self, spec: KindSpec[Any], name: str, crash_after: int | None = None) -> Plan:
        """Plan and write, in the kernel's order; `crash_after` that many writes raises Crash."""
        plan = self.plan(spec, name)
        raw = self.objects[(spec.kind.kind, name)]
        wanted = plan.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        steps: list[Any] = [("status", wanted)] if raw.get("status") != wanted else []
        steps += [("create", obj) for obj in plan.create if (obj["kind"], obj["metadata"]["name"]) not in self.objects]
        steps += [("delete", gone) for gone in plan.delete]
        for number, (verb, what) in enumerate(steps):
            if number == crash_after:
                raise Crash
            self._write(raw, verb, what)
        return plan

    def _write(self, raw: Json, verb: str, what: Any) -> None:
        self.writes += 1
        if verb == "status":
            raw["status"] = copy.deepcopy(what)
        elif verb == "create":
            self.created.append((what["kind"], what["metadata"]["name"]))
            self.put(what)
        else:
            assert isinstance(what, Delete)
            found = self.objects.get((what.kind.kind, what.name))
            version = what.resource_version
            same = found is not None and version in ("", found["metadata"]["resourceVersion"])
            if found is not None and same and found["metadata"]["uid"] == what.uid:
                self.remove(what.kind, what.name)

    def settle(self, spec: KindSpec[Any], name: str) -> Plan:
        """Look until nothing is written any more."""
        for _ in range(20):
            before = self.writes
            plan = self.look(spec, name)
            if self.writes == before:
                return plan
        raise AssertionError(f"{name} does not settle")

    # --- Jobs and pods ---

    def jobs(self, **labels: str) -> list[Json]:
        """Jobs by `fairlead.dev/` labels."""
        return self.select(JOB, {f"fairlead.dev/{k}": v for k, v in labels.items()})

    def pod(self, job: Json, phase: str = "Pending", **status: Any) -> Json:
        """Make or change the pod of a Job."""
        name = f"{job['metadata']['name']}-x"
        owners = [{"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}]
        template = job["spec"]["template"]
        meta = {"name": name, "labels": template["metadata"]["labels"], "ownerReferences": owners}
        spec = template["spec"] | {"nodeName": "node-1"}
        for key in ("initContainerStatuses", "containerStatuses"):
            if key in status:
                status[key] = self.told.keep(job, status[key])
        return self.put({"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": phase} | status})


def owner(obj: Json) -> str:
    """The controlling owner's uid."""
    return next((o["uid"] for o in obj["metadata"].get("ownerReferences", ()) if o.get("controller")), "")


def stopped(name: str, code: int = 0, message: str = "", **more: Any) -> Json:
    """The status of a container that has ended."""
    return {"name": name, "image": f"{name}:1", "imageID": f"{name}@sha256:{'a' * 64}",
            "state": {"terminated": {"exitCode": code, "message": message} | more}}  # fmt: skip
