"""Which lines a subscriber wants, by level, time and regular expressions of linear time (RE2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.k8s_resource.domain.logs.expressions import compile_expression
from services.k8s_resource.domain.logs.levels import Level
from services.k8s_resource.domain.logs.lines import Lines


class LineFilter:
    """Keeps lines at or after a time that match one of `include` and none of `exclude`.

    With `min_level`, only lines that are known to be at least as severe.
    """

    def __init__(
        self,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        since: int | None = None,
        min_level: Level = Level.UNKNOWN,
        *,
        detect_levels: bool = False,
        limit_bytes: int | None = None,
    ) -> None:
        """`since` in nanoseconds; `limit_bytes` is for whoever delivers: of each container.

        InvalidArgumentError for an expression RE2 does not take.
        """
        self.limit_bytes = limit_bytes
        self.needs_levels = detect_levels or min_level is not Level.UNKNOWN
        self._include = _compile("include", include)
        self._exclude = _compile("exclude", exclude)
        self._since = since
        self._min_level = min_level

    def apply(self, lines: Lines) -> Lines:
        """The lines that pass; the same object if all do."""
        include, exclude, since = self._include, self._exclude, self._since
        if since is not None and min(lines.times, default=since) >= since:
            since = None
        if include is None and exclude is None and since is None and not self._min_level:
            return lines
        kept: Sequence[int] = range(len(lines))
        if since is not None:
            kept = [index for index in kept if lines.times[index] >= since]
        if self._min_level:
            kept = [index for index in kept if lines.levels[index] >= self._min_level]
        if include is not None or exclude is not None:
            kept = [
                index
                for index in kept
                # As bytes: for text the library counts characters, which takes its time.
                if (text := lines.texts[index].encode("utf-8", "surrogatepass")) is not None
                and (include is None or include.search(text) is not None)
                and (exclude is None or exclude.search(text) is None)
            ]
        return lines.chosen(list(kept))


def _compile(field: str, patterns: str | Sequence[str]) -> Any:
    """One expression for all, each of which is checked by itself; None without any."""
    each = [patterns] if isinstance(patterns, str) else patterns
    each = [pattern for pattern in each if pattern]
    for pattern in each:
        compile_expression(field, pattern)
    if not each:
        return None
    return compile_expression(field, "|".join(f"(?:{pattern})" for pattern in each))
