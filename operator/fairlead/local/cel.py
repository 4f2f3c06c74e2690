"""The part of CEL, the Common Expression Language (github.com/google/cel-spec), that Fairlead's definitions are written
in, evaluated on an object as the API server would. Pure.

What is not known here raises NotKnown when the rule is read, not when it is evaluated: nothing passes unread.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Scope: TypeAlias = Mapping[str, Any]
Code: TypeAlias = Callable[[Scope], Any]


class NotKnown(Exception):  # noqa: N818 - the house's names of errors
    """A rule has something that this evaluator has not."""


class Wrong(Exception):  # noqa: N818 - the house's names of errors
    """An error of the evaluation, as of a key that is not there; the API server refuses the object then."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<raw>r'(?:[^'])*'|r"(?:[^"])*")
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]])
    )""",
    re.X,
)
_ESCAPED = {"__dot__": ".", "__dash__": "-", "__slash__": "/", "__underscores__": "__"}
_KEYWORD = re.compile(r"__([a-z]+)__")
_UNITS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30,
    "Ti": 2.0**40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?")


@dataclass(frozen=True, order=True)
class Quantity:
    """A number as Kubernetes writes it."""

    value: float


def compiled(rule: str) -> Code:
    """A rule, ready to be evaluated with `{"self": …}`. Raises NotKnown."""
    return _Parser(rule).whole()


def _tokens(rule: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(rule.rstrip()):
        match = _TOKEN.match(rule, at)
        if match is None:
            raise NotKnown(f"{rule[at : at + 20]!r}")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return [*found, ("end", "")]


class _Parser:
    """Recursive descent over CEL's grammar; each part becomes a function of the variables."""

    def __init__(self, rule: str) -> None:
        self._tokens, self._at = _tokens(rule), 0

    def whole(self) -> Code:
        found = self._choice()
        if self._tokens[self._at][0] != "end":
            raise NotKnown(self._tokens[self._at][1])
        return found

    def _take(self, *signs: str) -> str:
        """The next token, if it is one of these signs or words; else an empty string."""
        kind, text = self._tokens[self._at]
        if kind in ("sign", "name") and text in signs:
            self._at += 1
            return text
        return ""

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise NotKnown(f"{self._tokens[self._at][1]!r} where {sign!r} should be")

    def _choice(self) -> Code:
        test = self._or()
        if not self._take("?"):
            return test
        then = self._or()
        self._need(":")
        other = self._choice()
        return lambda scope: then(scope) if _truth(test(scope)) else other(scope)

    def _or(self) -> Code:
        parts = [self._and()]
        while self._take("||"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda scope: _any(parts, scope, True)

    def _and(self) -> Code:
        parts = [self._relation()]
        while self._take("&&"):
            parts.append(self._relation())
        return parts[0] if len(parts) == 1 else lambda scope: not _any(parts, scope, False)

    def _relation(self) -> Code:
        left = self._sum()
        while sign := self._take("==", "!=", "<=", ">=", "<", ">", "in"):
            left = _binary(sign, left, self._sum())
        return left

    def _sum(self) -> Code:
        left = self._product()
        while sign := self._take("+", "-"):
            left = _binary(sign, left, self._product())
        return left

    def _product(self) -> Code:
        left = self._unary()
        while sign := self._take("*", "/", "%"):
            left = _binary(sign, left, self._unary())
        return left

    def _unary(self) -> Code:
        if self._take("!"):
            inner = self._unary()
            return lambda scope: not _truth(inner(scope))
        if self._take("-"):
            inner = self._unary()
            return lambda scope: -inner(scope)
        return self._member()

    def _member(self) -> Code:
        found = self._primary()
        while sign := self._take(".", "["):
            if sign == "[":
                found = _binary("[]", found, self._choice())
                self._need("]")
                continue
            name = self._name()
            found = self._method(found, name) if self._take("(") else _selected(found, _unescaped(name))
        return found

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind != "name":
            raise NotKnown(f"{text!r} where a name should be")
        self._at += 1
        return text

    def _method(self, of: Code, name: str) -> Code:
        if name in _MACROS:
            variable = self._name()
            self._need(",")
            body = self._choice()
            self._need(")")
            macro = _MACROS[name]
            return lambda scope: macro(_items(of(scope)), lambda one: body({**scope, variable: one}))
        given = self._arguments(")")
        if name not in _METHODS:
            raise NotKnown(f"{name}()")
        work = _METHODS[name]
        return lambda scope: _called(work, [of(scope), *(one(scope) for one in given)])

    def _arguments(self, end: str) -> list[Code]:
        given: list[Code] = []
        while not self._take(end):
            given.append(self._choice())
            if not self._take(","):
                self._need(end)
                break
        return given

    def _primary(self) -> Code:
        if self._take("("):
            inner = self._choice()
            self._need(")")
            return inner
        if self._take("["):
            given = self._arguments("]")
            return lambda scope: [one(scope) for one in given]
        kind, text = self._tokens[self._at]
        if kind in ("end", "sign"):
            raise NotKnown(repr(text))
        self._at += 1
        if kind != "name":
            value = text[2:-1] if kind == "raw" else ast.literal_eval(text)
            return lambda _: value
        if text in _WORDS:
            return lambda _: _WORDS[text]
        return self._function(text) if self._take("(") else _variable(text)

    def _function(self, name: str) -> Code:
        if name == "has":
            return self._has()
        given = self._arguments(")")
        if name not in _FUNCTIONS:
            raise NotKnown(f"{name}()")
        work = _FUNCTIONS[name]
        return lambda scope: _called(work, [one(scope) for one in given])

    def _has(self) -> Code:
        """`has(a.b)`: whether a has the field b."""
        before = self._at
        self._choice()
        end = self._at
        self._need(")")
        name = _unescaped(self._tokens[end - 1][1])
        if end - before < 3 or self._tokens[end - 2][1] != ".":
            raise NotKnown("has() of something else than a field")
        self._at = before
        inner = _Parser("")
        inner._tokens = [*self._tokens[before : end - 2], ("end", "")]
        of = inner.whole()
        self._at = end + 1
        return lambda scope: name in _mapping(of(scope))


_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


def _unescaped(name: str) -> str:
    """A field's name, as Kubernetes escapes those that CEL reserves."""
    if match := _KEYWORD.fullmatch(name):
        return _ESCAPED.get(name, match[1])
    for escaped, plain in _ESCAPED.items():
        name = name.replace(escaped, plain)
    return name


def _variable(name: str) -> Code:
    def read(scope: Scope) -> Any:
        if name not in scope:
            raise Wrong(f"there is no {name}")
        return scope[name]

    return read


def _selected(of: Code, name: str) -> Code:
    def read(scope: Scope) -> Any:
        found = _mapping(of(scope))
        if name not in found:
            raise Wrong(f"no such key: {name}")
        return found[name]

    return read


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("it has no fields")
    return value


def _items(value: Any) -> list[Any]:
    if not isinstance(value, (list, dict)):
        raise Wrong("it is no list and no map")
    return list(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("it is neither true nor false")
    return value


def _any(parts: list[Code], scope: Scope, wanted: bool) -> bool:
    """Whether one of them is `wanted`: then errors of others don't count."""
    error: Wrong | None = None
    for part in parts:
        try:
            if _truth(part(scope)) is wanted:
                return True
        except Wrong as wrong:
            error = wrong
    if error is not None:
        raise error
    return False


def _same_kind(one: Any, other: Any) -> bool:
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    return type(one) is type(other) or (isinstance(one, numbers) and isinstance(other, numbers))


def _binary(sign: str, left: Code, right: Code) -> Code:
    work = _SIGNS[sign]
    return lambda scope: _called(work, [left(scope), right(scope)])


def _compared(work: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(one: Any, other: Any) -> bool:
        if not _same_kind(one, other):
            raise Wrong("they can't be compared")
        return work(one, other)

    return compare


def _indexed(of: Any, key: Any) -> Any:
    if isinstance(of, dict) and key not in of:
        raise Wrong(f"no such key: {key}")
    return of[key]


def _called(work: Callable[..., Any], given: list[Any]) -> Any:
    try:
        return work(*given)
    except (TypeError, ValueError, LookupError, ZeroDivisionError, OverflowError, AttributeError) as error:
        raise Wrong(str(error)) from None


def _all(items: list[Any], test: Callable[[Any], Any]) -> bool:
    return not _any([lambda _, one=one: test(one) for one in items], {}, False)  # type: ignore[misc]


def _exists(items: list[Any], test: Callable[[Any], Any]) -> bool:
    return _any([lambda _, one=one: test(one) for one in items], {}, True)  # type: ignore[misc]


def _quantity(text: str) -> Quantity:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise Wrong(f"{text} is no quantity")
    return Quantity(float(match[1]) * _UNITS[match[2] or ""])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: _same_kind(a, b) and a == b, "!=": lambda a, b: not (_same_kind(a, b) and a == b),
    "<": _compared(lambda a, b: a < b), "<=": _compared(lambda a, b: a <= b),
    ">": _compared(lambda a, b: a > b), ">=": _compared(lambda a, b: a >= b),
    "in": lambda a, b: any(_same_kind(a, one) and a == one for one in _items(b)), "[]": _indexed,
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: int(a / b) if isinstance(a, int) and isinstance(b, int) else a / b, "%": lambda a, b: a % b,
}  # fmt: skip
_MACROS: dict[str, Callable[[list[Any], Callable[[Any], Any]], Any]] = {
    "all": _all, "exists": _exists, "exists_one": lambda items, test: sum(_truth(test(one)) for one in items) == 1,
    "filter": lambda items, test: [one for one in items if _truth(test(one))],
    "map": lambda items, made: [made(one) for one in items],
}  # fmt: skip
_METHODS: dict[str, Callable[..., Any]] = {
    "size": len, "matches": lambda text, pattern: re.search(pattern, text, re.ASCII) is not None,
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": lambda text, part: part in text,
    "lowerAscii": str.lower, "upperAscii": str.upper, "trim": str.strip,
    "split": lambda text, by: text.split(by) if by else list(text), "join": lambda items, by="": by.join(items),
    "replace": str.replace, "substring": lambda text, start, end=None: text[start:end],
    "indexOf": lambda text, part: text.find(part), "sum": sum, "min": min, "max": max,
    "compareTo": lambda a, b: (a > b) - (a < b), "isLessThan": lambda a, b: a < b, "isGreaterThan": lambda a, b: a > b,
    "asInteger": lambda a: int(a.value), "isInteger": lambda a: a.value.is_integer(),
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size": len, "double": float, "int": int, "string": _text, "quantity": _quantity,
    "isQuantity": lambda text: _QUANTITY.fullmatch(text) is not None,
}  # fmt: skip
