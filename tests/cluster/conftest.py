"""Fixtures of the tests on the real cluster, and what is kept of those that fail."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hack.testbed import leavings
from hack.testbed.cluster import Cluster, Team, make_team

ROOT = Path(__file__).resolve().parents[2]
KEPT = "kept"
"""Name of the property of a test's report that says where its state is kept."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest begin first: nobody waits for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The state of a test that has failed is kept, before its namespace goes."""
    report = yield
    if report.failed and report.when != "teardown":
        keep(item, report)
    return report


def keep(item: pytest.Item, report: pytest.TestReport) -> None:
    """Into a folder of its own; the report, also pytest's XML, says which."""
    made = getattr(item, "funcargs", {})
    namespaces = [one.namespace for one in made.values() if isinstance(one, Team)]
    marker = item.get_closest_marker("namespace")
    cluster = made.get("cluster") or next((one.cluster for one in made.values() if isinstance(one, Team)), None)
    if cluster is None:
        return  # it has not come to the cluster
    logs = Path(os.environ.get("FAIRLEAD_STATE") or ROOT / ".local") / "log" / "failed"
    folder = leavings.free(logs / re.sub(r"[^\w.-]+", "-", item.name)[:100].strip("-"))
    leavings.leave(cluster, [*namespaces, *(marker.args if marker else ())], folder)
    for told in (report.user_properties, item.user_properties):  # of this report, and of the last one, for the XML
        told.append((KEPT, str(folder)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Where what was kept is, after everything else."""
    yield
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    for report in reports:
        for folder in (value for name, value in report.user_properties if name == KEPT):
            terminalreporter.write_line(f"{report.nodeid}: its objects, events and logs are in {folder}", red=True)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster, with Fairlead installed."""
    return Cluster()


@pytest.fixture
def team(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A fresh namespace, deleted afterwards."""
    name = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:30].strip("-")
    made = make_team(cluster, f"t-{name}-{uuid.uuid4().hex[:6]}")
    yield made
    cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=made.namespace)
    emptied = made.s3.get_paginator("list_objects_v2").paginate(Bucket=made.bucket)
    for page in emptied:
        for found in page.get("Contents", []):
            made.s3.delete_object(Bucket=made.bucket, Key=found["Key"])
