"""Which lines a subscriber wants, by regular expressions that take linear time (RE2)."""

from __future__ import annotations

from typing import Any

import re2

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.logs.lines import Lines

_MAX_MEMORY_BYTES = 8 * 1024 * 1024


class LineFilter:
    """Keeps lines at or after a time that match `include` and do not match `exclude`."""

    def __init__(self, include: str = "", exclude: str = "", since: int | None = None) -> None:
        """`since` in nanoseconds. InvalidArgumentError for an expression RE2 does not take."""
        self._include = _compile("include", include)
        self._exclude = _compile("exclude", exclude)
        self._since = since

    def apply(self, lines: Lines) -> Lines:
        """The lines that pass; the same object if all do."""
        include, exclude, since = self._include, self._exclude, self._since
        if since is not None and min(lines.times, default=since) >= since:
            since = None
        if include is None and exclude is None and since is None:
            return lines
        kept = [
            index
            for index, (text, time) in enumerate(zip(lines.texts, lines.times, strict=True))
            if (since is None or time >= since)
            and (include is None or include.search(text) is not None)
            and (exclude is None or exclude.search(text) is None)
        ]
        if len(kept) == len(lines):
            return lines
        cut = set(lines.truncated)
        return Lines(
            [lines.texts[index] for index in kept],
            [lines.times[index] for index in kept],
            [new for new, index in enumerate(kept) if index in cut] if cut else [],
        )


def _compile(field: str, pattern: str) -> Any:
    if not pattern:
        return None
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else ""
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        raise InvalidArgumentError.field(
            field,
            f"is not an RE2 regular expression ({shown}); RE2 has no look-around and "
            "no back references",
            reason="BAD_REGULAR_EXPRESSION",
        ) from None
