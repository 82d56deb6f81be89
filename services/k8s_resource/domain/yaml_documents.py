"""YAML and JSON text into plain values, safely and as Kubernetes' own tools read them.

Built on the parser's events rather than on PyYAML's constructors: those recurse without a
limit, resolve `22:22` and dates to values that Kubernetes takes for strings, let a later
key silently win over an earlier one, and share aliased values that then explode in JSON.
Scalars are resolved as go-yaml does (sigs.k8s.io/yaml, which kubectl uses).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

MAX_DEPTH = 100
"""Levels of nesting; Kubernetes' own decoder refuses 10,000, real manifests have about 20."""

MAX_EXPANDED_CHARACTERS = 16 * 1024 * 1024
"""Size after aliases are expanded; a manifest itself has at most 3 MiB."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)\Z")
_PREFIXED_INT = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
_LONGEST_NUMBER = 400
_MERGE = object()


class DocumentError(Exception):
    """Text that cannot be read. `document` counts from 0, `line` from 1."""

    def __init__(self, document: int, line: int, problem: str) -> None:
        super().__init__(f"document {document}, line {line}: {problem}")
        self.document = document
        self.line = line
        self.problem = problem


@dataclass(slots=True)
class Document:
    """One document: its position from 0, the line it starts at from 1, and its value."""

    index: int
    line: int
    value: Any
    _lines: dict[int, int] = field(default_factory=dict)

    def line_of(self, mapping: Any) -> int:
        """The line at which a mapping inside `value` starts."""
        return self._lines.get(id(mapping), self.line)


def read_documents(text: str) -> list[Document]:
    """All documents of a YAML stream or of concatenated JSON values; DocumentError if unreadable."""
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        try:
            return list(_read_json(text))
        except _NotJsonError:
            pass  # A flow mapping is YAML too; its parser gives the better message.
    return list(_read_yaml(text))


class _NotJsonError(Exception):
    pass


def _read_json(text: str) -> Iterator[Document]:
    duplicate: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            duplicate.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return made

    def constant(name: str) -> NoReturn:
        raise _NotJsonError(name)

    def number(digits: str) -> float:
        value = float(digits)
        return value if _is_finite(value) else constant(digits)

    decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    position, index = 0, 0
    blank = re.compile(r"[\ufeff\s]*")
    while (position := blank.match(text, position).end()) < len(text):  # type: ignore[union-attr]
        line = text.count("\n", 0, position) + 1
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:  # JSONDecodeError, or a number of more digits than Python takes
            raise _NotJsonError from None
        except RecursionError:
            raise DocumentError(index, line, f"is nested deeper than {MAX_DEPTH} levels") from None
        if duplicate:
            raise DocumentError(index, line, f'has the key "{duplicate[0]}" twice in one mapping')
        if _depth_exceeds(value, MAX_DEPTH):
            raise DocumentError(index, line, f"is nested deeper than {MAX_DEPTH} levels")
        yield Document(index, line, value)
        position, index = end, index + 1


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


def _read_yaml(text: str) -> Iterator[Document]:
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            document = builder.take(event)
            if document is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(builder.index, line, f"is not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(
            builder.index, line, f"holds a character that YAML does not allow ({error.reason})"
        ) from None


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been read."""

    value: Any
    line: int
    anchor: str | None
    size_before: int
    key: Any = None
    has_key: bool = False
    merges: list[dict[str, Any]] = field(default_factory=list)


class _Builder:
    """Makes values from parser events without recursion."""

    def __init__(self) -> None:
        self.index = 0
        self._start()

    def _start(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = 0
        self._root: Any = None
        self._line = 0
        self._lines: dict[int, int] = {}

    def take(self, event: Any) -> Document | None:
        """Take one event; the document when it is complete."""
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._start()
            case yaml.DocumentEndEvent():
                document = Document(self.index, self._line or line, self._root, self._lines)
                self.index += 1
                return document
            case yaml.ScalarEvent():
                value = self._scalar(event, line)
                self._grow(len(event.value) + 1, line)
                if event.anchor:
                    self._anchors[event.anchor] = (value, len(event.value) + 1)
                self._add(value, line)
            case yaml.AliasEvent():
                self._alias(event.anchor, line)
            case yaml.CollectionStartEvent():
                self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event, line)
            case yaml.CollectionEndEvent():
                self._close()
        return None

    def _fail(self, line: int, problem: str) -> NoReturn:
        raise DocumentError(self.index, line, problem)

    def _grow(self, size: int, line: int) -> None:
        self._size += size
        if self._size > MAX_EXPANDED_CHARACTERS:
            self._fail(line, "grows beyond 16 MiB when its aliases are expanded")

    def _open(self, value: Any, event: Any, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._fail(line, f"is nested deeper than {MAX_DEPTH} levels")
        self._check_tag(event.tag, ("map", "seq"), line)
        if not self._stack:
            self._line = line
        if self._stack and self._expects_key(self._stack[-1]):
            self._fail(line, "has a mapping or a list as a key")
        self._grow(1, line)
        self._lines[id(value)] = line
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(value, line, event.anchor, self._size))

    def _close(self) -> None:
        done = self._stack.pop()
        for merged in done.merges:
            for key, value in merged.items():
                done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, self._size - done.size_before + 1)
        self._add(done.value, done.line)

    def _alias(self, name: Any, line: int) -> None:
        known = self._anchors.get(name)
        if known is None:
            inside = any(level.anchor == name for level in self._stack)
            self._fail(
                line,
                f'the alias "*{name}" lies inside the value it names'
                if inside
                else f'the alias "*{name}" is not defined before it',
            )
        self._grow(known[1], line)
        self._add(known[0], line)

    @staticmethod
    def _expects_key(level: _Open) -> bool:
        return isinstance(level.value, dict) and not level.has_key

    def _add(self, value: Any, line: int) -> None:
        if not self._stack:
            self._root = value
            self._line = self._line or line
            return
        level = self._stack[-1]
        if isinstance(level.value, list):
            level.value.append(self._plain(value))
        elif not level.has_key:
            level.key, level.has_key = self._key(value, level, line), True
        else:
            level.has_key = False
            if level.key is _MERGE:
                self._merge(level, value, line)
            else:
                level.value[level.key] = self._plain(value)

    @staticmethod
    def _plain(value: Any) -> Any:
        return "<<" if value is _MERGE else value

    def _key(self, value: Any, level: _Open, line: int) -> Any:
        if value is _MERGE:
            return value
        match value:
            case str():
                key = value
            case bool():
                key = "true" if value else "false"
            case int() | float():
                key = str(value)
            case _:
                self._fail(line, "has a key that is not text")
        if key in level.value:
            self._fail(line, f'has the key "{key}" twice in one mapping')
        return key

    def _merge(self, level: _Open, value: Any, line: int) -> None:
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in merged):
            self._fail(line, 'what the merge key "<<" names is not a mapping')
        level.merges.extend(merged)

    def _check_tag(self, tag: str | None, allowed: tuple[str, ...], line: int) -> None:
        if tag and tag not in {"!", *(_TAG + name for name in allowed)}:
            self._fail(line, f'the tag "{tag.replace(_TAG, "!!")}" is not supported')

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        text: str = event.value
        if event.tag and event.tag != "!":
            self._check_tag(event.tag, ("str", "int", "float", "bool", "null"), line)
            if event.tag == _TAG + "str":
                return text
        elif not event.implicit[0]:
            return text
        if text == "<<":
            return _MERGE
        value = resolve_scalar(text)
        if isinstance(value, float) and not _is_finite(value):
            self._fail(line, f'"{text}" is not a number that JSON can hold')
        return value


def _is_finite(value: float) -> bool:
    return value - value == 0


def resolve_scalar(text: str) -> Any:
    """The value of an unquoted scalar: null, bool, int, float or text, as go-yaml resolves it."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] in "0123456789+-." and len(text) <= _LONGEST_NUMBER:
        if _INT.match(text):
            return int(text.replace("_", ""))
        if _PREFIXED_INT.match(text):
            return _prefixed_int(text)
        if _FLOAT.match(text):
            number = float(text)
            # As Go writes it in JSON: 1e3 is 1000.
            return int(number) if number.is_integer() and abs(number) < 1e21 else number
        if _NOT_FINITE.match(text):
            return float(text.lower().replace(".", ""))
    return text


def _prefixed_int(text: str) -> int | str:
    digits = text.replace("_", "").lstrip("+-")
    base = {"0b": 2, "0x": 16}.get(digits[:2], 8)
    try:
        number = int(digits[2:] if digits[1].isalpha() else digits[1:], base)
    except ValueError:
        return text
    return -number if text.startswith("-") else number
