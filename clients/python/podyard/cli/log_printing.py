"""Log events as text."""

from __future__ import annotations

import sys
from typing import Any

from podyard.cli import documents, output
from podyard.cli.colors import colored, paint, stream_color
from podyard.cli.output import OutputFormat
from podyard.cli.times import nanosecond_time
from podyard.cli.words import enum_word

# Marks that matter to whoever reads complete logs, following or not.
_WARNINGS = frozenset({"GAP", "INTERRUPTED", "LIMITED"})
# In the order of the API's LogLevel.
_LEVELS = ("", "trace", "debug", "info", "warning", "error", "fatal")
_LEVEL_COLORS = ("", "dim", "dim", "", "yellow", "red", "red")


class LogPrinter:
    """Prints the events of a log tail: lines on stdout, marks on stderr.

    `prefix` is "" for bare lines, "container" or "pod" (and container).
    """

    def __init__(
        self, form: OutputFormat, *, prefix: str, timestamps: bool, all_marks: bool
    ) -> None:
        self._form = form
        self._prefix = prefix
        self._timestamps = timestamps
        self._all_marks = all_marks
        self._colored = colored(sys.stdout)
        self._prefixes: dict[tuple[str, str], str] = {}

    def show(self, event: Any) -> None:
        """Print one event, and flush, so that it is seen at once."""
        if event.WhichOneof("event") == "marker":
            self._show_marker(event.marker)
        elif self._form is OutputFormat.TABLE:
            self._show_lines(event.lines)
        else:
            self._stream_lines(event.lines)

    def _show_lines(self, lines: Any) -> None:
        prefix = self._prefix_of(lines.source)
        texts = lines.text
        if self._colored and lines.level:
            texts = [
                paint(text, _LEVEL_COLORS[level]) if level < len(_LEVEL_COLORS) else text
                for text, level in zip(texts, lines.level, strict=True)
            ]
        if self._timestamps:
            text = "".join(
                f"{prefix}{nanosecond_time(time)} {line}\n"
                for line, time in zip(texts, lines.time_unix_nano, strict=True)
            )
        elif prefix:
            text = "".join(f"{prefix}{line}\n" for line in texts)
        else:
            text = "\n".join(texts) + "\n"
        sys.stdout.write(text)
        sys.stdout.flush()
        for index in lines.truncated:
            if index < len(lines.text):
                output.note(f"{_name(lines.source)}: a line was longer than the limit and is cut")

    def _stream_lines(self, lines: Any) -> None:
        source = documents.to_document(lines.source)
        truncated = frozenset(lines.truncated)
        for index, (text, time) in enumerate(zip(lines.text, lines.time_unix_nano, strict=True)):
            document = {"source": source, "time": nanosecond_time(time), "text": text}
            if index in truncated:
                document["truncated"] = True
            if lines.level and 0 < lines.level[index] < len(_LEVELS):
                document["level"] = _LEVELS[lines.level[index]]
            output.print_streamed(document, self._form)

    def _show_marker(self, marker: Any) -> None:
        word = enum_word(marker, "type")
        if self._form is not OutputFormat.TABLE:
            output.print_streamed({"marker": documents.to_document(marker)}, self._form)
        elif self._all_marks or word in _WARNINGS or marker.reason == "POD_GONE":
            output.note(_marker_text(marker, word))

    def _prefix_of(self, source: Any) -> str:
        if not self._prefix:
            return ""
        key = (source.pod, source.container)
        if key not in self._prefixes:
            name = source.container if self._prefix == "container" else " ".join(key)
            color = stream_color(len(self._prefixes)) if self._colored else ""
            self._prefixes[key] = f"{paint(name, color)} | "
        return self._prefixes[key]


def _marker_text(marker: Any, word: str) -> str:
    text = word.lower()
    if marker.HasField("exit_code"):
        text += f" with exit code {marker.exit_code}"
    if marker.reason:
        text += f" ({marker.reason})"
    if marker.message:
        text += f": {marker.message}"
    return f"{_name(marker.source)}: {text}" if marker.HasField("source") else text


def _name(source: Any) -> str:
    return f"{source.namespace}/{source.pod} {source.container}".rstrip()
