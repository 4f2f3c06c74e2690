"""botocore's errors in the house's words: a reason, and what a person can do about it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fairlead.store.errors import ForeignAnswerError, Reason, SpentError, StoreError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

E = TypeVar("E", bound=Exception)


@dataclass(frozen=True)
class Where:
    """What a call is about, for messages."""

    bucket: str
    endpoint: str
    """Address, or "AWS"."""
    terse: bool = False
    """Whoever has named it may not learn more of what answers there than an S3 store would say: it may be none, and in
    a network that only the operator reaches."""

    def uri(self, key: str | None) -> str:
        """`s3://bucket/key`, or the bucket alone."""
        return f"s3://{self.bucket}" + (f"/{key}" if key else "")


_CODES: dict[str, tuple[Reason, str]] = {
    "NoSuchBucket": ("BucketMissing", "bucket {bucket} does not exist at {endpoint}; create it or correct the name"),
    "InvalidBucketName": ("BadTask", "{bucket} is not a valid bucket name; correct it"),
    "InvalidAccessKeyId": (
        "AccessDenied",
        "{endpoint} does not know the access key; correct AWS_ACCESS_KEY_ID in the credentials' Secret",
    ),
    "SignatureDoesNotMatch": (
        "AccessDenied",
        "{endpoint} refused the signature; correct AWS_SECRET_ACCESS_KEY in the credentials' Secret",
    ),
    "ExpiredToken": ("AccessDenied", "the session token has expired; renew AWS_SESSION_TOKEN in the Secret"),
    "InvalidToken": ("AccessDenied", "the session token is not valid; renew AWS_SESSION_TOKEN in the Secret"),
    "RequestTimeTooSkewed": ("AccessDenied", "the clocks here and at {endpoint} differ too much; set them"),
    "AccessDenied": ("AccessDenied", "the credentials may not use {uri}; allow them to, or use others"),
    "NoSuchKey": ("ObjectMissing", "{uri} does not exist; put it back or correct the location"),
    "NoSuchVersion": ("ObjectMissing", "{uri} no longer has the version that was pinned; restore it"),
    "PreconditionFailed": ("ObjectChanged", "{uri} was changed since it was listed; it will be listed again"),
    "PermanentRedirect": ("BadTask", "bucket {bucket} is in another region; set region"),
    "AuthorizationHeaderMalformed": ("BadTask", "{endpoint} expects another region; set region"),
    "NotImplemented": ("BadTask", "{endpoint} cannot do this ({code}); use a store with conditional writes"),
}
_TERSE = (
    "{endpoint} did not answer as an S3 store does for {uri}; check that the store runs, that endpoint names it, and "
    "that network policies let the operator reach it"
)
_MARK = "x-amz-request-id"
"""A header of each answer of S3."""
_BY_STATUS = {403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 301: "PermanentRedirect"}


def refused(error: ClientError, where: Where, key: str | None) -> StoreError:
    """The error for an answer that says no."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    known = _CODES.get(code) or _CODES.get(_BY_STATUS.get(status, ""))
    if where.terse and not _of_s3(error, code):
        return _terse(where, key)
    words = {"bucket": where.bucket, "endpoint": where.endpoint, "uri": where.uri(key), "code": code}
    if (known and status < 500) or code == "NotImplemented":
        reason, text = known or _CODES["NotImplemented"]
        return StoreError(reason, text.format(**words))
    if where.terse:
        return _terse(where, key)
    detail = error.response.get("Error", {}).get("Message", "")
    text = f"{where.endpoint} answered {status} {code} for {where.uri(key)}: {detail}"
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "TooManyRequests") or status == 429:
        return StoreError("Unreachable", f"{text}; it is tried again", transient=True)
    return StoreError("BadTask", text)


def _of_s3(error: ClientError, code: str) -> bool:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return code in _CODES or _MARK in headers


def _terse(where: Where, key: str | None) -> StoreError:
    return StoreError("Unreachable", _TERSE.format(endpoint=where.endpoint, uri=where.uri(key)), transient=True)


def foreign(error: Exception, where: Where, key: str | None) -> StoreError:
    """The error for an answer that is none of an S3 store."""
    if where.terse:
        return _terse(where, key)
    text = (
        f"{where.endpoint} answered for {where.uri(key)} what no S3 store does ({str(error)[:200]}); correct endpoint"
    )
    return StoreError("Unreachable", text, transient=True)


def spent(error: SpentError, where: Where, key: str | None) -> StoreError:
    """The error for work that the store has made too long or too large."""
    if key is not None and error.of == "time":
        return StoreError("Unreachable", f"{where.endpoint} took too long over {where.uri(key)}", transient=True)
    if key is not None:
        return StoreError("BadTask", f"{where.uri(key)} is too large to be a document of Fairlead")
    reason, text = _SPENT[error.of]
    return StoreError(reason, text.format(uri=where.uri(None)))


_SPENT: dict[str, tuple[Reason, str]] = {
    "time": ("ListingTooSlow", "{uri} can't be listed in the time that a listing may take; narrow prefix, or see why "
             "the store is slow"),
    "bytes": ("ListingTooLarge", "{uri}: one page of its listing is larger than a page of S3 can be; see what answers "
              "at endpoint"),
    "pages": ("ListingTooLarge", "{uri}: its listing does not end; narrow prefix, or put the data into fewer, larger "
              "files"),
    "objects": ("ListingTooLarge", "{uri} has more objects than a Dataset may have (1,000,000); narrow prefix, or put "
                "the data into fewer, larger files"),
    "memory": ("ListingTooLarge", "{uri} is listed in no order, and is too large to be sorted; narrow prefix, or use a "
               "store that lists in order of keys"),
}  # fmt: skip


def unanswered(error: BotoCoreError, where: Where, key: str | None) -> StoreError:
    """The error for a call that got no answer."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)):
        return StoreError(
            "AccessDenied",
            f"there are no credentials for {where.uri(None)}; name a Secret with AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in credentials, or give the pod a cloud identity",
        )
    if isinstance(error, (boto.ParamValidationError, boto.InvalidEndpointConfigurationError)):
        return StoreError("BadTask", f"{where.uri(key)} is not a valid location: {error}")
    if where.terse:
        return _terse(where, key)
    if isinstance(error, (ResponseParserError, boto.PaginationError)):
        return foreign(error, where, key)
    cause = f"{error} {error.kwargs.get('error', '')}"
    if any(word in cause for word in ("resolve", "Name or service not known", "nodename", "getaddrinfo")):
        hint = "its host name is not known; correct endpoint"
    elif "refused" in cause:
        hint = "nothing listens there; start the store or correct endpoint"
    elif "timed out" in cause or "timeout" in cause.lower():
        hint = "no answer in time; check that the store runs and that network policies allow it"
    else:
        hint = "check the store and the network"
    return StoreError("Unreachable", f"{where.endpoint} can't be reached for {where.uri(key)}: {hint}", transient=True)


@contextmanager
def translated(where: Where, key: str | None = None) -> Iterator[None]:
    """Turn botocore's errors inside into StoreError, and what its parsers stumble over in an answer."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise refused(_bare(error), where, key) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise unanswered(_bare(error), where, key) from error
    except SpentError as error:
        raise spent(_bare(error), where, key) from error
    except (ForeignAnswerError, HTTPError, KeyError, ValueError) as error:
        raise foreign(_bare(error), where, key) from error


def _bare(error: E) -> E:
    """The error without what the places had in hand that it went through, for they had the answer: megabytes, which the
    error would keep until somebody looks for cycles."""
    one: BaseException | None = error
    while one is not None:
        traceback.clear_frames(one.__traceback__)
        one = one.__context__
    return error
