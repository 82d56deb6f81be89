"""init_envs as a text to be read and edited: `export KEY=value` lines that step scripts source.

An edit replaces only the values that change; every other character, comment
and line stays where it is.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from services.cluster_lifecycle.domain.bash_words import read_word, skip_statement

_ASSIGNMENT = re.compile(
    r"[ \t]*(?P<export>export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<plus>\+)?="
)
_NEXT_ASSIGNMENT = re.compile(r"[ \t]+(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<plus>\+)?=")
_SEPARATOR = re.compile(r"[ \t]*(?P<mark>;(?!;)|&&|\|\|)")
_LINE_REST = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment. `start:end` is its operator and value, `line_start:line_end` its lines.

    `value` is None if bash would have to compute it. `alone` says that nothing
    else stands on its lines but a comment.
    """

    key: str
    value: str | None
    start: int
    end: int
    line_start: int
    line_end: int
    alone: bool


class InitEnvs:
    """The text of an init_envs file. Immutable: edits give a new one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.assignments = tuple(_assignments(text))

    def last(self, key: str) -> Assignment | None:
        """The assignment that counts: bash keeps the last."""
        found = None
        for assignment in self.assignments:
            if assignment.key == key:
                found = assignment
        return found

    def with_value(self, key: str, value: str, after: tuple[str, ...] = ()) -> InitEnvs:
        """`key` set to `value`; as it is if it has that value already.

        A new line takes the place of a comment `# export KEY=…`, else it goes
        after the last line that sets one of `after`, else to the end.
        """
        assignment = self.last(key)
        if assignment is not None:
            if assignment.value == value:
                return self
            return self._replaced(assignment.start, assignment.end, "=" + shlex.quote(value))
        line = f"export {key}={shlex.quote(value)}\n"
        comment = self._comment(key)
        if comment is not None:
            return self._replaced(*comment, line)
        return self._inserted(line, after)

    def without_value(self, key: str, placeholder: str) -> InitEnvs:
        """`key` unset: its lines become the comment `# export KEY=<placeholder>`."""
        result = self
        while (assignment := result.last(key)) is not None and assignment.value != "":
            if assignment.alone:
                comment = f"# export {key}={placeholder}\n"
                result = result._replaced(assignment.line_start, assignment.line_end, comment)
            else:
                result = result._replaced(assignment.start, assignment.end, "=''")
        return result

    def _comment(self, key: str) -> tuple[int, int] | None:
        """The last comment line that holds the assignment out."""
        pattern = re.compile(rf"^[ \t]*#[ \t]*export[ \t]+{key}=[^\n]*(\n|\Z)", re.MULTILINE)
        found = None
        for match in pattern.finditer(self.text):
            if self._between_statements(match.start()):
                found = match.span()
        return found

    def _between_statements(self, position: int) -> bool:
        start = 0
        while start < position:
            start = skip_statement(self.text, start)
        return start == position

    def _inserted(self, line: str, after: tuple[str, ...]) -> InitEnvs:
        position = len(self.text)
        places = [found for key in after if (found := self.last(key)) is not None]
        if places:
            position = max(place.line_end for place in places)
        if position and self.text[position - 1] != "\n":
            line = "\n" + line
        return self._replaced(position, position, line)

    def _replaced(self, start: int, end: int, by: str) -> InitEnvs:
        return InitEnvs(self.text[:start] + by + self.text[end:])


def _assignments(text: str) -> list[Assignment]:
    found: list[Assignment] = []
    variables: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        line_end = skip_statement(text, position)
        group, whole = _line_assignments(text, position, line_end, variables)
        found += [
            Assignment(key, value, start, end, position, line_end, whole and len(group) == 1)
            for key, value, start, end in group
        ]
        position = line_end
    return found


_Found = tuple[str, str | None, int, int]


def _line_assignments(
    text: str, position: int, line_end: int, variables: dict[str, str | None]
) -> tuple[list[_Found], bool]:
    """The assignments of one statement's lines, and whether there is nothing else on them.

    `variables` are brought up to date. `A=1 command` sets A for that command
    only, so it assigns nothing here.
    """
    found: list[_Found] = []
    statement: list[_Found] = []
    known = dict(variables)
    exported = False

    def accept() -> None:
        found.extend(statement)
        statement.clear()
        variables.update(known)

    match = _ASSIGNMENT.match(text, position)
    while match is not None and match.end() <= line_end:
        exported = exported or bool(match.groupdict().get("export"))
        key, start = match.group("key"), match.end("key")
        word = read_word(text, match.end(), known)
        known[key] = None if match.group("plus") else word.value
        statement.append((key, known[key], start, word.end))
        if _LINE_REST.match(text, word.end):
            accept()
            return found, True
        separator = _SEPARATOR.match(text, word.end)
        if separator is None:
            match = _NEXT_ASSIGNMENT.match(text, word.end)
            continue
        accept()
        exported = False
        if separator.group("mark") == ";" and _LINE_REST.match(text, separator.end()):
            return found, True
        match = _ASSIGNMENT.match(text, separator.end())
    if exported:
        accept()
    return found, False
