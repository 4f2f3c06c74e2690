"""How files are read, in a manifest and in a status."""

from __future__ import annotations

from fairlead.api.reading import SHOWN, ReadColumn, Reading, shown


def test_a_status_shows_a_hundred_columns_and_how_many_more() -> None:
    columns = [ReadColumn(name="n" * 300, type="t" * 300, declared=n == 0) for n in range(150)]
    found = shown(Reading(format="csv", delimiter=";", columns=columns))
    assert (len(found.columns), found.more, found.columns[0].declared) == (SHOWN, 50, True)
    assert len(found.columns[0].name) == len(found.columns[0].type) == 63
    assert len(found.model_dump_json()) < 20_000


def test_columns_that_only_earlier_files_have_stay_and_keep_their_order() -> None:
    def of(**types: str) -> Reading:
        return Reading(format="csv", columns=[ReadColumn(name=name, type=kind) for name, kind in types.items()])

    assert of(b="integer", c="float").after(of(a="string", b="null")) == of(a="string", b="integer", c="float")


def test_a_manifest_of_a_later_release_can_be_read() -> None:
    later = {"format": "csv", "columns": [{"name": "a", "type": "integer", "unit": "km"}], "magic": 1}
    assert Reading.model_validate(later).types() == {"a": "integer"}
