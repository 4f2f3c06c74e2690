"""The sub-commands of people, in the order of the help. Each module is light until it runs."""

from __future__ import annotations

import argparse

from fairlead.cli import (
    approve,
    ask,
    decide,
    dev,
    digest,
    explain,
    get,
    history,
    lineage,
    monitor,
    new,
    profile,
    replay,
    review,
    start,
    switches,
    verdict,
    why,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them all."""
    for module in (
        get,
        why,
        ask,
        start,
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
    ):
        module.register(subparsers)
