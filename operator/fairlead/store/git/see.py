"""What the operator asks of a public repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from fairlead.plan.requests import GitSeen, ReadGit
from fairlead.store.endpoints import Rules
from fairlead.store.errors import StoreError
from fairlead.store.terms import Terms, under

ANSWER = 2 << 20
"""Bytes of one answer."""


def host_of(url: str) -> str:
    """Scheme, host and port: what rules are about."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def see(rules: Rules, request: ReadGit, seconds: float) -> GitSeen:
    """What a ref stands for. Raises StoreError: EndpointRefused before anything is sent."""
    from fairlead.store.git.remote import Repository  # dulwich, for those who have code in git

    host = host_of(request.url)
    repository = Repository(request.url)
    with _worded(request.url):
        rules.check_endpoint(host)
        with under(Terms(seconds, rules.connecting(host), rules.trusts(host), ANSWER)):
            return repository.seen(request.ref, request.path)


@contextmanager
def _worded(url: str) -> Iterator[None]:
    """A refusal, told of a repository."""
    try:
        yield
    except StoreError as error:
        if error.reason == "EndpointRefused" and "sends to" not in error.message:
            text = (
                f"{url} is not where Fairlead's operator goes; write the address of a git server (loopback, link-local "
                "and control-plane addresses are none), or have the platform's team allow it (endpoints.allow of the "
                "chart)"
            )
            raise StoreError("EndpointRefused", text) from error
        raise
