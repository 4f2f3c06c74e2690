"""The one error of this room."""

from __future__ import annotations

LONGEST = 1000
"""Characters of a message: it becomes a condition's, and may quote what somebody else has written."""


class SignalError(Exception):
    """A signal that could not be had."""

    def __init__(self, reason: str, message: str) -> None:
        message = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
        super().__init__(message)
        self.reason = reason
        """A stable CamelCase word: Unreachable, Timeout, HttpStatus, TooLarge, TooSlow, Compressed, NotMetrics,
        UnusableValue, BadAnswer, BadSelector, BadQuery, NotPrometheus, NotReady, WarmUpRefused."""
        self.message = message
        """What happened, and what to do next."""
