"""The store that a command reads: found by its bucket's name in what the cluster says, with the caller's own rights.

Where a bucket is, and which Secret opens it, stands in the installation's configuration and in the namespace's own
objects. An endpoint that has a name of the cluster's network is reached by its Service's address, or by `kubectl
port-forward`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairlead.cli.session import DENIED, NOT_FOUND, UNREACHABLE, Json, Problem, Session

if TYPE_CHECKING:
    from fairlead.api.common import S3Access, S3Location
    from fairlead.store.s3 import Bucket

CONNECT, FORWARD = 2.0, 20.0
"""Seconds in which a Service's address takes a connection, and kubectl says where it forwards."""
INSTALLED = ("fairlead-system", "fairlead")
"""Namespace and name of the installation's configuration, as the documentation installs it."""
CONFIG = "config.yaml"


@dataclass(frozen=True)
class Place:
    """How a bucket is reached. Empty: AWS, and its own chain of credentials."""

    endpoint: str = ""
    region: str = ""
    credentials: str = ""
    """A Secret of the namespace."""
    said: str = ""
    """Who says so, in words."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options by which a store is named that the cluster does not name, or not rightly."""
    parser.add_argument("--endpoint", help="address of the object store (default: as the installation or the "
                        "namespace's objects name it for this bucket; else AWS)")  # fmt: skip
    parser.add_argument("--credentials", metavar="SECRET",
                        help="a Secret of the namespace with the store's keys (default: the one that is named there; "
                        "empty: AWS's own chain)")  # fmt: skip


@asynccontextmanager
async def opened(session: Session, args: argparse.Namespace, bucket: str) -> AsyncIterator[Bucket]:
    """The bucket. args: with the options from `add_options`. Raises Problem, also for what the store answers inside."""
    from fairlead.store.errors import StoreError
    from fairlead.store.s3 import Bucket, keys_from

    place = Place(said="the options")
    if args.endpoint is None or args.credentials is None:
        place = await find(session, bucket)
    place = replace(
        place, endpoint=place.endpoint if args.endpoint is None else args.endpoint,
        credentials=place.credentials if args.credentials is None else args.credentials,
    )  # fmt: skip
    secret = await _secret(session, place) if place.credentials else None
    try:
        async with _near(session, args.kubeconfig, place.endpoint) as endpoint:
            yield Bucket(bucket, endpoint or None, place.region or None, keys_from(secret))
    except StoreError as failed:
        raise Problem(f"{failed.message}. It was asked according to {place.said}; --endpoint and --credentials "
                      "name another one") from None  # fmt: skip


# --- where it is ---------------------------------------------------------------------------------------------------


async def find(session: Session, bucket: str) -> Place:
    """How the bucket is reached, as the cluster says it; AWS if nobody names it."""
    store, unread = await _installed(session)
    if store and store.bucket == bucket:
        return _place(store, None, "the installation's configuration")
    async for said, own, named in _objects(session):
        if named == bucket:
            return _place(own, store, said)
    return Place(said=f"AWS's defaults, for neither an object of namespace {session.namespace} names this bucket nor "
                 f"{unread}")  # fmt: skip


def _place(own: S3Access, default: S3Access | None, said: str) -> Place:
    """An object's own settings, completed from the operator's store, as the operator does."""
    secret = own.credentials or (default.credentials if default else None)
    return Place(
        own.endpoint or (default.endpoint if default else None) or "",
        own.region or (default.region if default else None) or "", secret.name if secret else "", said,
    )  # fmt: skip


async def _installed(session: Session) -> tuple[S3Location | None, str]:
    """The operator's own store; and in words what was looked at."""
    import yaml
    from pydantic import ValidationError

    from fairlead.api.common import S3Location

    found, where = await _configuration(session)
    try:
        store = (yaml.safe_load(found) or {}).get("store") if found else None
        return (S3Location.model_validate(store) if store else None), where
    except (yaml.YAMLError, ValidationError, AttributeError):
        return None, f"{where}, which can't be read by this version of fairlead"


async def _configuration(session: Session) -> tuple[str, str]:
    """The text of the operator's configuration, wherever it is installed; empty without the right to see it."""
    from fairlead.cluster.errors import ApiError
    from fairlead.plan.core import Kind

    kind = Kind("v1", "ConfigMap", "configmaps")
    selector = "app.kubernetes.io/name=fairlead,app.kubernetes.io/component=operator"
    with suppress(ApiError):  # only administrators may list them everywhere; others can have been given this one
        async for page in session.kube.pages(kind, selector=selector):
            for item in page.items:
                if CONFIG in (item.get("data") or {}):
                    return item["data"][CONFIG], "the installation's configuration"
    try:
        found = await session.kube.get(kind, *INSTALLED)
    except ApiError as failed:
        return "", f"the installation's configuration, which can't be read ({failed.message})"
    return (found.get("data") or {}).get(CONFIG, ""), "the installation's configuration"


async def _objects(session: Session) -> AsyncIterator[tuple[str, S3Access, str]]:
    """Who names a bucket, how it is reached, and which it is. Objects that can't be read say nothing."""
    from pydantic import ValidationError

    from fairlead.cluster.errors import Forbidden, NotFound
    from fairlead.plan.core import DATASET, MODEL_VERSION, PIPELINE

    for kind in (DATASET, PIPELINE, MODEL_VERSION):
        with suppress(Forbidden, NotFound):
            for item in await session.all(kind):
                with suppress(ValidationError):
                    for own, bucket in _named(item):
                        yield f"{kind.kind} {item['metadata']['name']}", own, bucket


def _named(item: Json) -> Iterator[tuple[S3Access, str]]:
    from fairlead.api.common import Artifact, S3Location
    from fairlead.store.layout import split

    spec: Json = item.get("spec") or {}
    for location in (spec.get("store"), *(spec.get("source") or {}).values()):
        if isinstance(location, dict) and "bucket" in location:
            own = S3Location.model_validate(location)
            yield own, own.bucket
    if spec.get("artifact"):
        artifact = Artifact.model_validate(spec["artifact"])
        yield artifact, split(artifact.uri)[0]


# --- how it is opened ----------------------------------------------------------------------------------------------


async def _secret(session: Session, place: Place) -> dict[str, str]:
    """The keys, read with the caller's own rights. Raises Problem."""
    from fairlead.cluster.errors import Forbidden, NotFound
    from fairlead.cluster.port import SECRET

    named = f"Secret {place.credentials!r} of namespace {session.namespace!r}"
    try:
        found = await session.kube.get(SECRET, session.namespace, place.credentials)
    except Forbidden as refused:
        raise Problem(
            f"the store's keys are in {named}, according to {place.said}, and you may not read it: {refused.message}. "
            "Ask for the right to get secrets there; or name another one by --credentials, or none (--credentials '') "
            "to use your own AWS credentials", DENIED,
        ) from None  # fmt: skip
    except NotFound:
        raise Problem(
            f"{named} is not there, where the store's keys are according to {place.said}; make it, or name another one "
            "by --credentials", NOT_FOUND,
        ) from None  # fmt: skip
    try:
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()
                if key.startswith("AWS_")}  # fmt: skip
    except UnicodeDecodeError:
        raise Problem(f"{named} has keys that are no text; correct it, or name another one by --credentials") from None


_SERVICE = re.compile(r"^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.cluster\.local)?\.?$")


@asynccontextmanager
async def _near(session: Session, kubeconfig: str | None, endpoint: str) -> AsyncIterator[str]:
    """The endpoint as it can be reached from here. One with a certificate is left as it is: that names its host."""
    parts = urlsplit(endpoint)
    service = _SERVICE.match(parts.hostname or "")
    if not service or parts.scheme != "http":
        yield endpoint
        return
    name, namespace, port = service[1], service[2], parts.port or 80
    address = await _address(session, namespace, name)
    if address and await _listens(address, port):
        yield f"http://{address}:{port}"
        return
    async with _forwarded(kubeconfig, namespace, name, port) as local:
        yield f"http://127.0.0.1:{local}"


async def _address(session: Session, namespace: str, name: str) -> str:
    from fairlead.cluster.errors import ApiError
    from fairlead.plan.core import SERVICE

    try:
        found = await session.kube.get(SERVICE, namespace, name)
    except ApiError:
        return ""  # kubectl says what is missing, if it can't do it either
    address = str((found.get("spec") or {}).get("clusterIP") or "")
    return "" if address == "None" or ":" in address else address


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


@asynccontextmanager
async def _forwarded(kubeconfig: str | None, namespace: str, name: str, port: int) -> AsyncIterator[int]:
    """A local port that leads to a Service. Raises Problem."""
    where = f"the store is Service {namespace}/{name}, which can't be reached from here"
    words = ["kubectl", *(["--kubeconfig", kubeconfig] if kubeconfig else []), "port-forward", "-n", namespace]
    try:
        process = await asyncio.create_subprocess_exec(
            *words, "--address=127.0.0.1", f"service/{name}", f":{port}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError:
        raise Problem(f"{where}, and there is no kubectl to forward a port; say --endpoint", UNREACHABLE) from None
    try:
        yield await _local_port(process, where)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _local_port(process: asyncio.subprocess.Process, where: str) -> int:
    assert process.stdout is not None
    assert process.stderr is not None
    line: Any = b""
    with suppress(TimeoutError):
        line = await asyncio.wait_for(process.stdout.readline(), FORWARD)
    if found := re.search(rb"127\.0\.0\.1:(\d+)", line):
        return int(found[1])
    with suppress(ProcessLookupError):
        process.terminate()
    told = (await process.stderr.read()).decode("utf-8", "replace").strip()
    raise Problem(f"{where}: kubectl port-forward: {told or 'no answer'}. Say --endpoint", UNREACHABLE)
