"""What a search tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from services.common.errors import PodyardError
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.lines import Lines


class SearchOrder(Enum):
    """In which order matches come; see LogSearchOrder of the API."""

    AS_FOUND = "as found"
    OLDEST_FIRST = "oldest first"
    NEWEST_FIRST = "newest first"


class SearchLimit(Enum):
    """What ended a search early; see LogSearchLimit of the API."""

    NONE = "none"
    MATCHES = "matches"
    BYTES = "bytes"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class MatchGroup:
    """Consecutive lines. `first_number` counts from 1; `matches` are indexes of lines, `spans`
    parts of them: index, first character, character after the last."""

    log: RunLog
    first_number: int
    lines: Lines
    matches: list[int]
    spans: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class LogCount:
    """A log was searched; `limited` if not to its end."""

    log: RunLog
    matches: int
    lines: int
    limited: bool


@dataclass(frozen=True, slots=True)
class LogFailure:
    """A log could not be read to its end."""

    log: RunLog
    error: PodyardError


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """How far a search is."""

    logs_total: int
    logs_done: int
    bytes: int
    matches: int


@dataclass(slots=True)
class SearchSummary:
    """What a search did. `seconds` is how long it took."""

    logs: int = 0
    logs_matched: int = 0
    logs_failed: int = 0
    logs_limited: int = 0
    matches: int = 0
    lines: int = 0
    bytes: int = 0
    limit: SearchLimit = SearchLimit.NONE
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default_factory=tuple)


SearchEvent = MatchGroup | LogCount | LogFailure | SearchProgress | SearchSummary
