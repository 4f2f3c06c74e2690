"""S3's errors in words: each has a reason, a remedy, and says whether trying again may help."""

from __future__ import annotations

from typing import get_args

import pytest
from botocore import exceptions as boto

from fairlead.api.tasks import TaskError
from fairlead.store.errors import Reason, StoreError
from fairlead.store.translate import Where, translated

WHERE = Where("data", "http://s3:9000")


def answered(status: int, code: str) -> boto.ClientError:
    answer = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, "Get")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason", "transient", "words"),
    [
        (answered(404, "NoSuchBucket"), "BucketMissing", False, "bucket data does not exist at http://s3:9000; create"),
        (answered(404, "NoSuchKey"), "ObjectMissing", False, "s3://data/a/b does not exist; put it back"),
        (answered(404, "404"), "ObjectMissing", False, "s3://data/a/b"),
        (answered(403, "AccessDenied"), "AccessDenied", False, "may not use s3://data/a/b"),
        (answered(403, "403"), "AccessDenied", False, "may not use"),
        (answered(403, "InvalidAccessKeyId"), "AccessDenied", False, "correct AWS_ACCESS_KEY_ID"),
        (answered(403, "SignatureDoesNotMatch"), "AccessDenied", False, "correct AWS_SECRET_ACCESS_KEY"),
        (answered(403, "RequestTimeTooSkewed"), "AccessDenied", False, "clocks"),
        (answered(412, "PreconditionFailed"), "ObjectChanged", False, "was changed"),
        (answered(301, "PermanentRedirect"), "BadTask", False, "set region"),
        (answered(501, "NotImplemented"), "BadTask", False, "conditional writes"),
        (answered(500, "InternalError"), "Unreachable", True, "500 InternalError"),
        (answered(503, "SlowDown"), "Unreachable", True, "tried again"),
        (answered(429, "TooManyRequests"), "Unreachable", True, "tried again"),
        (answered(400, "Odd"), "BadTask", False, "400 Odd"),
        (boto.NoCredentialsError(), "AccessDenied", False, "name a Secret"),
        (boto.EndpointConnectionError(endpoint_url="u", error="[Errno 111] Connection refused"), "Unreachable", True,
         "nothing listens"),
        (boto.EndpointConnectionError(endpoint_url="u", error="Failed to resolve 's3'"), "Unreachable", True,
         "host name"),
        (boto.ReadTimeoutError(endpoint_url="u", error="timed out"), "Unreachable", True, "no answer in time"),
        (boto.ConnectionClosedError(endpoint_url="u"), "Unreachable", True, "check the store and the network"),
        (boto.ResponseStreamingError(error="broken"), "Unreachable", True, "check the store"),
        (boto.ParamValidationError(report="Invalid bucket name"), "BadTask", False, "not a valid location"),
    ],
)  # fmt: skip
def test_each_error_has_a_reason_and_a_remedy(error: Exception, reason: str, transient: bool, words: str) -> None:
    with pytest.raises(StoreError) as caught, translated(WHERE, "a/b"):
        raise error
    assert (caught.value.reason, caught.value.transient) == (reason, transient)
    assert words in caught.value.message


@pytest.mark.parametrize("reason", get_args(Reason))
def test_each_reason_can_be_a_worker_s_answer(reason: Reason) -> None:
    assert TaskError(reason=reason, message="said").reason == reason


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated(WHERE):
        raise ZeroDivisionError
