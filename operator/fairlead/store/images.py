"""Which manifest an image's name means: its registry is asked, by the distribution API of OCI.

`HEAD /v2/<repository>/manifests/<tag>`. A registry that wants a token says where to get one; without a Secret it is
asked for as anybody may. Registries, and whom they send us to, are other people's: each address is looked at as a
store's is, answers are bounded by the terms of the work, and nothing of them is repeated to who has named them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from fairlead.api import foreign, imagename
from fairlead.api.imagename import DOCKER, ImageName
from fairlead.plan.requests import ImageSeen, ReadImage
from fairlead.store.endpoints import Rules
from fairlead.store.errors import ForeignAnswerError, ImageError, SpentError, StoreError
from fairlead.store.terms import current

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""Lists of platforms first: what a tag means is the same, whoever pulls it."""
REDIRECTS = 3
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 10.0
TOKEN_LENGTH = 1 << 20
"""Characters of the answer with a token."""
SECRET_KEY = ".dockerconfigjson"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([A-Za-z]+)="([^"]*)"')
_API = {DOCKER: "registry-1.docker.io"}
"""Where the API is, if it is not where the name says."""
_ALSO = {"index.docker.io": DOCKER, "registry-1.docker.io": DOCKER}
"""What Secrets call it besides."""


@dataclass(frozen=True)
class Login:
    """A name and a password; never shown."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def header(self) -> str:
        """As `Authorization` has it."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def resolve(rules: Rules, request: ReadImage, secret: Mapping[str, str] | None) -> ImageSeen:
    """The digest. secret: decoded data. Raises ImageError."""
    try:
        name = imagename.parse(request.name)
    except ValueError as error:
        raise ImageError("BadName", f"{request.name} is no name of an image: {error}") from None
    login = login_from(secret, name.host) if secret is not None else None
    try:
        return ImageSeen(_Asking(rules, name, login).digest())
    except SpentError:
        words = f"{name.host} takes too long, or says too much, over {name.full}; see what listens there"
        raise ImageError("Unreachable", words) from None


def login_from(secret: Mapping[str, str], host: str) -> Login | None:
    """What a Secret has for a registry; None: it has nothing for that one. Raises ImageError for one that is no
    Secret of that kind."""
    try:
        auths = foreign.parse(secret[SECRET_KEY], length=1 << 20)["auths"]
        found = next((auths[key] for key in auths if _host_of(key) == host), None)
        if found is None:
            return None
        if "auth" in found:
            user, _, password = base64.b64decode(found["auth"]).decode().partition(":")
            return Login(user, password)
        return Login(str(found["username"]), str(found["password"]))
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ImageError("ImageDenied", "the credentials' Secret is none for registries; make it with: kubectl create "
                         f"secret docker-registry NAME --docker-server={host} …") from None  # fmt: skip


def _host_of(key: str) -> str:
    """The registry that an entry of a Secret is for: `https://index.docker.io/v1/`, `ghcr.io/team`."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return _ALSO.get(host, host)


@dataclass
class _Asking:
    """The way to one manifest."""

    rules: Rules
    name: ImageName
    login: Login | None

    def digest(self) -> str:
        """Raises ImageError and SpentError."""
        url = self._manifest()
        answer = self._ask("HEAD", url)
        if answer.status_code == 401:
            authorization = self._authorization(answer.headers.get("WWW-Authenticate", ""))
            answer = self._ask("HEAD", url, authorization)
        else:
            authorization = None
        if answer.status_code != 200:
            raise self._refused(answer.status_code)
        said = answer.headers.get("Docker-Content-Digest", "")
        return said if _DIGEST.fullmatch(said) else self._read(url, authorization)

    def _read(self, url: str, authorization: str | None) -> str:
        """The digest of the manifest itself: its header is no duty of a registry's."""
        answer = self._ask("GET", url, authorization)
        body: bytes = answer.content
        if answer.status_code != 200 or not body.lstrip().startswith(b"{"):
            raise self._foreign()
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _manifest(self) -> str:
        host = self.name.host
        scheme = "http" if self.rules.insecure(host) else "https"
        return f"{scheme}://{_API.get(host, host)}/v2/{self.name.repository}/manifests/{self.name.tag}"

    def _ask(self, method: str, url: str, authorization: str | None = None) -> Any:
        """An answer that sends nowhere else. A token is for the registry alone."""
        first = urlsplit(url).netloc
        for _ in range(REDIRECTS + 1):
            headers = {"Accept": MANIFESTS, "Accept-Encoding": "identity", "User-Agent": "fairlead"}
            if authorization and urlsplit(url).netloc == first:
                headers["Authorization"] = authorization
            answer = self._send(method, url, headers)
            where = answer.headers.get("Location", "")
            if answer.status_code not in (301, 302, 303, 307, 308) or not where:
                return answer
            url = urljoin(url, where)
        raise self._foreign()

    def _send(self, method: str, url: str, headers: dict[str, str]) -> Any:
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from urllib3.exceptions import HTTPError

        terms = current()
        try:
            self._check(url)
            if terms is not None:
                terms.check = self.rules.connecting(url)
            return _session(url).send(AWSRequest(method=method, url=url, headers=headers).prepare())
        except StoreError as error:
            raise self._turned_away(url) if error.reason == "EndpointRefused" else self._foreign() from None
        except (BotoCoreError, HTTPClientError, HTTPError, ForeignAnswerError, ValueError):
            raise self._unreachable(url) from None

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self.rules.insecure(parts.netloc)):
            raise ImageError("NotARegistry", f"{self.name.host} leads to {parts.netloc[:255]} without TLS; have the "
                             "platform's team name that host in endpoints.insecure of the chart")  # fmt: skip
        self.rules.check_endpoint(f"{parts.scheme}://{parts.netloc}")

    def _authorization(self, challenge: str) -> str:
        """What opens a repository after a 401: a token of whom the registry names, or name and password themselves."""
        scheme, _, rest = challenge.partition(" ")
        said = dict(_PARAMETER.findall(rest))
        if scheme.lower() == "basic" and self.login:
            return self.login.header()
        if scheme.lower() != "bearer" or not said.get("realm"):
            raise self._refused(401)
        asked = {"service": said.get("service", ""), "scope": f"repository:{self.name.repository}:pull"}
        joint = "&" if "?" in said["realm"] else "?"
        url = said["realm"] + joint + urlencode({key: value for key, value in asked.items() if value})
        answer = self._ask("GET", url, self.login.header() if self.login else None)
        if answer.status_code != 200:
            raise self._refused(answer.status_code)
        try:
            found = foreign.parse(answer.content, length=TOKEN_LENGTH)
            token = found.get("token") or found["access_token"]
        except (ValueError, KeyError, AttributeError):
            raise self._foreign() from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._foreign()
        return f"Bearer {token}"

    def _refused(self, status: int) -> ImageError:
        name, host = self.name.full, self.name.host
        if status == 404:
            return ImageError("ImageMissing", f"{host} has no {name}; push it, or correct name")
        if status in (401, 403):
            how = "the Secret does not open it" if self.login else "it is not open to everybody, or is not there"
            remedy = "name a Secret of type kubernetes.io/dockerconfigjson in credentials that does, or correct name"
            return ImageError("ImageDenied", f"{host} does not tell what {name} is: {how}; {remedy}")
        if status == 429:
            return ImageError("TooManyRequests", f"{host} has been asked too often, by whoever shares this address; "
                              "write a longer every, or name credentials")  # fmt: skip
        return self._foreign()

    def _foreign(self) -> ImageError:
        return ImageError("NotARegistry", f"{self.name.host} does not answer as a registry does; correct name, or see "
                          "what listens there")  # fmt: skip

    def _turned_away(self, url: str) -> ImageError:
        host = urlsplit(url).netloc[:255]
        by = "" if host == _API.get(self.name.host, self.name.host) else f", to which {self.name.host} leads,"
        return ImageError("EndpointRefused", f"{host}{by} is not a registry that Fairlead connects to; write the name "
                          "of another one (loopback, link-local and control-plane addresses are none), or have the "
                          "platform's team allow it (endpoints.allow of the chart)")  # fmt: skip

    def _unreachable(self, url: str) -> ImageError:
        host = urlsplit(url).netloc[:255]
        return ImageError("Unreachable", f"registry {host} did not answer for {self.name.full}; check that it runs, "
                          "speaks https with a certificate that is known (or is named in endpoints.insecure of the "
                          "chart), and that network policies let the operator reach it")  # fmt: skip


def _session(url: str) -> Any:
    """Connections are not kept: each is checked for what it is made for."""
    from botocore.utils import get_environ_proxies

    from fairlead.store.wire import Session

    authorities = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    return Session(
        verify=authorities, proxies=get_environ_proxies(url), max_pool_connections=1,
        timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
    )  # fmt: skip
