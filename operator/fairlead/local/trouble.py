"""Why a run can't be made on this machine."""

from __future__ import annotations


class Trouble(Exception):  # noqa: N818 - what a person reads
    """What is wrong, with the field or the option named, and what to do."""
