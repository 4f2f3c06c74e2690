"""Where data lies and how it is reached: an object's own settings, completed field by field from the operator's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.common import S3Access, S3Location
from fairlead.api.config import OperatorConfig
from fairlead.api.modelversion import Artifact
from fairlead.api.tasks import Access, FetchItem, Place
from fairlead.manifests.pod import credentials_path
from fairlead.plan.core import Invalid
from fairlead.plan.requests import ReadNewest, SaveDocument

_NAME_LIMIT = 63


def check_name(name: str) -> None:
    """Raises Invalid for an object whose name does not fit into the labels of its children."""
    if len(name) > _NAME_LIMIT:
        raise Invalid("metadata.name", f"longer than {_NAME_LIMIT} characters; make it again with a shorter name")


@dataclass(frozen=True)
class Reach:
    """How a bucket is reached. `credentials` names a Secret of the object's namespace."""

    endpoint: str | None = None
    region: str | None = None
    credentials: str | None = None

    def access(self) -> Access:
        """For a worker: the Secret is the folder it is mounted at."""
        folder = credentials_path(self.credentials) if self.credentials else None
        return Access(endpoint=self.endpoint, region=self.region, credentials=folder)


@dataclass(frozen=True)
class Location:
    """A folder of a bucket. `prefix` is empty or ends with a slash, unless it is a source as it was written."""

    bucket: str
    prefix: str
    reach: Reach

    def folder(self, *parts: str) -> Location:
        """A folder below."""
        return replace(self, prefix=f"{self.prefix}{'/'.join(parts)}/")

    def place(self) -> Place:
        """For a worker."""
        return Place(bucket=self.bucket, prefix=self.prefix, **self.reach.access().model_dump())

    def newest(self, namespace: str) -> ReadNewest:
        """The request to read the last document in this folder with the namespace's credentials."""
        reach = self.reach
        return ReadNewest(namespace, self.bucket, self.prefix, reach.endpoint, reach.region, reach.credentials)

    def saving(self, namespace: str, name: str, body: str) -> SaveDocument:
        """The request to write a document in this folder, once, with the namespace's credentials."""
        reach = self.reach
        return SaveDocument(
            namespace, self.bucket, f"{self.prefix}{name}", body, reach.endpoint, reach.region, reach.credentials
        )

    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}"


def reach(own: S3Access, config: OperatorConfig) -> Reach:
    """An object's access, each field it leaves out taken from the operator's store."""
    default = config.store or S3Access()
    secret = own.credentials or default.credentials
    return Reach(
        endpoint=own.endpoint or default.endpoint,
        region=own.region or default.region,
        credentials=secret.name if secret else None,
    )


def artifact(found: Artifact, config: OperatorConfig, dest: str) -> tuple[FetchItem, str | None]:
    """What brings a model's bytes, verified, into a folder of a pod, and the Secret that this needs."""
    how = reach(found, config)
    return FetchItem(access=how.access(), uri=found.uri, sha256=found.sha256, dest=dest), how.credentials


def store(own: S3Location | None, config: OperatorConfig, namespace: str) -> Location:
    """The namespace's folder in an object's store, or in the operator's. Raises Invalid when neither is set."""
    chosen = own or config.store
    if chosen is None:
        raise Invalid(
            "spec.store",
            "there is nowhere to keep data: set spec.store.bucket here, or `store` in the operator's configuration",
        )
    prefix = chosen.prefix if not chosen.prefix or chosen.prefix.endswith("/") else f"{chosen.prefix}/"
    return Location(chosen.bucket, prefix, reach(chosen, config)).folder(namespace)


def dataset_folder(own: S3Location | None, config: OperatorConfig, namespace: str, dataset: str) -> Location:
    """Where a Dataset's versions are kept. Raises Invalid without a store."""
    return store(own, config, namespace).folder("datasets", dataset)


def step_folder(
    own: S3Location | None, config: OperatorConfig, namespace: str, pipeline: str, run_uid: str, step: str
) -> Location:
    """Where a run's step leaves its outputs. Raises Invalid without a store."""
    return store(own, config, namespace).folder("pipelines", pipeline, run_uid, step)


def cache_folder(
    own: S3Location | None, config: OperatorConfig, namespace: str, pipeline: str, key: str
) -> Location:  # fmt: skip
    """What a pipeline's steps have left under a key. Raises Invalid without a store."""
    return store(own, config, namespace).folder("cache", pipeline, key)


def model_folder(own: S3Location | None, config: OperatorConfig, namespace: str, version: str) -> Location:
    """Where a model version's evaluation reports go. Raises Invalid without a store."""
    return store(own, config, namespace).folder("models", version)


def ledger_folder(config: OperatorConfig, namespace: str, deployment: str, rollout: str) -> Location | None:
    """Where a rollout's evidence goes; None without a store."""
    if config.store is None:
        return None
    return store(None, config, namespace).folder("deployments", deployment, "evidence", rollout)


def memory_folder(config: OperatorConfig, namespace: str, deployment: str) -> Location | None:
    """Where that goes which must survive the loss of a Deployment's status; None without a store. Not below
    `deployments`: there people let the bucket delete what is old."""
    if config.store is None:
        return None
    return store(None, config, namespace).folder("state", deployment)


def predictions_folder(config: OperatorConfig, namespace: str, deployment: str, version: str) -> Location | None:
    """Where a version's recorded answers go; None without a store."""
    if config.store is None:
        return None
    return store(None, config, namespace).folder("deployments", deployment, "predictions", f"version={version}")
