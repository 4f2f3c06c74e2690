"""What a real API server says of a status that is too large is one case, whoever says it: the definition, or etcd."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube
from tests.sim.toys import TOY, toy

MIB = 1 << 20


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"windows": list(map(float, range(11)))}, "status.windows: Too many: 11"),
        ({"lastWindowAt": "x" * 41}, "status.lastWindowAt: Too long"),
        ({"asked": "x" * int(2.2 * MIB)}, "larger than max"),
        ({"asked": "x" * int(3.5 * MIB)}, "too large"),
    ],
    ids=["a list", "a text", "etcd", "a request"],
)
async def test_a_status_that_is_too_large_has_a_name(
    http: HttpKube, namespace: str, status: dict[str, Any], says: str
) -> None:  # fmt: skip
    manifest = toy(f"t{uuid.uuid4().hex[:8]}")
    manifest["metadata"]["namespace"] = namespace
    made = await http.create(TOY, manifest)
    with pytest.raises(api.TooLarge) as refused:
        await http.replace_status(TOY, made | {"status": status})
    assert says in refused.value.message
