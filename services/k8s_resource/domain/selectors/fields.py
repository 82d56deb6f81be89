r"""Field selectors: the grammar of k8s.io/apimachinery's `fields.ParseSelector`.

    field=value  field==value  field!=value

joined by commas, all of which must hold. In values `\,`, `\=` and `\\` stand
for the characters themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgumentError

FieldReader = Callable[[Any], str]
"""Reads the field of a decoded object as the text that selectors compare."""

_TERM = re.compile(r"([^=!\\,]+?)\s*(==|!=|=)\s*((?:[^\\,=]|\\[\\,=])*)\Z", re.DOTALL)
_SPLIT = re.compile(r"((?:[^\\,]|\\.)*)(?:,|\Z)", re.DOTALL)


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
    for term in _terms(text):
        if not term.strip():
            continue
        found = _TERM.match(term.strip())
        if found is None:
            raise InvalidArgumentError.field(
                field, f'"{term}" is not of the form name=value or name!=value, in {text!r}'
            )
        name = found[1].strip()
        reader = fields.get(name)
        if reader is None:
            raise InvalidArgumentError.field(
                field, f'"{name}" is not supported here; supported are {", ".join(sorted(fields))}'
            )
        value = re.sub(r"\\([\\,=])", r"\1", found[3])
        requirements.append(FieldRequirement(name, found[2] != "!=", value, reader))
    return FieldSelector(tuple(requirements)) if requirements else EVERYTHING


def _terms(text: str) -> list[str]:
    terms = []
    position = 0
    while position < len(text):
        found = _SPLIT.match(text, position)
        if found is None or found.end() == position:
            # A lone backslash at the end fits no escape; the term's own check tells it.
            terms.append(text[position:])
            break
        terms.append(found[1])
        position = found.end()
    return terms
