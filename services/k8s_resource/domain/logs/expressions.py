"""Regular expressions of callers: RE2, whose matching takes linear time whatever the pattern."""

from __future__ import annotations

import re
import warnings
from typing import Any

import re2

from services.common.errors import InvalidArgumentError

_MAX_MEMORY_BYTES = 8 * 1024 * 1024
_SHOWN = 100


def compile_expression(
    field: str,
    pattern: str,
    *,
    literal: bool = False,
    ignore_case: bool = False,
    lines: bool = False,
) -> Any:
    """The compiled expression, without groups, for `search` and `finditer` on str or UTF-8 bytes.

    With `lines` it may be used on a text of many lines: ^ and $ are the ends of a line, and no
    match reaches beyond one. InvalidArgumentError naming `field` and, where it can be told, the
    place in the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_MEMORY_BYTES
    options.literal = literal
    options.case_sensitive = not ignore_case
    options.never_nl = lines
    text = f"(?m){pattern}" if lines and not literal else pattern
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        shown = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidArgumentError.field(
            field, _explained(pattern, shown), reason="BAD_REGULAR_EXPRESSION"
        ) from None


def _explained(pattern: str, said: str) -> str:
    if "too large" in said:
        return f"is too large an expression ({said}); make it shorter or repeat less"
    place = _place(pattern, said)
    where = "" if place is None else f" at character {place + 1}"
    shown = pattern if len(pattern) <= _SHOWN else pattern[:_SHOWN] + "…"
    return (
        f"{shown!r} is not an RE2 regular expression{where} ({said}); RE2 has no look-around and no back "
        "references"
    )


def _place(pattern: str, said: str) -> int | None:
    """Where the fault lies, from 0: RE2 names the piece, Python's own parser the place."""
    piece = said.partition(": ")[2]
    if piece and piece != pattern and piece in pattern:
        return pattern.index(piece)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except re.error as error:
        return error.pos
    except (OverflowError, RecursionError):
        pass
    return None
