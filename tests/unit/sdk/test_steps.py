"""A step is its function, as long as no pipeline is described."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import fairlead
from fairlead.sdk.mistakes import Mistake


@fairlead.step
def plain(
    raw: fairlead.In[fairlead.File], out: fairlead.Out[fairlead.Dataset], times: int = 1, *, loud: bool = False
) -> None:
    """Copy."""
    (out / "copy.txt").write_text(raw.read_text() * times + ("!" if loud else ""))


def test_called_alone_it_is_the_function(tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("a")
    plain(str(source), tmp_path / "deep" / "out", 2, loud=True)
    assert (tmp_path / "deep" / "out" / "copy.txt").read_text() == "aa!"
    assert plain.__name__ == "plain"
    assert plain.__doc__ == "Copy."
    with pytest.raises(TypeError, match="missing a required argument: 'out'"):
        plain(source)
    with pytest.raises(TypeError, match=r"raw is In\[File\]: give it a path, not 5"):
        plain(5, tmp_path)


def test_names_are_those_of_kubernetes():
    assert plain.settings.name == "plain"
    assert plain.options(name="plain-2").settings.name == "plain-2"
    assert plain.settings.name == "plain"
    for name in ("Upper", "a_b", "-a", "a" * 64, "a\n"):
        with pytest.raises(Mistake, match="can't be the name of a step"):
            plain.options(name=name)


def test_options_change_what_they_name_and_nothing_else():
    first = fairlead.step(cpu=2, memory="1Gi", retry=1, secrets=["a"])(only_module_level)
    second = first.options(
        memory="2Gi", gpu={"count": 1, "product": "A100"}, image="y", retry={"limit": 3, "backoff": "1m"}
    )
    assert second.settings.fields == {
        "resources": {"cpu": "2", "memory": "2Gi", "gpu": {"count": 1, "product": "A100"}},
        "retry": {"limit": 3, "backoff": "1m"},
        "secrets": ["a"],
    }
    assert first.settings.fields == {
        "resources": {"cpu": "2", "memory": "1Gi"},
        "retry": {"limit": 1},
        "secrets": ["a"],
    }
    assert second.settings.image == "y"


def only_module_level() -> None:
    """Do nothing."""


def untyped(a):
    """No type."""


def returns(a: int) -> int | None:
    """Something, or nothing."""
    return a or None


def returns_twice(value: fairlead.Out[fairlead.File]) -> int:
    """Two things of one name."""
    return len(value.name)


def returns_a_set() -> set:
    """What no text gives."""
    return set()


def several(*a: int) -> None:
    """Any number."""


def strange(a: set) -> None:
    """A type that no text gives."""


def unknown_name(a: Nothing) -> None:  # noqa: F821
    """A type that is not there."""


def out_without_kind(a: fairlead.Out) -> None:
    """What of?"""


def default_input(a: fairlead.In[fairlead.File] = None) -> None:
    """A default that is none."""


def wrong_default(a: int = "1") -> None:
    """Of another type."""


def taken(after: fairlead.Out[fairlead.File]) -> None:
    """An attribute of calls."""


def größe(a: int) -> None:
    """A name that Kubernetes does not take."""


def other_letters(größe: int) -> None:
    """A parameter that Pipelines don't take."""


async def later(a: int) -> None:
    """Not now."""


class Something:
    """Not a module."""

    def method(self: int) -> None:
        """Inside of a class."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (untyped, "a has no type; write a: int"), (returns, "may return None"),
        (returns_twice, "what it returns is called 'value', and so is"),
        (returns_a_set, "what it returns has the type set"),
        (several, "named parameters only"), (strange, "has the type set; there are str"),
        (unknown_name, "its types can't be read"), (out_without_kind, "Out needs a kind"),
        (default_input, "a has a default; inputs and outputs have none"), (wrong_default, "its default '1' is not int"),
        (taken, "an output can't be called 'after'"), (größe, "can't be the name of a step"),
        (other_letters, "can't be the name of a parameter"), (later, "stands before a plain function"),
        (Something.method, "inside of something else"), (lambda: None, "can't be the name|inside of something else"),
        (print, "stands before a plain function"),
    ],
)  # fmt: skip
def test_what_can_be_no_step(function, words):
    with pytest.raises(Mistake, match=words):
        fairlead.step(function)


def test_kinds():
    with pytest.raises(TypeError, match="takes Dataset, Model, File or Preview"):
        fairlead.In[int]
    for name in ("A", "", "a/b", 5):
        with pytest.raises(ValueError, match="can't be the name of a Dataset"):
            fairlead.Dataset(name)
    assert repr(fairlead.Dataset("a")) == "fairlead.Dataset('a')"


def test_what_is_described_belongs_to_whoever_describes_it(tmp_path):
    """Another thread runs its functions meanwhile."""
    source = tmp_path / "a.txt"
    source.write_text("a")

    @fairlead.pipeline(image="x")
    def it() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(plain, source, tmp_path / "out").result()
        plain(gives())

    assert [one["name"] for one in it.manifest()["spec"]["steps"]] == ["gives", "plain"]
    assert (tmp_path / "out" / "copy.txt").read_text() == "a"


@fairlead.step
def gives(out: fairlead.Out[fairlead.File]) -> None:
    """Give a file."""
