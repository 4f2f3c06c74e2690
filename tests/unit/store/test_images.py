"""What a registry says of an image, and what it can't make the operator do."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.store.registries import LOGIN, Registry, digest, serving

from fairlead.api.config import OperatorConfig
from fairlead.cluster import errors as api
from fairlead.engine.images import Images
from fairlead.engine.resolve import Resolver
from fairlead.engine.seldom import FAILURE
from fairlead.plan.requests import UNDERWAY, Failed, ImageSeen, ReadImage
from fairlead.store import images
from fairlead.store.endpoints import Rules
from fairlead.store.errors import ImageError
from fairlead.store.terms import Terms, under

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as server:
        server.tags = {
            "open:1": 1,
            "plain:1": 7,
            "public/app:1": 2,
            "private/app:1": 3,
            "other/app:1": 4,
            "basic/app:1": 5,
        }
        yield server


def rules(*insecure: str, **endpoints: list[str]) -> Rules:
    said = {"allow": ["127.0.0.0/8"], "insecure": list(insecure)} | endpoints
    return Rules(OperatorConfig.model_validate({"images": {"worker": "w"}, "endpoints": said}))


def secret(host: str, user: str = "me", password: str = "hush") -> dict[str, str]:
    entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {".dockerconfigjson": json.dumps({"auths": {host: entry}})}


def ask(registry: Registry, name: str, found: dict[str, str] | None = None, given: Rules | None = None) -> ImageSeen:
    request = ReadImage("team", f"{registry.host}/{name}")
    with under(Terms(60)):
        return images.resolve(given or rules(registry.host), request, found)


def refused(
    registry: Registry, name: str, found: dict[str, str] | None = None, given: Rules | None = None
) -> ImageError:
    with pytest.raises(ImageError) as caught:
        ask(registry, name, found, given)
    return caught.value


def test_a_tag_means_a_digest_and_only_the_head_of_its_manifest_is_asked_for(registry: Registry) -> None:
    assert ask(registry, "open:1") == ImageSeen(digest(1))
    (asked,) = registry.asked
    assert (asked.method, asked.path) == ("HEAD", "/v2/open/manifests/1")
    assert asked.headers["Accept"].startswith("application/vnd.oci.image.index.v1+json, ")
    assert "Authorization" not in asked.headers


def test_where_no_header_says_the_digest_it_is_that_of_the_manifest(registry: Registry) -> None:
    assert ask(registry, "plain:1") == ImageSeen(digest(7))
    assert [one.method for one in registry.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize(("name", "number"), [("public/app:1", 2), ("other/app:1", 4)])
def test_a_registry_that_wants_a_token_gets_the_one_that_anybody_gets(
    registry: Registry, name: str, number: int
) -> None:
    assert ask(registry, name) == ImageSeen(digest(number))
    token = registry.asked[1]
    assert token.path.startswith("/token?service=here&scope=repository%3A")
    assert "Authorization" not in token.headers


@pytest.mark.parametrize("name", ["private/app:1", "basic/app:1"])
def test_a_private_one_is_told_to_whoever_has_the_password_and_nobody_else(registry: Registry, name: str) -> None:
    number = 3 if name.startswith("private") else 5
    assert ask(registry, name, secret(registry.host)) == ImageSeen(digest(number))
    for none in (None, secret("other.example"), secret(registry.host, password="wrong")):
        said = refused(registry, name, none)
        assert said.reason == "ImageDenied"
        assert "kubernetes.io/dockerconfigjson" in said.message
        assert "hush" not in said.message


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_s_own_registry_has_several_names_in_secrets(key: str) -> None:
    found = images.login_from(secret(key), "docker.io")
    assert found is not None
    assert found.header() == LOGIN
    assert "hush" not in repr(found)
    assert images.login_from(secret(key), "ghcr.io") is None


@pytest.mark.parametrize("data", [
    {}, {".dockerconfigjson": "["}, {".dockerconfigjson": "[]"}, {".dockerconfigjson": '{"auths": {"h": 1}}'},
    {".dockerconfigjson": '{"auths": {"h": {"auth": "é"}}}'},
    {".dockerconfigjson": '{"auths": {"h": {"username": "u"}}}'},
])  # fmt: skip
def test_a_secret_of_another_kind_is_told_so(data: dict[str, str]) -> None:
    with pytest.raises(ImageError, match="kubectl create secret docker-registry") as caught:
        images.login_from(data, "h")
    assert caught.value.reason == "ImageDenied"


@pytest.mark.parametrize(("name", "reason"), [
    ("open:2", "ImageMissing"), ("nothing/here", "ImageMissing"), ("denied/app:1", "ImageDenied"),
    ("busy/app", "TooManyRequests"), ("html/app", "NotARegistry"), ("broken/app", "NotARegistry"),
    ("huge/app", "Unreachable"), ("strange/app:1", "NotARegistry"), ("newline/app:1", "NotARegistry"),
    ("Upper/app", "BadName"),
])  # fmt: skip
def test_what_a_registry_says_is_a_reason_and_a_remedy_and_none_of_its_words(
    registry: Registry, name: str, reason: str
) -> None:
    said = refused(registry, name)
    assert said.reason == reason
    assert "secret words" not in said.message
    assert len(said.message) < 400


def test_without_tls_it_is_asked_only_where_the_platform_says_so(registry: Registry) -> None:
    said = refused(registry, "open:1", given=rules())
    assert said.reason == "Unreachable"
    assert "endpoints.insecure" in said.message
    assert registry.asked == []


@pytest.mark.parametrize("host", [
    "127.0.0.1:5000", "localhost:5000", "169.254.169.254", "kubernetes.default.svc", "kubernetes:443", "10.96.0.1",
    "2130706433:80", "0x7f000001:1", "[::1]:5000", "[::ffff:7f00:1]:1", "metadata.localhost:1",
])  # fmt: skip
def test_a_name_does_not_lead_to_where_only_the_operator_gets(host: str) -> None:
    said = {"images": {"worker": "w"}, "endpoints": {"insecure": ["localhost:5000"]}}
    given = Rules(OperatorConfig.model_validate(said), control=["10.96.0.1"])
    with under(Terms(60)), pytest.raises(ImageError) as caught:
        images.resolve(given, ReadImage("team", f"{host}/app:1"), None)
    assert caught.value.reason == "EndpointRefused"


def test_a_name_that_means_a_forbidden_address_is_not_connected_to(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = registry.host.partition(":")[2]
    there = [(2, 1, 6, "", ("127.0.0.1", int(port)))]
    monkeypatch.setattr("fairlead.store.wire.socket.getaddrinfo", lambda *_a, **_k: there)
    name = f"registry.example:{port}"
    given = Rules(OperatorConfig.model_validate({"images": {"worker": "w"}, "endpoints": {"insecure": [name]}}))
    with under(Terms(60)), pytest.raises(ImageError) as caught:
        images.resolve(given, ReadImage("team", f"{name}/open:1"), None)
    assert (caught.value.reason, registry.asked) == ("EndpointRefused", [])


def test_a_redirect_is_followed_and_looked_at_like_the_first_address(registry: Registry) -> None:
    assert ask(registry, "moved/app:1") == ImageSeen(digest(1))
    with serving() as other:
        other.tags["open:1"] = 9
        registry.elsewhere = f"http://{other.host}/v2/open/manifests/1"
        both = rules(registry.host, other.host)
        assert ask(registry, "moved/app:1", secret(registry.host), both) == ImageSeen(digest(9))
        for away in (registry.elsewhere, "https://169.254.169.254/latest", "https://kubernetes.default.svc/api"):
            registry.elsewhere, before = away, len(other.asked)
            given = rules(registry.host, allow=[f"{registry.host.partition(':')[0]}/32"])
            assert refused(registry, "moved/app:1", given=given).reason in ("EndpointRefused", "NotARegistry")
            assert len(other.asked) == before
    registry.elsewhere = f"http://{registry.host}/v2/moved/manifests/1"
    assert refused(registry, "moved/app:1").reason == "NotARegistry"
    assert len(registry.paths()) < 20


def test_a_password_goes_nowhere_but_to_the_registry_and_whom_it_names_for_tokens(registry: Registry) -> None:
    with serving() as other:
        other.tags["open:1"] = 1
        registry.elsewhere = f"http://{other.host}/v2/open/manifests/1"
        ask(registry, "moved/app:1", secret(registry.host), rules(registry.host, other.host))
        assert all("Authorization" not in one.headers for one in other.asked)


@pytest.mark.parametrize(
    "realm", ["https://169.254.169.254/token", "https://kubernetes.default.svc", "https://localhost/x"]
)
def test_a_realm_does_not_lead_to_where_only_the_operator_gets(registry: Registry, realm: str) -> None:
    registry.realm = realm
    said = refused(registry, "public/app:1")
    assert said.reason == "EndpointRefused"
    assert f"to which {registry.host} leads" in said.message


@pytest.mark.parametrize(
    "realm", ["file:///etc/passwd", "http://plain.example/token", "nonsense", "https://h:port/", "//x"]
)
def test_a_realm_that_is_none_is_the_registry_s_fault(registry: Registry, realm: str) -> None:
    registry.realm = realm
    assert refused(registry, "public/app:1").reason == "NotARegistry"


# --- as the operator asks -------------------------------------------------------------------------------------------


class Kube:
    """Secrets of a namespace whose owner lets Fairlead read them, or not."""

    def __init__(self, data: dict[str, str] | None) -> None:
        self.data = data

    async def get(self, *_: Any) -> Any:
        if self.data is None:
            raise api.NotFound("not there")
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self.data.items()}}


def resolver(kube: Kube, given: Rules) -> Resolver:
    return Resolver(kube, None, lambda *_: None, given)  # type: ignore[arg-type]


async def test_the_operator_asks_with_the_namespace_s_secret(registry: Registry) -> None:
    wanted = ReadImage("team", f"{registry.host}/private/app:1", "login")
    for data, answer in ((secret(registry.host), ImageSeen(digest(3))), (None, None)):
        asking = resolver(Kube(data), rules(registry.host))
        found = (await asking.resolve([wanted]))[wanted]
        asking.close()
        if answer is None:
            assert isinstance(found, Failed)
            assert found.reason == "CredentialsMissing"
            assert "kubectl create secret docker-registry" in found.message
        else:
            assert found == answer


class Clock:
    """Seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_asked_for_once_until_it_is_too_old_or_somebody_wants_another(registry: Registry) -> None:
    clock = Clock()
    found = Images(rules(registry.host), Kube(None).get, clock)

    def request(look: str = "", age: float = 300.0) -> ReadImage:
        return ReadImage("team", f"{registry.host}/open:1", look=look, age=age)

    for _ in range(3):
        assert await found.read(request()) == ImageSeen(digest(1))
    assert len(registry.asked) == 1
    registry.tags["open:1"] = 2
    clock.now = 299.0
    kept = await found.read(request())
    assert kept == ImageSeen(digest(1))
    assert isinstance(kept, ImageSeen)
    assert kept.left == 1.0
    assert await found.read(request(look="push 17")) == ImageSeen(digest(2))
    assert len(registry.asked) == 2
    clock.now = 300.0
    assert await found.read(request()) == ImageSeen(digest(2))
    del registry.tags["open:1"]
    failed = await found.read(request(age=0.0))
    assert isinstance(failed, Failed)
    assert await found.read(request()) == failed
    registry.tags["open:1"] = 3
    clock.now += FAILURE
    assert await found.read(request()) == ImageSeen(digest(3))
    found.close()


async def test_nobody_waits_for_a_registry_that_hangs(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.engine.seldom.PATIENCE", 0.0)
    found = Images(rules(registry.host), Kube(None).get)
    request = ReadImage("team", f"{registry.host}/hang:1")
    registry.tags["hang:1"] = 1
    answers = [await found.read(request) for _ in range(3)]
    assert all(isinstance(one, Failed) and one.reason == UNDERWAY for one in answers)
    registry.go.set()
    while (answer := await found.read(request)) != ImageSeen(digest(1)):
        assert isinstance(answer, Failed)
        assert answer.reason == UNDERWAY
        await asyncio.sleep(0.01)
    assert len(registry.paths()) == 1
    found.close()


async def test_answers_that_are_kept_are_bounded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.engine.seldom.KEPT", 3)
    found = Images(rules(registry.host), Kube(None).get)
    for number in range(9):
        await found.read(ReadImage("team", f"{registry.host}/open:1", look=str(number)))
    assert len(found._kept) == 3
    found.close()
