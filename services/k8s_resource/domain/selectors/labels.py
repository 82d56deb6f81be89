"""Label selectors: the grammar and meaning of k8s.io/apimachinery's `labels.Parse`.

    key=value  key==value  key!=value  key in (a,b)  key notin (a,b)  key  !key  key>1  key<1

joined by commas, all of which must hold. `!=` and `notin` also match objects
without the key; `>` and `<` compare whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgumentError

_TOKEN = re.compile(r"==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+")
_SPECIAL = frozenset("=!<>(),") | {"==", "!="}
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_LONGEST_PREFIX = 253
_INT64 = range(-(2**63), 2**63)
_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition. `operator` is "in", "notin", "exists", "!", ">" or "<"."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the condition."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        number = _whole_number(value)
        if number is None:
            return False
        limit = int(self.values[0])
        return number > limit if self.operator == ">" else number < limit

    def __str__(self) -> str:
        match self.operator:
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
        return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        found = labels or _NO_LABELS
        return all(requirement.holds(found) for requirement in self.requirements)

    def equality(self) -> tuple[str, str] | None:
        """A (key, value) that every selected object has, for a look-up by index."""
        for requirement in self.requirements:
            if requirement.operator == "in" and len(requirement.values) == 1:
                return requirement.key, requirement.values[0]
        return None

    def __str__(self) -> str:
        """Canonical text: equal for selectors that are written differently but equal."""
        return ",".join(sorted(str(requirement) for requirement in self.requirements))


EVERYTHING = LabelSelector()


def parse_label_selector(text: str, *, field: str = "label_selector") -> LabelSelector:
    """The selector in `text`; InvalidArgumentError naming `field` and what is wrong in it."""
    if not text.strip(" \t\r\n"):
        return EVERYTHING
    return LabelSelector(tuple(_Parser(text, field).requirements()))


class _Parser:
    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._tokens = [(found[0], found.start()) for found in _TOKEN.finditer(text)]
        self._next = 0

    def requirements(self) -> Iterator[Requirement]:
        while True:
            yield self._requirement()
            if not self._peek():
                return
            self._expect(",", 'expected "," or the end')

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return Requirement(self._key(), "!")
        key = self._key()
        operator = self._peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self._take()
        match operator:
            case "=" | "==":
                return Requirement(key, "in", (self._value(),))
            case "!=":
                return Requirement(key, "notin", (self._value(),))
            case "in" | "notin":
                return Requirement(key, operator, self._value_set())
            case ">" | "<":
                value = self._value()
                if _whole_number(value) is None:
                    raise self._error(f'"{value}" after {operator} must be a 64-bit whole number')
                return Requirement(key, operator, (value,))
        raise self._error(
            f'"{operator}" after "{key}" is no operator; operators are =, ==, !=, in, notin, > and <'
        )

    def _key(self) -> str:
        key = self._take()
        if not key or key in _SPECIAL:
            raise self._error(f"expected a label key, found {_shown(key)}")
        prefix, slash, name = key.rpartition("/")
        if not _NAME.match(name) or (
            slash and not (_PREFIX.match(prefix) and len(prefix) <= _LONGEST_PREFIX)
        ):
            raise self._error(
                f'"{key}" is not a label key: at most 63 letters, digits, -, _ and ., beginning '
                "and ending with a letter or digit, and before them a DNS name and / if need be"
            )
        return key

    def _value(self) -> str:
        """A value, which may be empty."""
        if self._peek() in ("", ","):
            return ""
        return self._checked(self._take())

    def _value_set(self) -> tuple[str, ...]:
        self._expect("(", 'expected "(" and values')
        values: set[str] = set()
        while True:
            values.add("" if self._peek() in (",", ")") else self._checked(self._take()))
            if self._peek() == ")":
                self._take()
                return tuple(sorted(values))
            self._expect(",", 'expected "," or ")"')

    def _checked(self, value: str) -> str:
        if not value or value in _SPECIAL:
            raise self._error(f"expected a label value, found {_shown(value)}")
        if not _NAME.match(value):
            raise self._error(
                f'"{value}" is not a label value: at most 63 letters, digits, -, _ and ., '
                "beginning and ending with a letter or digit"
            )
        return value

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._next += 1
        return token

    def _expect(self, wanted: str, otherwise: str) -> None:
        found = self._take()
        if found != wanted:
            raise self._error(f"{otherwise}, found {_shown(found)}")

    def _error(self, what: str) -> InvalidArgumentError:
        """At the token taken last; positions count characters from 1."""
        index = self._next - 1
        position = self._tokens[index][1] if index < len(self._tokens) else len(self._text)
        return InvalidArgumentError.field(
            self._field,
            f"at character {position + 1} of {self._text!r}: {what}; "
            "examples: app=web, env in (dev,test), !canary",
        )


def _shown(token: str) -> str:
    return f'"{token}"' if token else "the end"


def _whole_number(value: str | None) -> int | None:
    """As Go's strconv.ParseInt reads it: 64 bits."""
    if value is None or not re.fullmatch(r"[+-]?[0-9]{1,253}", value):
        return None
    number = int(value)
    return number if number in _INT64 else None
