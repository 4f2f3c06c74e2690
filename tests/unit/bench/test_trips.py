"""The tool that walks with a look counts right, on a house of three files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hack.bench import trip

TOY = {
    "plan/roof.py": """
        def look(cellar, attic):
            cellar.count(attic)
            cellar.count(attic)
            return [one for one in cellar.each(attic)]
    """,
    "verdict/cellar.py": """
        def count(attic):
            attic.light()
            return 1

        def each(attic):
            yield attic.light()
            yield 2
    """,
    "api/attic.py": """
        def light():
            return 3
    """,
}


@pytest.fixture
def house(tmp_path: Path) -> dict[str, ModuleType]:
    """The toy's modules by name."""
    found = {}
    for name, text in TOY.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("\n".join(line[8:] for line in text.splitlines()))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        found[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found[path.stem])
    return found


def walk(found: trip.Trip, house: dict[str, ModuleType]) -> dict[str, object]:
    with found.walking():
        house["roof"].look(house["cellar"], house["attic"])
    return found.figures()


def test_files_stays_returns_and_changes(house: dict[str, ModuleType], tmp_path: Path) -> None:
    figures = walk(trip.Trip(tmp_path), house)
    assert figures["files"] == 2
    assert figures["functions"] == 3
    # read once each: roof, count, roof, each, roof; the second count and the second round of each are known by then
    assert figures["stays"] == 5
    assert figures["returns"] == 3
    # count twice there and back, each three times: two values and its end
    assert figures["changes"] == 10
    assert figures["called"] == {"verdict/cellar.py": 5, "plan/roof.py": 2}
    assert figures["read"] == {"plan/roof.py": 3, "verdict/cellar.py": 2}


def test_what_lies_in_no_room_is_walked_through_unseen(house: dict[str, ModuleType], tmp_path: Path) -> None:
    assert "api/attic.py" not in walk(trip.Trip(tmp_path), house)["called"]  # type: ignore[operator]
    assert walk(trip.Trip(tmp_path, ("plan", "verdict", "api")), house)["files"] == 3
    assert walk(trip.Trip(tmp_path / "elsewhere"), house)["files"] == 0


def test_an_exception_leaves_nothing_open(house: dict[str, ModuleType], tmp_path: Path) -> None:
    found, before = trip.Trip(tmp_path), sys.getprofile()
    with pytest.raises(AttributeError), found.walking():
        house["roof"].look(house["attic"], house["attic"])
    assert sys.getprofile() is before
    assert found.figures()["files"] == 1
    assert walk(found, house)["files"] == 2


@pytest.mark.parametrize("name", trip.WAYS)
def test_each_way_can_be_walked_today(name: str) -> None:
    import fairlead

    assert fairlead.__file__
    found = trip.Trip(Path(fairlead.__file__).parent)
    trip.WAYS[name](found)
    figures = found.figures()
    assert figures["stays"] == figures["files"] + figures["returns"]
    assert 10 < figures["files"] <= figures["functions"] <= figures["calls"]
