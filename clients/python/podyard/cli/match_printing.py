"""What a search of logs finds, printed as grep prints it."""

from __future__ import annotations

import sys
from typing import Any

from podyard.cli import documents, output
from podyard.cli.colors import colored, paint
from podyard.cli.output import OutputFormat
from podyard.cli.times import nanosecond_time


class MatchPrinter:
    """Prints the events of a search: lines on stdout, what went wrong on stderr.

    Matching lines are `POD/CONTAINER:TEXT`, the lines around them `POD/CONTAINER-TEXT`, with `--`
    between groups.
    """

    def __init__(
        self,
        form: OutputFormat,
        *,
        numbers: bool,
        timestamps: bool,
        namespaces: bool,
        context: bool,
    ) -> None:
        self._form = form
        self._numbers = numbers
        self._timestamps = timestamps
        self._namespaces = namespaces
        self._context = context
        self._colored = colored(sys.stdout)
        self._last: tuple[str, str, int, int] | None = None
        self._progress = _ProgressLine()

    def show(self, event: Any) -> None:
        """Print one event."""
        kind = event.WhichOneof("event")
        if kind == "progress":
            self._progress.show(event.progress)
            return
        self._progress.clear()
        if self._form is not OutputFormat.TABLE:
            if kind != "count":
                output.print_streamed(documents.to_document(event), self._form)
        elif kind == "group":
            self._show_group(event.group)
        elif kind == "failure":
            failure = event.failure
            output.note(f"{self.name(failure)}: {failure.error.message}")

    def name(self, event: Any) -> str:
        """The log of an event that has `source` and `restart_count`, or of a group."""
        source = (
            event.lines.source
            if hasattr(event, "lines") and hasattr(event, "spans")
            else event.source
        )
        name = f"{source.pod}/{source.container}"
        if self._namespaces:
            name = f"{source.namespace}/{name}"
        return name

    def _show_group(self, group: Any) -> None:
        source = group.lines.source
        key = (source.pod_uid, source.container, group.restart_count)
        first = group.first_line_number
        if self._context and self._last is not None and self._last != (*key, first):
            print(paint("--", "cyan") if self._colored else "--")
        self._last = (*key, first + len(group.lines.text))
        matches = frozenset(group.matches)
        spans: dict[int, list[Any]] = {}
        for span in group.spans:
            spans.setdefault(span.line, []).append(span)
        name = self.name(group)
        shown_name = paint(name, "magenta") if self._colored else name
        lines = zip(group.lines.text, group.lines.time_unix_nano, strict=True)
        for index, (text, time) in enumerate(lines):
            mark = ":" if index in matches else "-"
            parts = [shown_name]
            if self._numbers:
                number = str(first + index)
                parts.append(paint(number, "green") if self._colored else number)
            if self._timestamps:
                parts.append(nanosecond_time(time))
            if self._colored:
                mark = paint(mark, "cyan")
                text = _highlighted(text, spans.get(index, ()))
            sys.stdout.write(f"{mark.join(parts)}{mark}{text}\n")
        sys.stdout.flush()


def _highlighted(text: str, spans: Any) -> str:
    parts = []
    at = 0
    for span in spans:
        parts += [text[at : span.start], paint(text[span.start : span.end], "red")]
        at = span.end
    return "".join([*parts, text[at:]])


class _ProgressLine:
    """One line on a terminal that says how far a search is, gone when there is more to say."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = False

    def show(self, progress: Any) -> None:
        if self._on and progress.logs_done < progress.logs_total:
            megabytes = progress.bytes / 1e6
            sys.stderr.write(
                f"\r\x1b[Ksearched {progress.logs_done} of {progress.logs_total} logs, "
                f"{megabytes:,.0f} MB, {progress.matches:,} matches"
            )
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
