"""Packs of every shape: git's own come out whole, whatever is done to one ends in a plain error, and none grows."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.store.errors import StoreError
from fairlead.store.git import pack
from fairlead.store.git.tree import entries, tree_of

from .gitserver import Origin, git

BOUNDS = pack.Bounds(objects=5000, one=1 << 20, total=16 << 20)


def unpacked(body: bytes, bounds: pack.Bounds = BOUNDS) -> pack.InMemory:
    shelf = pack.InMemory()
    pack.unpack(io.BytesIO(body), shelf, bounds)
    return shelf


def head(kind: int, size: int) -> bytes:
    """The beginning of an object in a pack."""
    first, size = kind << 4 | size & 15, size >> 4
    out = []
    while size:
        out.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes([*out, first])


def number(value: int) -> bytes:
    out = []
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def back(distance: int) -> bytes:
    """Where a base by offset is."""
    out = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        out.append(distance & 0x7F | 0x80)
    return bytes(reversed(out))


def packed(*objects: bytes) -> bytes:
    body = b"PACK\0\0\0\2" + len(objects).to_bytes(4, "big") + b"".join(objects)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def blob(body: bytes, size: int | None = None) -> bytes:
    return head(3, len(body) if size is None else size) + zlib.compress(body)


def by_name(base: str, delta: bytes) -> bytes:
    return head(7, len(delta)) + bytes.fromhex(base) + zlib.compress(delta)


def copy(source: int, *parts: tuple[int, int] | bytes) -> bytes:
    """A delta of these parts: (begin, length) of the base, or bytes."""
    size = sum(part[1] if isinstance(part, tuple) else len(part) for part in parts)
    out = number(source) + number(size)
    for part in parts:
        if isinstance(part, bytes):
            out += bytes([len(part)]) + part
        else:
            begin, length = part
            out += b"\xff" + begin.to_bytes(4, "little") + length.to_bytes(3, "little")
    return out


@pytest.fixture(scope="module")
def of_git(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    """A pack that git has made, with chains of deltas of both kinds of bases."""
    origin = Origin.made(tmp_path_factory.mktemp("git") / "r")
    words = random.Random(7)
    text = [f"line {words.random()}\n" for _ in range(300)]
    for turn in range(12):
        text[turn * 7] = f"changed {turn}\n"
        origin.commit({"a/long": "".join(text), f"f{turn}": str(turn)})
    names = git(origin.folder, "rev-list", "--objects", "--all")
    command = ["git", "pack-objects", "--stdout", "--delta-base-offset", "--depth=50", "--window=50", "-q"]
    done = subprocess.run(command, cwd=origin.folder, input=names.encode(), capture_output=True, check=True)
    return done.stdout, origin.folder


def test_what_git_has_packed_comes_out_as_git_has_it(of_git: tuple[bytes, Path]) -> None:
    body, folder = of_git
    shelf = unpacked(body)
    listed = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
    assert {f"{name} {kind} {len(one)}" for name, (kind, one) in shelf.items()} == set(listed.splitlines())
    (top,) = [tree_of(one) for name, (_, one) in shelf.items() if name == git(folder, "rev-parse", "HEAD")]
    shown = [f"{one.object} {one.name.decode()}" for one in entries(shelf[top][1])]
    assert shown == git(folder, "ls-tree", "--format=%(objectname) %(path)", "HEAD").splitlines()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_pack_ends_in_a_plain_error(of_git: tuple[bytes, Path], data: st.DataObject) -> None:
    body = bytearray(of_git[0])
    whole = unpacked(bytes(body))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                body[where] ^= data.draw(st.integers(1, 255))
            case "cut":
                del body[where : where + data.draw(st.integers(1, 40))]
            case _:
                body[where:where] = data.draw(st.binary(min_size=1, max_size=20))
        if not body:
            return
    try:
        found = unpacked(bytes(body))
    except (pack.BadPackError, StoreError):
        return
    for name, (kind, one) in found.items():  # whatever came out has the name that its bytes have
        assert pack.named(kind, one) == name
    assert all(whole[name] == found[name] for name in whole.keys() & found.keys())


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=300))
def test_any_bytes_are_no_harm(body: bytes) -> None:
    for start in (b"", b"PACK\0\0\0\2\0\0\0\3", b"PACK\0\0\0\2\0\0\0\1\x74" + b"\1" * 20):
        try:
            unpacked(start + body)
        except (pack.BadPackError, StoreError):
            continue


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=12), st.randoms())
def test_deltas_come_in_any_order(texts: list[bytes], order: random.Random) -> None:
    """A chain of deltas by name, base first, last or anywhere."""
    whole = [b"base" * 20]
    objects = [blob(whole[0])]
    for text in texts:
        before = whole[-1]
        whole.append(before[: len(before) // 2 + 1] + text)
        objects.append(by_name(pack.named("blob", before), copy(len(before), (0, len(before) // 2 + 1), text)))
    order.shuffle(objects)
    assert {one for _, one in unpacked(packed(*objects)).values()} == set(whole)


def test_a_very_long_chain_backwards_needs_no_stack() -> None:
    whole, chain = [b"x"], []
    for number_ in range(3000):
        before = whole[-1]
        whole.append(str(number_).encode())
        chain.append(by_name(pack.named("blob", before), copy(len(before), whole[-1])))
    assert len(unpacked(packed(*reversed(chain), blob(b"x")))) == 3001


def test_a_base_by_offset() -> None:
    first, delta = blob(b"hello world"), copy(11, (0, 6), b"you")
    second = head(6, len(delta)) + back(len(first)) + zlib.compress(delta)
    assert {one for _, one in unpacked(packed(first, second)).values()} == {b"hello world", b"hello you"}


BOMB = blob(b"\0" * (1 << 20))
_DELTA = copy(1 << 20, *[(0, 1 << 20)] * 3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (packed(blob(b"\0" * (1 << 20) + b"1")), "1048576 is the limit for one"),
        (packed(*[BOMB] * 17), "more than 16777216 bytes"),
        (packed(BOMB, by_name(pack.named("blob", b"\0" * (1 << 20)), _DELTA)), "1048576 is the limit for one"),
        (b"PACK\0\0\0\2\xff\xff\xff\xff", "4294967295 objects, and 5000 is the limit"),
        (packed(head(3, 1 << 60) + zlib.compress(b"x")), "is the limit for one"),
    ],
)
def test_what_is_too_large_is_told_with_the_limit(body: bytes, words: str) -> None:
    with pytest.raises(StoreError, match=words) as raised:
        unpacked(body)
    assert raised.value.reason == "TooLarge"


@pytest.mark.parametrize(
    "body",
    [
        packed(blob(b"\0" * 4000, size=10)),
        packed(blob(b"abc", size=10)),
        packed(head(5, 1) + zlib.compress(b"x")),
        packed(head(6, 1) + back(500) + zlib.compress(b"x")),
        packed(blob(b"abc"), by_name(pack.named("blob", b"abc"), copy(4, (0, 4)))),
        packed(blob(b"abc"), by_name(pack.named("blob", b"abc"), copy(3, (2, 3)))),
        packed(blob(b"abc"), by_name(pack.named("blob", b"abc"), number(3) + number(9) + b"\1x")),
        packed(blob(b"abc"), by_name(pack.named("blob", b"abc"), number(3) + number(1) + b"\0")),
        packed(blob(b"abc"))[:15],
        b"PACK\0\0\0\4\0\0\0\0",
        b"",
    ],
)
def test_what_makes_no_sense(body: bytes) -> None:
    with pytest.raises(pack.BadPackError):
        unpacked(body)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_as_a_tree(body: bytes) -> None:
    try:
        for one in entries(body):
            assert b"\0" not in one.name
            assert len(one.object) == 40
    except pack.BadPackError:
        pass
