r"""Field selectors: the grammar of k8s.io/apimachinery's `fields.ParseSelector`.

    field=value  field==value  field!=value

joined by commas, all of which must hold. In values `\,`, `\=` and `\\` stand
for the characters themselves. Spaces count, as they do for the API server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgumentError

FieldReader = Callable[[Any], str]
"""Reads the field of a decoded object as the text that selectors compare."""

_OPERATOR = re.compile("!=|==|=")
_TERM = re.compile(r"(?:[^\\,]|\\(?:.|\Z))+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)|[,=]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition; `read` takes the decoded object."""

    field: str
    equal: bool
    value: str
    read: FieldReader

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, decoded: Any) -> bool:
        """Whether the object is selected."""
        return all((r.read(decoded) == r.value) is r.equal for r in self.requirements)

    def exact(self, field: str) -> str | None:
        """The only value of `field` that is selected, for a look-up by index."""
        for requirement in self.requirements:
            if requirement.equal and requirement.field == field:
                return requirement.value
        return None

    def __str__(self) -> str:
        """Canonical text, also understood by the API server."""
        return ",".join(sorted(str(requirement) for requirement in self.requirements))


EVERYTHING = FieldSelector()


def parse_field_selector(
    text: str, fields: Mapping[str, FieldReader], *, field: str = "field_selector"
) -> FieldSelector:
    """The selector in `text` over the known `fields`; InvalidArgumentError naming `field`."""
    requirements = []
    for term, start in _terms(text):
        operator = _OPERATOR.search(term)
        if operator is None:
            raise _error(
                field, text, start, f'"{term}" is not of the form name=value or name!=value'
            )
        name = term[: operator.start()]
        reader = fields.get(name)
        if reader is None:
            spaces = "; write no spaces around names" if name.strip() in fields else ""
            known = ", ".join(sorted(fields))
            raise _error(
                field, text, start, f'"{name}" is not supported here{spaces}; supported are {known}'
            )
        value = _unescaped(term[operator.end() :], text, start + operator.end(), field)
        requirements.append(FieldRequirement(name, operator[0] != "!=", value, reader))
    return FieldSelector(tuple(requirements)) if requirements else EVERYTHING


def _terms(text: str) -> list[tuple[str, int]]:
    """What stands between commas that are not escaped, and where; empty terms are passed over."""
    return [(found[0], found.start()) for found in _TERM.finditer(text)]


def _unescaped(value: str, text: str, start: int, field: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1] is None:
            what = f'"{found[0]}" in a value must be written as "\\{found[0]}"'
        elif found[1] in ("\\", ",", "="):
            return found[1]
        else:
            what = f'"{found[0]}" is no escape; a backslash in a value is written as "\\\\"'
        raise _error(field, text, start + found.start(), what)

    return _ESCAPE.sub(plain, value)


def _error(field: str, text: str, position: int, what: str) -> InvalidArgumentError:
    """Positions count characters from 1."""
    return InvalidArgumentError.field(field, f"at character {position + 1} of {text!r}: {what}")
