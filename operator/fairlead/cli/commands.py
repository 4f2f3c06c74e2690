"""The sub-commands of people, in the order of the help. Each module is light until it runs."""

from __future__ import annotations

import argparse

from fairlead.cli import (
    approve,
    artifacts,
    ask,
    components,
    decide,
    dev,
    digest,
    explain,
    export,
    get,
    history,
    lineage,
    logs,
    monitor,
    new,
    opened,
    profile,
    replay,
    review,
    start,
    submit,
    switches,
    verdict,
    why,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them all."""
    for module in (
        get,
        logs,
        artifacts,
        opened,
        why,
        ask,
        start,
        components,
        switches,
        decide,
        approve,
        review,
        history,
        lineage,
        replay,
        verdict,
        profile,
        monitor,
        explain,
        digest,
        dev,
        new,
        export,
        submit,
    ):
        module.register(subparsers)
