"""The one error of this room."""

from __future__ import annotations


class SignalError(Exception):
    """A signal that could not be had."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """A stable CamelCase word: Unreachable, Timeout, HttpStatus, TooLarge, TooSlow, Compressed, NotMetrics,
        UnusableValue, BadAnswer, BadSelector, BadQuery, NotPrometheus, NotReady, WarmUpRefused."""
        self.message = message
        """What happened, and what to do next."""
