"""What a name stands for in a repository, asked of a real git server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairlead.api.config import OperatorConfig
from fairlead.store.endpoints import Rules
from fairlead.store.errors import StoreError
from fairlead.store.git.remote import Login, Repository
from fairlead.store.terms import Terms, under

from .gitserver import Origin, Server, git, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture
def origin(served: Server) -> Origin:
    made = Origin.made(served.root / f"r{len(list(served.root.iterdir()))}")
    made.commit({"training/train.py": "print(1)\n", "training/deep/x": "x", "README": "hello " * 100})
    return made


def at(served: Server, origin: Origin, login: Login | None = None) -> Repository:
    return Repository(served.repository(origin.folder.name), login)


def why(repository: Repository, ref: str = "main", path: str | None = None) -> StoreError:
    """Why it can't be said what a ref stands for (or, with a path, which folder that is)."""
    with pytest.raises(StoreError) as raised:
        repository.commit_of(ref) if path is None else repository.folder_of(ref, path)
    return raised.value


def test_branches_tags_and_whole_names(served: Server, origin: Origin) -> None:
    first = git(origin.folder, "rev-parse", "HEAD")
    git(origin.folder, "tag", "-a", "v1", "-m", "annotated")
    git(origin.folder, "tag", "plain")
    git(origin.folder, "branch", "main2")
    second = origin.commit({"README": "bye"})
    mine = at(served, origin)
    found = {ref: mine.commit_of(ref) for ref in ("", "HEAD", "main", "refs/heads/main", "v1", "plain", "main2", first)}
    assert found == {
        "": second, "HEAD": second, "main": second, "refs/heads/main": second, "v1": first, "plain": first,
        "main2": first, first: first,
    }  # fmt: skip


def test_a_name_of_two_things_is_not_guessed(served: Server, origin: Origin) -> None:
    git(origin.folder, "tag", "both")
    origin.commit({"README": "bye"})
    git(origin.folder, "branch", "both")
    error = why(at(served, origin), "both")
    assert error.reason == "RefMissing"
    assert "refs/heads/both and refs/tags/both" in error.message


@pytest.mark.parametrize("ref", ["nope", "mai", "refs/heads/", "main^{}", "--upload-pack=x", "ma*n"])
def test_a_name_that_is_not_there(served: Server, origin: Origin, ref: str) -> None:
    error = why(at(served, origin), ref)
    assert (error.reason, error.transient) == ("RefMissing", False)
    assert "correct ref" in error.message


def test_an_empty_repository_has_no_default_branch(served: Server) -> None:
    Origin.made(served.root / "empty")
    assert "no default branch" in why(Repository(served.repository("empty")), "").message


def test_the_tree_of_a_folder_is_had_without_its_files(served: Server, origin: Origin) -> None:
    head = git(origin.folder, "rev-parse", "HEAD")
    mine = at(served, origin)
    for path in ("", "training", "training/deep"):
        assert mine.folder_of(head, path) == git(origin.folder, "rev-parse", f"HEAD:{path}")


def test_commits_elsewhere_leave_the_tree_as_it_is(served: Server, origin: Origin) -> None:
    mine = at(served, origin)
    before = mine.folder_of(mine.commit_of("main"), "training")
    elsewhere = origin.commit({"README": "other"})
    assert mine.folder_of(elsewhere, "training") == before
    assert mine.folder_of(origin.commit({"training/train.py": "2"}), "training") != before


def test_a_server_without_filters_says_so_instead_of_sending_everything(served: Server, origin: Origin) -> None:
    git(origin.folder, "config", "uploadpack.allowFilter", "false")
    head = git(origin.folder, "rev-parse", "HEAD")
    assert at(served, origin).folder_of(head, "training") is None


def test_a_commit_or_a_folder_that_is_not_there(served: Server, origin: Origin) -> None:
    mine, head = at(served, origin), git(origin.folder, "rev-parse", "HEAD")
    assert why(mine, "0" * 40, "training").reason == "CommitMissing"
    assert why(mine, git(origin.folder, "rev-parse", "HEAD:training"), "").reason == "CommitMissing"  # a tree
    for path in ("nope", "README", "training/train.py", "training/../training", "..", "."):
        assert (why(mine, head, path).reason, path) == ("PathMissing", path)


def test_a_repository_that_is_not_there_private_or_away(served: Server, origin: Origin) -> None:
    assert why(Repository(served.repository("none"))).reason == "RepositoryMissing"
    served.login = "me:secret"
    try:
        assert why(at(served, origin)).reason == "AccessDenied"
        assert why(at(served, origin, Login("me", "wrong"))).reason == "AccessDenied"
        assert at(served, origin, Login("me", "secret")).commit_of("main")
    finally:
        served.login = ""
    served.away = True
    try:
        error = why(at(served, origin))
        assert (error.reason, error.transient) == ("Unreachable", True)
    finally:
        served.away = False


def test_redirects_are_told_and_not_followed(served: Server, origin: Origin) -> None:
    with serving(served.root) as other:
        served.redirect = other.url
        try:
            error = why(at(served, origin))
        finally:
            served.redirect = ""
        assert (error.reason, other.asked) == ("EndpointRefused", [])
        assert other.repository(origin.folder.name) in error.message


RULES = Rules(OperatorConfig.model_validate({"images": {"worker": "none"}}))


def test_the_operator_does_not_knock_at_loopback(served: Server, origin: Origin) -> None:
    """Whatever name has led there: what is looked at is the address, when the connection is made."""
    mine, asked = at(served, origin), len(served.asked)
    with under(Terms(5.0, RULES.connecting(served.url), False)):
        error = why(mine)
    assert (error.reason, len(served.asked)) == ("EndpointRefused", asked)


def test_of_a_server_that_nobody_has_vouched_for_no_more_is_told_than_that_no_git_answered(
    served: Server, origin: Origin
) -> None:
    told = set()
    for repository in (Repository(served.repository("none")), Repository("http://127.0.0.1:1/x")):
        with under(Terms(5.0, None, False)):
            told.add(why(repository).message.replace(repository.url, ""))
    served.login = "me:secret"
    try:
        with under(Terms(5.0, None, False)):
            told.add(why(at(served, origin)).message.replace(at(served, origin).url, ""))
    finally:
        served.login = ""
    assert len(told) == 1


def test_many_names_are_bounded(served: Server, origin: Origin) -> None:
    """A ref may be the beginning of millions of others."""
    head = git(origin.folder, "rev-parse", "HEAD")
    lines = "".join(f"{head} refs/heads/x{number:07}\n" for number in range(2000))
    (origin.folder / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    with under(Terms(30.0, None, True, answer=50_000)):
        assert why(at(served, origin), "x").reason == "TooLarge"
        assert at(served, origin).commit_of("main") == head


def test_time_is_bounded(served: Server, origin: Origin) -> None:
    with under(Terms(-1.0, None, True)):
        error = why(at(served, origin))
    assert (error.reason, error.transient) == ("Unreachable", True)
