"""Jobs that would run for ever, or take more than they may: they end, and say what to raise."""

from __future__ import annotations

import pytest
import yaml
from hack.testbed.cluster import Team, condition

FOREVER = "with recursive r(n) as (select 1::hugeint union all select n+1 from r) select max(n)>0 from r"


def dataset(team: Team, **spec: object) -> None:
    """A Dataset of one line, and more of its spec."""
    team.s3.put_object(Bucket=team.bucket, Key="rides/1.jsonl", Body=b'{"id": 1}\n')
    place = {
        "bucket": team.bucket,
        "prefix": "rides",
        "endpoint": "http://s3.s3.svc:9000",
        "credentials": {"name": "s3"},
    }
    wanted = {"source": {"s3": place}, "format": "jsonl", "watch": {"every": "2s", "settle": "1s"}} | spec
    team.apply(yaml.safe_dump({"kind": "Dataset", "metadata": {"name": "forever"}, "spec": wanted}))


@pytest.mark.long
def test_attack_07_jobs_that_never_end_or_take_too_much(team: Team) -> None:
    dataset(team, checks=[{"sql": FOREVER, "timeout": "2s"}])
    seen = team.wait_condition("dataset", "forever", "Valid", "False", "ChecksFailed")
    assert "the query ran longer than 2s" in condition(seen, "Valid")["message"]
    dataset(team, checks=[{"sql": FOREVER, "timeout": "1h"}], timeout="5s")
    seen = team.wait_condition("dataset", "forever", "Valid", "Unknown", "DeadlineExceeded")
    assert "longer than spec.timeout allows" in condition(seen, "Valid")["message"]
    assert seen["status"]["job"]["exceeded"] == 1
    dataset(team)
    team.wait_condition("dataset", "forever", "Ready", "True")

    dataset(team, resources={"memory": "32Mi"})
    seen = team.wait_condition("dataset", "forever", "Valid", "Unknown", "OutOfMemory")
    assert "raise spec.resources.memory" in condition(seen, "Valid")["message"]
