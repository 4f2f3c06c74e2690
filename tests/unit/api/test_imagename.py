"""Names of images, as Docker and containerd read them: cases of github.com/distribution/reference, and more."""

from __future__ import annotations

import pytest

from fairlead.api.imagename import ImageName, parse

D, D512 = "sha256:" + "f" * 64, "sha512:" + "0a" * 64
LONG = "a" * 255


@pytest.mark.parametrize(("text", "host", "repository", "tag", "digest"), [
    ("python", "docker.io", "library/python", "latest", ""),
    ("python:3.12", "docker.io", "library/python", "3.12", ""),
    ("dmcgowan/myapp", "docker.io", "dmcgowan/myapp", "latest", ""),
    ("docker.io/python", "docker.io", "library/python", "latest", ""),
    ("docker.io/library/python", "docker.io", "library/python", "latest", ""),
    ("index.docker.io/python:3", "docker.io", "library/python", "3", ""),
    ("index.docker.io/team/app", "docker.io", "team/app", "latest", ""),
    ("docker.io", "docker.io", "library/docker.io", "latest", ""),
    ("localhost", "docker.io", "library/localhost", "latest", ""),
    ("localhost/app", "localhost", "app", "latest", ""),
    ("localhost:5000/app:1", "localhost:5000", "app", "1", ""),
    ("app:5000", "docker.io", "library/app", "5000", ""),
    ("app:5000/x", "app:5000", "x", "latest", ""),
    ("foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080", ""),
    ("foo/foo_bar.com", "docker.io", "foo/foo_bar.com", "latest", ""),
    ("foo.com/foo", "foo.com", "foo", "latest", ""),
    ("Foo/bar", "Foo", "bar", "latest", ""),
    ("FOO.com:443/bar:tag", "FOO.com:443", "bar", "tag", ""),
    ("ghcr.io/a/b/c/d:v1.2.3-rc_1", "ghcr.io", "a/b/c/d", "v1.2.3-rc_1", ""),
    ("a--b__c_e/f.g", "docker.io", "a--b__c_e/f.g", "latest", ""),
    ("r.example/team/app@" + D, "r.example", "team/app", "", D),
    ("r.example/team/app:1@" + D, "r.example", "team/app", "1", D),
    ("app@" + D512, "docker.io", "library/app", "", D512),
    ("[2001:db8::1]:5000/app:2", "[2001:db8::1]:5000", "app", "2", ""),
    ("[::1]/app", "[::1]", "app", "latest", ""),
    ("192.168.1.1/app", "192.168.1.1", "app", "latest", ""),
    ("xn--7o8h.com/app:" + "t" * 128, "xn--7o8h.com", "app", "t" * 128, ""),
    ("r.example/" + LONG, "r.example", LONG, "latest", ""),
])  # fmt: skip
def test_a_name_is_read(text: str, host: str, repository: str, tag: str, digest: str) -> None:
    found = parse(text)
    assert found == ImageName(host, repository, tag, digest)
    assert parse(found.full) == found


@pytest.mark.parametrize("text", [
    "", ":tag", "@" + D, "app:", "app@", "app@sha256", "app@sha256:" + "f" * 63, "app@sha256:" + "F" * 64,
    "app@md5:" + "f" * 32, "app@sha256:" + "g" * 64, "App", "r.example/App:1", "docker.io/Docker/docker",
    "docker///docker", "docker.io/docker/", "docker.io//app", "-foo/bar", "foo-/bar:1", "foo.com/-bar", "foo.com/bar-",
    "foo/a___b",
    "foo/a..b", "foo.com:http/bar", "foo .com/bar", "fo$z$.com/bar", "http://foo.com/bar", "a:b:c", "app:" + "t" * 129,
    "app:.tag", "app:-tag", "f" * 64, "r.example/" + LONG + "a", "[fe80::1%eth0]:5000/app", "[2001:db8::1]",
    "2001:db8::1/app", "app\n", "app:1\n", "r.example\n/app", "аpp",
])  # fmt: skip
def test_what_is_no_name_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
