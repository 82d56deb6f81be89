"""Finding the lines of a block that match, mostly without looking at single lines.

RE2 searches the raw block, times of the lines included, in one call for each match; only a match
that begins within a time is looked at again. Expressions whose meaning depends on where a line's
text begins are searched in the block without its times, those that speak of the whole text's
beginning or end line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.logs.expressions import compile_expression
from services.k8s_resource.domain.logs.raw_lines import stamp_length, without_stamps

_MOST_SPANS = 100
# A class such as [^a] does not count as an anchor.
_ANCHOR = re.compile(r"\^|\\A")
_NEGATED_CLASS = re.compile(r"(?<!\\)\[\^")
_WHOLE_TEXT = re.compile(r"\\A|\\z|\(\?[a-zA-Z]*-[a-zA-Z]*m")


@dataclass(frozen=True, slots=True)
class PatternOptions:
    """What to look for; see SearchLogsRequest."""

    pattern: str
    literal: bool = False
    ignore_case: bool = False
    invert: bool = False


class LineMatcher:
    """Finds lines; one for all logs of a search."""

    def __init__(self, options: PatternOptions) -> None:
        """InvalidArgumentError naming `pattern` for one that cannot be."""
        pattern, literal = options.pattern, options.literal
        if "\n" in pattern:
            raise InvalidArgumentError.field(
                "pattern", "must not contain a line end: lines are searched one by one"
            )
        self._invert = options.invert
        self._line: Any = compile_expression(
            "pattern", pattern, literal=literal, ignore_case=options.ignore_case
        )
        self._block: Any = compile_expression(
            "pattern", pattern, literal=literal, ignore_case=options.ignore_case, lines=True
        )
        anchors = "" if literal else _NEGATED_CLASS.sub("[", pattern)
        self._line_by_line = bool(_WHOLE_TEXT.search(anchors))
        self._without_stamps = not self._line_by_line and bool(_ANCHOR.search(anchors))

    def matches(self, block: bytes) -> list[int]:
        """Indexes of the lines of a block that match."""
        if self._line_by_line:
            found = self._in_lines(without_stamps(block))
        elif self._without_stamps:
            found = list(self._in_text(without_stamps(block)))
        else:
            found = list(self._in_raw(block))
        if not self._invert:
            return found
        matching = set(found)
        return [index for index in range(block.count(b"\n")) if index not in matching]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a line's text matches, in characters; nothing when the search is inverted."""
        if self._invert:
            return []
        encoded = text.encode()
        spans: list[tuple[int, int]] = []
        for match in self._line.finditer(encoded):
            start, end = match.span()
            if start < end:
                spans.append((start, end))
                if len(spans) == _MOST_SPANS:
                    break
        if len(encoded) == len(text):
            return spans
        return [(_characters(encoded, start), _characters(encoded, end)) for start, end in spans]

    # The line end that ends a block is left out, or an empty line would be found after it.

    def _in_raw(self, block: bytes) -> Iterator[int]:
        search, last = self._block.search, len(block) - 1
        at = line = counted = 0
        while at <= last:
            match = search(block, at, last)
            if match is None:
                return
            start = match.start()
            begin = block.rfind(b"\n", 0, start) + 1
            end = block.find(b"\n", start)
            line += block.count(b"\n", counted, begin)
            counted = begin
            text = begin + stamp_length(block[begin : begin + 64])
            if start >= text or self._line.search(block[text:end]) is not None:
                yield line
            at = end + 1

    def _in_text(self, text: bytes) -> Iterator[int]:
        search, last = self._block.search, len(text) - 1
        at = line = counted = 0
        while at <= last:
            match = search(text, at, last)
            if match is None:
                return
            start = match.start()
            line += text.count(b"\n", counted, start)
            counted = start
            yield line
            at = text.find(b"\n", start) + 1

    def _in_lines(self, text: bytes) -> list[int]:
        search = self._line.search
        lines = text[:-1].split(b"\n")
        return [index for index, line in enumerate(lines) if search(line) is not None]


def _characters(encoded: bytes, end: int) -> int:
    return len(encoded[:end].decode("utf-8", "replace"))
