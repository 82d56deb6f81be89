"""Bash words that assign values, read without running anything.

Only what can be known from the text is evaluated: literals, quotes and
variables set before in the same text. Anything that bash would have to compute
(command substitution, variables of the environment, arrays) has no value here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WORD_END = " \t\n;&|<>()"
_PLAIN = re.compile(r"[^\\'\"$`#<\n]+")
"""Characters that neither quote, nor end a line, nor begin a comment or here-document."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word from its start to `end`. `value` is None if bash would have to compute it."""

    end: int
    value: str | None


def read_word(text: str, start: int, variables: Mapping[str, str | None]) -> Word:
    """The word at `start`, with `variables` expanded."""
    parts: list[str | None] = []
    position = start
    if text.startswith("(", start):  # an array
        return Word(_closing(text, start, "(", ")"), None)
    if text.startswith("~", start):
        parts.append(None)
    while position < len(text) and text[position] not in _WORD_END:
        position, part = _read_part(text, position, variables, quoted=False)
        parts.append(part)
    if any(part is None for part in parts):
        return Word(position, None)
    return Word(position, "".join(part for part in parts if part is not None))


def _read_part(
    text: str, position: int, variables: Mapping[str, str | None], *, quoted: bool
) -> tuple[int, str | None]:
    """The end and the value of one piece of a word."""
    char = text[position]
    if char == "\\":
        return _read_escape(text, position, quoted=quoted)
    if char == "$":
        return _read_dollar(text, position, variables, quoted=quoted)
    if char == "`":
        return _after(text, position + 1, "`"), None
    if char == "'" and not quoted:
        end = text.find("'", position + 1)
        return (len(text), None) if end < 0 else (end + 1, text[position + 1 : end])
    if char == '"' and not quoted:
        return _read_double_quoted(text, position + 1, variables)
    return position + 1, char


def _read_escape(text: str, position: int, *, quoted: bool) -> tuple[int, str | None]:
    following = text[position + 1 : position + 2]
    if not following:
        return position + 1, "\\"
    if following == "\n":
        return position + 2, ""
    if quoted and following not in '$`"\\':
        return position + 2, "\\" + following
    return position + 2, following


def _read_double_quoted(
    text: str, position: int, variables: Mapping[str, str | None]
) -> tuple[int, str | None]:
    parts: list[str | None] = []
    while position < len(text):
        if text[position] == '"':
            known = [part for part in parts if part is not None]
            return position + 1, "".join(known) if len(known) == len(parts) else None
        position, part = _read_part(text, position, variables, quoted=True)
        parts.append(part)
    return len(text), None  # never closed


def _read_dollar(
    text: str, position: int, variables: Mapping[str, str | None], *, quoted: bool
) -> tuple[int, str | None]:
    rest = position + 1
    name = _NAME.match(text, rest)
    if name:
        return name.end(), variables.get(name.group())
    braced = _BRACED.match(text, rest)
    if braced:
        return braced.end(), variables.get(braced.group(1))
    following = text[rest : rest + 1]
    if following == "{":
        return _closing(text, rest, "{", "}"), None
    if following == "(":
        return _closing(text, rest, "(", ")"), None
    if following == "'" and not quoted:  # ANSI-C quoting
        return _after(text, rest + 1, "'"), None
    if following and following in "0123456789@*#?-$!":
        return rest + 1, None
    if following == '"' and not quoted:  # translated text
        return _read_double_quoted(text, rest + 1, variables)
    return rest, "$"


def _after(text: str, position: int, closing: str) -> int:
    """The position after the next `closing` that no backslash precedes."""
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == closing:
            return position + 1
        else:
            position += 1
    return len(text)


def _closing(text: str, position: int, opening: str, closing: str) -> int:
    """The position after the bracket that closes the one at `position`; quotes are skipped."""
    depth = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
            continue
        if char == "'":
            end = text.find("'", position + 1)
            position = len(text) if end < 0 else end + 1
            continue
        if char == '"':
            position = _read_double_quoted(text, position + 1, {})[0]
            continue
        depth += (char == opening) - (char == closing)
        position += 1
        if depth == 0:
            return position
    return len(text)


def skip_statement(text: str, position: int) -> int:
    """The position after the newline that ends the statement at `position`.

    Quotes, continued lines and here-documents belong to the statement.
    """
    documents: list[tuple[str, bool]] = []
    while position < len(text) and text[position] != "\n":
        plain = _PLAIN.match(text, position)
        if plain:
            position = plain.end()
            continue
        document = _HERE_DOCUMENT.match(text, position)
        if document:
            documents.append((document.group("name"), bool(document.group("tabs"))))
            position = document.end()
        elif text[position] == "#" and (position == 0 or text[position - 1] in _WORD_END):
            position = _line_end(text, position)
        elif text.startswith("<<<", position):
            position += 3
        else:
            position = _read_part(text, position, {}, quoted=False)[0]
    position = min(position + 1, len(text))
    for name, tabs in documents:
        position = _skip_here_document(text, position, name, tabs=tabs)
    return position


_HERE_DOCUMENT = re.compile(r"<<(?!<)(?P<tabs>-)?[ \t]*\\?(?P<quote>['\"]?)(?P<name>\w+)(?P=quote)")


def _skip_here_document(text: str, position: int, name: str, *, tabs: bool) -> int:
    while position < len(text):
        end = _line_end(text, position)
        line = text[position:end]
        position = min(end + 1, len(text))
        if (line.lstrip("\t") if tabs else line) == name:
            break
    return position


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
