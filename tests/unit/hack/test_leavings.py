"""What a failing test on the cluster leaves: as files, bounded, without Secrets; and its report says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.testbed import leavings
from hack.testbed.cluster import Json
from kubernetes.client import ApiException

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[3] / "tests" / "cluster" / "conftest.py"


class Small:
    """A cluster with a few objects."""

    def __init__(self, lines: int = 1) -> None:
        self.asked: list[str] = []
        self._lines = lines

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        assert not selector
        self.asked.append(kind)
        if kind == "grpcroute":
            raise ApiException(status=404, reason="no such kind")
        meta: dict[str, Any] = {"name": f"a-{kind}", "namespace": namespace, "managedFields": [{"manager": "x"}]}
        if kind == "pod":
            status = {"containerStatuses": [{"name": "server", "restartCount": 1}]}
            return [{"kind": "Pod", "metadata": meta, "status": status}]
        return [{"kind": kind, "metadata": meta}] if kind in ("deployment", "event", "configmap") else []

    def log(self, namespace: str, pod: str, container: str, previous: bool = False) -> str:
        return f"{namespace}/{pod}/{container} {previous}\n" * self._lines


def test_objects_events_and_logs_are_kept_and_secrets_are_not(tmp_path: Path) -> None:
    cluster = Small()
    leavings.leave(cluster, ["t-a"], tmp_path)
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {
        "t-a/deployment.yaml", "t-a/event.yaml", "t-a/configmap.yaml", "t-a/pod.yaml", "t-a/grpcroute.yaml",
        "t-a/logs/a-pod.server.log", "t-a/logs/a-pod.server.before.log",
        "fairlead-system/a-pod.server.log", "fairlead-system/a-pod.server.before.log",
    }  # fmt: skip
    assert "secret" not in cluster.asked
    assert yaml.safe_load((tmp_path / "t-a/deployment.yaml").read_text()) == {
        "kind": "deployment", "metadata": {"name": "a-deployment", "namespace": "t-a"},
    }  # fmt: skip
    assert "could not be read" in (tmp_path / "t-a/grpcroute.yaml").read_text()
    assert (tmp_path / "t-a/logs/a-pod.server.before.log").read_text() == "t-a/a-pod/server True\n"


def test_a_long_log_is_cut_and_its_end_is_kept(tmp_path: Path) -> None:
    leavings.leave(Small(lines=100_000), ["t-a"], tmp_path)
    kept = (tmp_path / "t-a/logs/a-pod.server.log").read_text()
    assert len(kept) < leavings.MOST + 100
    assert kept.startswith("# … cut")
    assert kept.endswith("t-a/a-pod/server False\n")


TESTS = """
import pytest
from hack.testbed.cluster import Team
from tests.unit.hack.test_leavings import Small

@pytest.fixture(scope="session")
def cluster():
    return Small()

@pytest.fixture
def team(cluster):
    return Team(cluster, "t-b", "bucket", ("a", "b"), "http://s3")

def test_good(team):
    pass

@pytest.mark.parametrize("how", ["a b"])
def test_bad(team, how):
    assert False, "it went wrong"

@pytest.mark.long
@pytest.mark.namespace("sugar")
def test_other(cluster):
    assert False

def test_before_the_cluster(tmp_path):
    assert False
"""


def test_a_test_that_fails_says_where_its_state_is_kept(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRLEAD_STATE", str(pytester.path / "state"))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nmarkers =\n    long\n    namespace\n")
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(TESTS)
    for number in ("", "-2"):
        done = pytester.runpytest_inprocess("--junitxml=report.xml")
        done.assert_outcomes(passed=1, failed=3)
        folder = pytester.path / "state/log/failed"
        kept = [folder / f"test_other{number}", folder / f"test_bad-a-b{number}"]
        told = [line for line in done.outlines if "its objects, events and logs are in" in line]
        assert [line.rpartition(" ")[2] for line in told] == [str(one) for one in kept]  # long ones begin first
        assert done.outlines[-3:-1] == told  # the last lines before the totals
        assert all(f'name="kept" value="{one}"' in (pytester.path / "report.xml").read_text() for one in kept)
        assert (kept[0] / "sugar/event.yaml").is_file()
        assert (kept[1] / "t-b/deployment.yaml").is_file()
    assert not list(folder.glob("test_good*")) + list(folder.glob("test_before*"))
