"""What the API server can answer besides success: errors named by what happened."""

# ruff: noqa: N818

from __future__ import annotations

import re


class ApiError(Exception):
    """A request failed. `status`: the HTTP code, 0 without an answer. `retry_after`: seconds, if the server said so."""

    def __init__(self, message: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after


class NotFound(ApiError):
    """404 with a Status of the API server: the object is not there, or not its namespace."""


class NotServed(ApiError):
    """404 without a Status: this path is not served. The kind is not installed, or its definition is so new that the
    API server that answered does not serve it yet: it says nothing about whether the object is there."""


class Unauthorized(ApiError):
    """401: the credentials are wrong or have expired."""


class Forbidden(ApiError):
    """403: a role is missing, a quota is exceeded, or the namespace is going away; the message says which."""


class Conflict(ApiError):
    """409: the object has changed since it was read, or a precondition does not hold."""


class AlreadyExists(ApiError):
    """409 on create: the name is taken."""


class Gone(ApiError):
    """410: the list's continuation or the resource version is too old."""


class Refused(ApiError):
    """400, 413, 422 …: the API server refuses the object as it is; the message names the fields."""


class TooLarge(Refused):
    """The object is larger than the API server, its store, or a bound of the definition allows; the message says which
    field, where it knows."""


class TooManyRequests(ApiError):
    """429: the API server asks for patience."""


class Unavailable(ApiError):
    """5xx, a timeout, or no connection."""


class NotLeading(Exception):
    """A write was held back: this process does not hold the lease (any more)."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone, 429: TooManyRequests,
}  # fmt: skip


_TOO_LARGE = re.compile(
    r": Too (many|long): |request (entity )?is too large|Request entity too large|message larger than max"
)
"""In answers of 422 (a bound of the definition), and of 500 (etcd takes 1.5 MiB, and a message to it 2 MiB)."""


def from_answer(status: int, reason: str, message: str, retry_after: float | None) -> ApiError:
    """The error for an HTTP answer; `reason` is the Status object's."""
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists(message, status, retry_after)
    if status == 404 and reason != "NotFound":
        return NotServed(message, status, retry_after)
    if status == 413 or _TOO_LARGE.search(message):
        return TooLarge(message, status, retry_after)
    # a create that times out inside the API server, and the like: trying again is right
    if status >= 500 or reason in ("Timeout", "ServerTimeout"):
        return Unavailable(message, status, retry_after)
    return _BY_STATUS.get(status, Refused)(message, status, retry_after)
