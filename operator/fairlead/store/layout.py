"""Where things lie in the store (see docs/explanation/architecture.md)."""

from __future__ import annotations

from urllib.parse import urlsplit


def join(*parts: str) -> str:
    """Parts of a key with one slash between them; empty parts are left out."""
    return "/".join(p.strip("/") for p in parts if p.strip("/"))


def blob(dataset: str, sha256: str) -> str:
    """Bytes by content, in a Dataset's folder."""
    return join(dataset, "blobs", sha256[:2], sha256)


def manifest(dataset: str, version: str) -> str:
    """The manifest of a version, in a Dataset's folder."""
    return join(dataset, "versions", f"{version}.json")


def listing(dataset: str, digest: str) -> str:
    """What became of a listing, in a Dataset's folder."""
    return join(dataset, "listings", f"{digest}.json")


def profile(evidence: str, digest: str) -> str:
    """A model's profile, in the folder of its version's reports."""
    return join(evidence, "profiles", f"{digest}.json")


def golden(evidence: str, digest: str) -> str:
    """Golden rows that an evaluation has kept, in the folder of its version's reports."""
    return join(evidence, "golden", f"{digest}.json")


def dataset_of(manifest_key: str) -> str:
    """The Dataset's folder that a manifest's key lies in. Raises ValueError."""
    folder, found, _ = manifest_key.rpartition("/versions/")
    if not found:
        raise ValueError(f"{manifest_key} is not the key of a manifest")
    return folder


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises ValueError."""
    parts = urlsplit(uri)
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if parts.scheme != "s3" or not bucket or not key:
        raise ValueError(f"not an S3 address: {uri!r}; write s3://bucket/key")
    return bucket, key
