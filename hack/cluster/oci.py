"""Write OCI image archives without a container engine: a base layer, one layer of files, a configuration."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Blob:
    """One content-addressed piece of an image."""

    digest: str
    size: int
    path: Path | None = None
    data: bytes = b""

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]


@dataclass(frozen=True)
class Content:
    """What an image consists of."""

    reference: str
    layers: Sequence[Path]
    entrypoint: Sequence[str] = ()
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as source:
        return "sha256:" + hashlib.file_digest(source, "sha256").hexdigest()


def write_layer(target: Path, files: Mapping[str, Path], folders: Mapping[str, int] | None = None) -> None:
    """A layer with executables at the given places, and empty folders with the given modes; same input, same bytes."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        made: set[str] = set()
        for name, mode in (folders or {}).items():
            _add_folders(tar, name, made, mode)
        for name, source in files.items():
            _add_folders(tar, os.path.dirname(name), made)
            info = tarfile.TarInfo(name)
            info.size, info.mode = source.stat().st_size, 0o755
            with source.open("rb") as data:
                tar.addfile(info, data)


def _add_folders(tar: tarfile.TarFile, name: str, made: set[str], mode: int = 0o755) -> None:
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if folder and folder not in made:
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, mode if folder == name else 0o755
            tar.addfile(info)
            made.add(folder)


def write_archive(target: Path, content: Content) -> str:
    """Write the archive; the digest of its manifest."""
    layers = [Blob(file_digest(path), path.stat().st_size, path) for path in content.layers]
    config = _json(_config(content, layers))
    manifest = _json(_manifest(config, layers))
    names = {
        "io.containerd.image.name": content.reference,
        "org.opencontainers.image.ref.name": content.reference,
    }
    entry = _descriptor(MANIFEST, manifest) | {"annotations": names}
    index = _json({"schemaVersion": 2, "manifests": [entry]})
    scratch = target.with_name(target.name + ".new")
    with tarfile.open(scratch, "w", format=tarfile.GNU_FORMAT) as tar:
        _add_bytes(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_bytes(tar, "index.json", index.data)
        for blob in {blob.hex: blob for blob in [*layers, config, manifest]}.values():
            _add_blob(tar, blob)
    scratch.replace(target)
    return manifest.digest


def _config(content: Content, layers: Sequence[Blob]) -> dict[str, object]:
    settings: dict[str, object] = {"Env": [f"{key}={value}" for key, value in content.env.items()]}
    if content.entrypoint:
        settings["Entrypoint"] = list(content.entrypoint)
    if content.user:
        settings["User"] = content.user
    return {
        "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": settings,
        "history": [{"created_by": "hack/cluster"} for _ in layers],
        "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in layers]},
    }


def _manifest(config: Blob, layers: Sequence[Blob]) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, blob) for blob in layers],
    }


def _descriptor(kind: str, blob: Blob) -> dict[str, object]:
    return {"mediaType": kind, "digest": blob.digest, "size": blob.size}


def _json(value: object) -> Blob:
    data = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    return Blob("sha256:" + hashlib.sha256(data).hexdigest(), len(data), data=data)


def _add_blob(tar: tarfile.TarFile, blob: Blob) -> None:
    info = tarfile.TarInfo(f"blobs/sha256/{blob.hex}")
    info.size = blob.size
    if blob.path is None:
        tar.addfile(info, io.BytesIO(blob.data))
        return
    with blob.path.open("rb") as source:
        tar.addfile(info, source)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def manifest_digest(archive: Path) -> str:
    """The digest of the (one) manifest in an OCI archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.removeprefix("./") == "index.json":
                index = json.loads(_read(tar.extractfile(member)))
                return str(index["manifests"][0]["digest"])
    raise ValueError(f"{archive} is no OCI archive: it has no index.json")


def _read(source: IO[bytes] | None) -> bytes:
    return source.read() if source else b""
