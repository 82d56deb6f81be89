"""What commands print, in the form that was asked for."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from podyard.cli import documents
from podyard.cli.colors import colored, paint
from podyard.cli.tables import Column, layout


class OutputFormat(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class ListFormat(StrEnum):
    """Forms of output of lists."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def now() -> datetime.datetime:
    """The time that ages count from."""
    return datetime.datetime.now(datetime.UTC)


def print_document(document: Any, form: OutputFormat) -> None:
    """One document as JSON or YAML."""
    print(documents.to_json(document) if form is OutputFormat.JSON else documents.to_yaml(document))


def print_message(message: Any, form: OutputFormat) -> None:
    """One answer as JSON or YAML."""
    print_document(documents.to_document(message), form)


def print_streamed(document: Any, form: OutputFormat) -> None:
    """One event of a stream: a line of JSON, or a YAML document. Written at once."""
    if form is OutputFormat.JSON:
        text = documents.to_json_line(document)
    else:
        text = f"---\n{documents.to_yaml(document)}"
    print(text, flush=True)


def print_table(
    columns: Sequence[Column[Any]], rows: Sequence[Any], empty: str = "", *, wide: bool = False
) -> None:
    """Rows in columns, fitted to the terminal unless `wide`; `empty` goes to stderr when there
    are none."""
    if not rows:
        note(empty or "nothing found")
        return
    width = None if wide else terminal_width()
    table = layout(columns, rows, width=width, colored=colored(sys.stdout))
    sys.stdout.write("\n".join(table.lines) + "\n")
    if table.hidden:
        note(f"not shown for lack of room: {', '.join(table.hidden)}; see -o json")


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Names and values below each other; fields without a value are left out."""
    present = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in present), default=0)
    for name, value in present:
        indented = value.replace("\n", "\n" + " " * (width + 3))
        label = f"{name}:"
        styled = paint(label, "bold") if colored(sys.stdout) else label
        print(styled + " " * (width + 2 - len(name)) + indented)


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None when it is a file or a pipe."""
    if not sys.stdout.isatty():
        return None
    if columns := os.environ.get("COLUMNS", ""):
        return int(columns) if columns.isdigit() and int(columns) > 0 else 80
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def note(text: str) -> None:
    """A remark for people, on stderr."""
    line = text if text.endswith("\n") else text + "\n"
    sys.stderr.write(paint(line[:-1], "dim") + "\n" if colored(sys.stderr) else line)
    sys.stderr.flush()


def note_answer(answer: Any) -> None:
    """What an answer says about itself: that it is outdated, what it lacks."""
    freshness = getattr(answer, "freshness", None)
    if freshness is not None and freshness.stale:
        from podyard.cli.times import local_time

        why = f": {freshness.stale_reason}" if freshness.stale_reason else ""
        note(f"outdated, last confirmed at {local_time(freshness, 'confirmed_time')}{why}")
    for text in getattr(answer, "notes", ()):
        note(text)
