"""What has to be installed for a command: `pip install fairlead` alone brings what people's steps import, and no
more."""

from __future__ import annotations

from collections.abc import Sequence

OPERATOR = frozenset(
    {
        "aiohttp",
        "boto3",
        "botocore",
        "cronsim",
        "dulwich",
        "kopf",
        "kubernetes",
        "prometheus_client",
        "pydantic",
        "tzdata",
        "yaml",
    }
)
"""What the extra `operator` brings, by the names under which it is imported; `cli` and `worker` bring it too."""
WORKER = frozenset({"duckdb", "envoy", "grpc", "numpy", "pyarrow"})
"""What the extra `worker` brings besides."""


def needed(command: Sequence[str], missing: str | None) -> str | None:
    """The extras that bring a package which a command has missed; None if it is none of theirs."""
    package = (missing or "").partition(".")[0]
    if package not in OPERATOR | WORKER:
        return None
    if command[:1] in (["operator"], ["worker"]):
        return command[0]
    return "cli,worker" if package in WORKER else "cli"
