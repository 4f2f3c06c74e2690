"""Which requests are recorded, and what Envoy is told."""

from __future__ import annotations

import json
import re
import uuid
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.config import Images
from fairlead.api.server import Server
from fairlead.manifests import presets, recorder
from fairlead.manifests.proxy import PARTS, Proxy, arguments, bootstrap, parts, sampled

PROXY = Proxy(listen=8090, stats=8092, server=8080, recorder="/r/socket", sample=PARTS, quiet=("/v2/health/ready",))


@pytest.mark.parametrize(
    ("percent", "found"),
    [("100%", 256), ("50%", 128), ("0.390625%", 1), ("0.390626%", 2), ("0.01%", 1), ("1%", 3), ("99.9%", 256),
     ("150%", 256), ("12.5%", 32)],
)  # fmt: skip
def test_a_share_is_rounded_up(percent: str, found: int) -> None:
    assert parts(percent) == found


@given(st.decimals(min_value="0.01", max_value=100, places=2))
def test_no_share_is_rounded_by_more_than_a_part(percent: Any) -> None:
    over = Fraction(parts(f"{percent}%"), PARTS) - Fraction(str(percent)) / 100
    assert 0 <= over < Fraction(1, PARTS)


def test_exactly_so_many_of_all_ids_are_chosen() -> None:
    ids = [f"0b1d7c9e-5f43-4c2a-9d6e-2f8a6b0c7d{last:02x}" for last in range(PARTS)]
    for count in range(1, PARTS + 1):
        chosen = re.compile(sampled(count))
        assert [one for one in ids if chosen.fullmatch(one)] == ids[:count]
        assert [one for one in ids if chosen.fullmatch(one.upper())] == ids[:count]


def test_ids_that_are_no_uuids_are_not_chosen() -> None:
    chosen = re.compile(sampled(255))
    assert chosen.fullmatch(uuid.UUID(int=0).hex)
    for other in ("", "7", "order-00", str(uuid.UUID(int=0))[1:], f"{uuid.UUID(int=0)}0"):
        assert not chosen.fullmatch(other)


def test_the_digit_that_envoy_may_change_does_not_decide() -> None:
    """Envoy notes in the id's digit 14 why a request is traced."""
    chosen = re.compile(sampled(77))
    one = "0b1d7c9e-5f43-{}c2a-9d6e-2f8a6b0c7d10"
    assert all(chosen.fullmatch(one.format(digit)) for digit in "0123456789abcdef")


def routes(proxy: Proxy) -> list[dict[str, Any]]:
    listener = bootstrap(proxy)["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return list(manager["route_config"]["virtual_hosts"][0]["routes"])


def test_of_everything_there_is_no_condition() -> None:
    quiet, grpc, rest = routes(PROXY)
    assert quiet["match"] == {"path": "/v2/health/ready", "headers": [_get()]}
    assert (grpc["match"], rest["match"]) == (
        {"prefix": "/", "grpc": {}, "headers": []},
        {"prefix": "/", "headers": []},
    )
    assert "typed_per_filter_config" not in rest


def _get() -> dict[str, Any]:
    return {"name": ":method", "string_match": {"exact": "GET"}}


def test_what_is_not_chosen_is_not_sent() -> None:
    last = routes(Proxy(**{**PROXY.__dict__, "sample": 10}))[-1]
    assert last["match"] == {"prefix": "/"}
    assert last["typed_per_filter_config"]["envoy.filters.http.ext_proc"]["disabled"] is True
    assert "response_headers_to_add" not in last


def test_nothing_but_requests_and_statistics_is_reached_from_outside() -> None:
    made = bootstrap(PROXY)
    listeners = made["static_resources"]["listeners"]
    assert [one["address"]["socket_address"]["port_value"] for one in listeners] == [8090, 8092]
    assert set(made["admin"]["address"]) == {"pipe"}


def test_arguments_survive_kubernetes() -> None:
    """It expands `$(NAME)` in arguments."""
    text = arguments(Proxy(**{**PROXY.__dict__, "sample": 3}))[1]
    assert "$" not in text
    assert json.loads(text)["static_resources"]


def test_a_proxy_without_an_image_says_what_to_do() -> None:
    kept = recorder.Recording("web", "web-1", 256, 60.0, False, None, None, None)
    with pytest.raises(presets.NoImage, match=r"images\.proxy"):
        recorder.sidecars(kept, Server(), "m", "worker", Images(worker="worker"))


def test_a_recorder_without_a_store_has_no_credentials() -> None:
    kept = recorder.Recording("web", "web-1", 256, 60.0, False, None, None, None)
    made, _ = recorder.sidecars(kept, Server(), "m", "worker", Images(worker="worker", proxy="envoy"))
    assert [one["name"] for one in made["volumeMounts"]] == ["tmp-recorder", "recorder", "spool"]
    assert [one["name"] for one in recorder.volumes(kept)] == ["recorder", "spool"]
