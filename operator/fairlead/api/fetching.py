"""What `fetch` is told, and what all workers say at their end. Each serving pod starts with a fetch, so that one loads no
more of the API's types than these: see `api/tasks.py` for the others."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from fairlead.api.schema import Model

TASK_ENV = "FAIRLEAD_TASK"
RESULT_PATH = "/dev/termination-log"
RESULT_LIMIT = 600
"""Bytes of a termination message. The kubelet shares 12 KiB among a pod's containers: this is the share of one in
twenty."""


class Access(Model):
    """How to reach a bucket from inside a pod."""

    endpoint: str | None = None
    region: str | None = None
    credentials: str | None = None
    """Folder with the files `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (a mounted Secret); None: the pod's
    own cloud identity."""
    folder: str | None = None
    """A folder of this machine that stands for all buckets: of `fairlead dev run`. Jobs are told of none."""


class Place(Access):
    """A folder of a bucket."""

    bucket: str
    prefix: str = ""


class FolderPlace(Model):
    """A folder of this machine, or a file: the source of `fairlead dev run`, and of no Job."""

    path: str


Told: TypeAlias = Place | FolderPlace
"""What a Job is told of the source that it reads: a type for each source, `Place | …`, known by its fields."""


class TaskError(Model):
    """Why a task could not be done."""

    reason: Literal[
        "BucketMissing", "AccessDenied", "Unreachable", "ObjectMissing", "ObjectChanged", "CorruptFile",
        "DigestMismatch", "OutputMissing", "ServerFailed", "OutOfMemory", "BadData", "BadTask", "Bug", "EndpointRefused",
        "CredentialsMissing", "ListingTooLarge", "ListingTooSlow", "RepositoryMissing", "RefMissing", "CommitMissing",
        "PathMissing", "TooLarge",
    ]  # fmt: skip
    message: str
    """What happened and what to do about it, with the object or field named."""
    transient: bool = False
    """Whether trying again without any change may help."""
    dest: str = ""
    """Of a fetch: where what failed was to be put."""


class Outcomes(Model):
    """Of a step with `each`: which outputs, found by what its items have committed."""

    output: str
    """Its name."""
    count: int = 0
    """So many items have committed one,"""
    without: str = ""
    """all but these (`api/items.mask_of`)."""
    only: str | None = None
    """The id of the one that is wanted, without its folder,"""
    values: dict[str, str | None] | None = None
    """or its values."""


class FetchItem(Model):
    """Something to bring into the pod and to verify."""

    access: Access
    manifest: bool = False
    """The URI names a Dataset version's manifest: its files are fetched."""
    source: Access | None = None
    """With `manifest`: how the Dataset's source is reached, for versions pinned by reference. Default: `access`."""
    uri: str
    sha256: str
    """Of an object: of its bytes. Of a folder: see Artifact. Of a manifest: the version's digest, or its
    first 16 digits."""
    dest: str
    """Folder (a single object keeps its base name)."""
    outcomes: Outcomes | None = None
    """The URI names the folder with the outcomes of a step's items. `sha256`: of their tally (`api/items.counted`)."""


class CodeItem(Model):
    """A commit's files to bring into the pod."""

    url: str
    """Of the repository."""
    commit: str
    path: str = ""
    """A folder that must be there."""
    credentials: str | None = None
    """Folder with the files `username` and `password` (a mounted Secret); None: it is public."""
    dest: str
    """Folder."""


class FetchTask(Model):
    """Bring inputs into the pod; nothing is left in place whose digest differs."""

    items: list[FetchItem]
    code: CodeItem | None = None


class Said(Model):
    """What a termination message says: one member is set, or none by a pod that commits nothing."""

    error: TaskError | None = None
    answer: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the document in the store."""
    fetched: int | None = None
    """Bytes that were fetched and verified."""
