"""The bench of profiles measures the product: small sizes run whole, and documents are as small as is said."""

from __future__ import annotations

from hack.bench import monitors_profile as bench


def test_rows_are_counted_by_columns_and_by_requests() -> None:
    found = bench.binned(2000)
    assert [(one["pairs"], one["of"]) for one in found] == [(n, of) for n in (0, 32) for of in ("all", "1", "10", "50")]
    assert all(one["rate"] > 0 for one in found)


def test_a_size_is_measured_in_a_process_of_its_own() -> None:
    found, again = bench.built(0.001), bench.built(0.001)
    assert found["rows"] == 6250
    assert found["digest"] == again["digest"]
    assert found["bytes"] < 64 << 10


def test_documents_of_twenty_features_are_small() -> None:
    assert max(one["bytes"] for one in bench.documents()) < 64 << 10
