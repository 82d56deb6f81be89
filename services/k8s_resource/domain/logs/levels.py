"""How severe a line is, from what programs usually write; in time linear in a line's beginning.

A line that says nothing of itself and is a continuation, as those of stack traces are, has the
level of the line before it. Sources of the forms: klog's header (k8s.io/klog/v2, "Log lines have
this form"), logfmt (brandur.org/logfmt), pino's and bunyan's numeric levels, Python's logging,
TensorFlow's and NCCL's messages, syslog's severities.
"""

from __future__ import annotations

import re
from enum import IntEnum

from services.k8s_resource.domain.logs.lines import Lines


class Level(IntEnum):
    """In rising order; UNKNOWN where a line does not say."""

    UNKNOWN = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARNING = 4
    ERROR = 5
    FATAL = 6


_NAMES = {
    "trace": Level.TRACE,
    "t": Level.TRACE,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "d": Level.DEBUG,
    "info": Level.INFO,
    "information": Level.INFO,
    "notice": Level.INFO,
    "i": Level.INFO,
    "warn": Level.WARNING,
    "warning": Level.WARNING,
    "w": Level.WARNING,
    "err": Level.ERROR,
    "error": Level.ERROR,
    "severe": Level.ERROR,
    "e": Level.ERROR,
    "critical": Level.FATAL,
    "crit": Level.FATAL,
    "fatal": Level.FATAL,
    "panic": Level.FATAL,
    "emerg": Level.FATAL,
    "emergency": Level.FATAL,
    "alert": Level.FATAL,
    "f": Level.FATAL,
}
_WORDS = (
    "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRIT|CRITICAL|FATAL|PANIC|EMERG|ALERT"
)
_FIELD_REACH = 2048
_WORD_REACH = 160

# None of these has a repetition within a repetition, and each sees a bounded part of the line.
_JSON = re.compile(
    r'"(?:level|severity|lvl|levelname|log_level|loglevel|log\.level|severity_text)"'
    r'\s{0,8}:\s{0,8}(?:"([A-Za-z]{1,12})"|(\d{2}))',
    re.IGNORECASE,
)
_LOGFMT = re.compile(
    r'(?:^|[\s{,])(?:level|severity|lvl|levelname|loglevel)="?([A-Za-z]{1,12})\b', re.IGNORECASE
)
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_TENSORFLOW = re.compile(r"\d{4}-\d\d-\d\d[ T][\d:.,]{8,16}: ([IWEF]) ")
# In capitals wherever a word begins; else only as a label: in brackets, or before a colon.
_WORD = re.compile(rf"(?:^|[^A-Za-z0-9_./-])({_WORDS})(?:[^A-Za-z0-9_/-]|$)")
_LABEL = re.compile(
    rf"[\[<(]({_WORDS})[\]>)]|(?:^|\s)({_WORDS})(?:\[\d{{1,10}}\])?:(?:\s|$)", re.IGNORECASE
)
_FAILURE = re.compile(
    r"(?:\[[\w :/-]{1,32}\]:? ?)?(?:Traceback \(most recent call last\)|[\w.]{0,100}(?:Error|Exception)(?::|$))"
)


def level_of(text: str) -> Level:
    """The level that a line states, UNKNOWN if none."""
    first = text[:1]
    if first == "{":
        found = _JSON.search(text, 0, _FIELD_REACH)
        if found is not None:
            if found[1]:
                return _NAMES.get(found[1].lower(), Level.UNKNOWN)
            return _of_number(int(found[2]))
    if first in "IWEF" and (found := _KLOG.match(text)) is not None:
        return _NAMES[found[1].lower()]
    if "=" in text and (found := _LOGFMT.search(text, 0, _FIELD_REACH)) is not None:
        level = _NAMES.get(found[1].lower())
        if level is not None:
            return level
    if first.isdigit() and (found := _TENSORFLOW.match(text)) is not None:
        return _NAMES[found[1].lower()]
    found = _WORD.search(text, 0, _WORD_REACH) or _LABEL.search(text, 0, _WORD_REACH)
    if found is not None:
        return _NAMES[found[found.lastindex or 1].lower()]
    return Level.ERROR if _FAILURE.match(text, 0, _WORD_REACH) else Level.UNKNOWN


def _of_number(number: int) -> Level:
    """pino's and bunyan's: 10 trace, 20 debug, … 60 fatal."""
    return Level(min(number // 10, Level.FATAL))


class LevelReader:
    """The levels of one container's lines, one after the other."""

    def __init__(self) -> None:
        self.last = Level.UNKNOWN

    def read(self, lines: Lines) -> Lines:
        """The same lines with their levels; these stay as they are, since others share them."""
        levels: list[int] = []
        last = self.last
        for text in lines.texts:
            if not text or text[0] not in " \t":
                last = level_of(text)
            elif (own := level_of(text)) is not Level.UNKNOWN:
                last = own
            levels.append(last)
        self.last = last
        return Lines(lines.texts, lines.times, lines.truncated, levels)
