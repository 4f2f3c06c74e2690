"""Fixtures of the tests against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube, load_configuration
from fairlead.plan.core import Kind
from tests.contract.toycrds import CRD, CRDS, NAMESPACE
from tests.sim.toys import SHELF, TOY

ROOT = Path(__file__).resolve().parents[2]


def kubeconfig_path() -> str:
    """The kubeconfig of the cluster to test on. Fails, and says how to get one, if there is none."""
    found = Path(os.environ.get("FAIRLEAD_KUBECONFIG") or ROOT / ".local/cluster/kubeconfig")
    if not found.is_file():
        pytest.fail(
            f"no cluster: {found} is not there; start one by `python3 hack/cluster up`, or set FAIRLEAD_KUBECONFIG"
        )
    return str(found)


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """Path of the kubeconfig."""
    return kubeconfig_path()


@pytest_asyncio.fixture
async def http(kubeconfig: str) -> AsyncIterator[HttpKube]:
    """A connection to the real API server, with the toys' definitions in place."""
    kube = HttpKube(await load_configuration(kubeconfig))
    for definition in CRDS:
        await kube.apply(CRD, definition)
    await asyncio.gather(*(_until_served(kube, kind) for kind in (TOY, SHELF)))
    yield kube
    await kube.close()


async def _until_served(kube: HttpKube, kind: Kind) -> None:
    """A new definition is served a moment after it is established: no event says so, so it is asked for."""
    async with asyncio.timeout(30):
        while True:
            try:
                async for _ in kube.pages(kind):
                    return
            except api.NotServed:
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def namespace(http: HttpKube) -> AsyncIterator[str]:
    """A fresh namespace, deleted afterwards."""
    name = f"fl-kernel-{uuid.uuid4().hex[:8]}"
    made = await http.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    with contextlib.suppress(api.NotFound):
        await http.delete(NAMESPACE, "", name, made["metadata"]["uid"])
