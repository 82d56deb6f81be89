"""Path templates of google.api.http: `/v1/clusters/{cluster.tag}:launch`.

Grammar (google/api/http.proto):

    Template = "/" Segments [ Verb ] ;
    Segments = Segment { "/" Segment } ;
    Segment  = "*" | "**" | LITERAL | Variable ;
    Variable = "{" FieldPath [ "=" Segments ] "}" ;
    Verb     = ":" LITERAL ;

A variable of one segment is percent-decoded whole, so "apps%2Fv1" is a value
with a slash in it; one of several segments keeps "%2F" as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

_LITERAL = re.compile(r"[A-Za-z0-9_.~-]+")
_FIELD_PATH = re.compile(r"[a-z_][A-Za-z0-9_]*(\.[a-z_][A-Za-z0-9_]*)*")
_ANY_ONE, _ANY_REST = "*", "**"


@dataclass(frozen=True, slots=True)
class Variable:
    """A field path and the segments it takes: `start` up to `end`; None means to the last."""

    field_path: str
    start: int
    end: int | None

    @property
    def single(self) -> bool:
        """Whether it takes exactly one segment."""
        return self.end == self.start + 1


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed template: its segments without variables, the variables, the verb."""

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str

    @property
    def specificity(self) -> tuple[int, ...]:
        """Sorts templates so that literals are tried before wildcards, position by position."""
        ranks = {_ANY_ONE: 1, _ANY_REST: 2}
        return tuple(ranks.get(segment, 0) for segment in self.segments)

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Values by field path for the raw (still percent-encoded) segments, None if none fit.

        ValueError for a value that is not percent-encoded UTF-8.
        """
        open_ended = bool(self.segments) and self.segments[-1] == _ANY_REST
        if open_ended:
            if len(path) < len(self.segments) - 1:
                return None
        elif len(path) != len(self.segments):
            return None
        for wanted, given in zip(self.segments, path, strict=False):
            if wanted == _ANY_REST:
                break
            if (not given) if wanted == _ANY_ONE else (wanted != given):
                return None
        return {
            variable.field_path: _value(path[variable.start : variable.end], variable.single)
            for variable in self.variables
        }


def parse_template(text: str) -> PathTemplate:
    """The template; ValueError saying what is wrong with it."""
    body, verb = text, ""
    last_slash, last_colon = text.rfind("/"), text.rfind(":")
    if last_colon > max(last_slash, text.rfind("}")):
        body, verb = text[:last_colon], text[last_colon + 1 :]
        if not _LITERAL.fullmatch(verb):
            raise ValueError(f'{text}: bad verb "{verb}"')
    if not body.startswith("/"):
        raise ValueError(f'{text}: a template starts with "/"')
    segments: list[str] = []
    variables: list[Variable] = []
    for part in _split(body[1:]):
        if part.startswith("{"):
            field_path, _, pattern = part[1:-1].partition("=")
            if not _FIELD_PATH.fullmatch(field_path):
                raise ValueError(f'{text}: bad field path "{field_path}"')
            inner = (pattern or _ANY_ONE).split("/")
            start = len(segments)
            segments += inner
            end = None if inner[-1] == _ANY_REST else len(segments)
            variables.append(Variable(field_path, start, end))
        else:
            segments.append(part)
    for index, segment in enumerate(segments):
        if segment == _ANY_REST and index != len(segments) - 1:
            raise ValueError(f'{text}: "**" must be the last segment')
        if segment not in (_ANY_ONE, _ANY_REST) and not _LITERAL.fullmatch(segment):
            raise ValueError(f'{text}: bad segment "{segment}"')
    return PathTemplate(text, tuple(segments), tuple(variables), verb)


def _split(body: str) -> list[str]:
    """Split at slashes outside of braces."""
    return re.split(r"/(?![^{}]*\})", body)


def _value(segments: Sequence[str], single: bool) -> str:
    if single:
        return unquote(segments[0], errors="strict")
    return "/".join(_keep_slashes(segment) for segment in segments)


def _keep_slashes(segment: str) -> str:
    parts = re.split("(%2[fF])", segment)
    return "".join(
        part if part.upper() == "%2F" else unquote(part, errors="strict") for part in parts
    )
