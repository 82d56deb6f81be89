"""Watching Kubernetes objects."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from podyard.cli import documents, kinds, options, output
from podyard.cli.colors import colored, paint, state_color
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.summaries import summary_of
from podyard.cli.tables import cell_width, cut
from podyard.cli.times import clock_time, parse_duration
from podyard.cli.words import enum_word

_MARKS = {
    "SYNCED": "everything that exists has been shown; changes follow",
    "RELISTED": "history was lost; what exists now is shown anew",
    "DISCONNECTED": "the cluster's API server cannot be reached; nothing is lost",
    "RECONNECTED": "the API server can be reached again",
    "GAP": "not each change is known: what differs now follows",
}
_VALUE_WIDTH = 80
_QUIET = {"BOOKMARK", "HEARTBEAT"}
"""Marks for programs."""


class WatchView(StrEnum):
    """The API's ObjectView."""

    NAME = "name"
    SUMMARY = "summary"
    FULL = "full"
    CHANGES = "changes"


def watch(
    context: typer.Context,
    kind: Annotated[list[str], typer.Argument(help="Kinds: pods nodes deployments.apps …")],
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    changes_only: Annotated[
        bool, typer.Option("--changes-only", help="Leave out what exists at the start.")
    ] = False,
    view: Annotated[
        WatchView,
        typer.Option(
            help="How much of each object: changes are the fields that changed; full needs "
            "-o json or yaml.",
            show_default=True,
        ),
    ] = WatchView.SUMMARY,
    coalesce: Annotated[
        bool,
        typer.Option(
            "--coalesce", help="The newest state of each object, where changes come too fast."
        ),
    ] = False,
    timeout: Annotated[str, typer.Option(help="End after this time, such as 30s or 5m.")] = "",
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Follow changes of objects until interrupted: first what exists, then every change once."""
    from podyard.k8s_resource.v1 import watch_pb2

    targets = [
        watch_pb2.WatchTarget(
            kind=one,
            namespace=kinds.namespace_for(one, "" if all_namespaces else namespace),
            label_selector=selector,
            field_selector=field_selector,
        )
        for one in kind
    ]
    chosen: Any = watch_pb2.ObjectView.Value(f"OBJECT_VIEW_{view.name}")
    limit = parse_duration(timeout).total_seconds() if timeout else None
    with connect(context) as client:
        stream = client.k8s.watch(
            targets=targets,
            view=chosen,
            coalesce=coalesce,
            skip_initial_state=changes_only,
            timeout=limit,
            cluster=cluster,
            on_interruption=note_interruption,
        )
        for event in stream:
            word = enum_word(event, "type")
            if form is not OutputFormat.TABLE or word not in _QUIET:
                _show(event, word, form)
    if stream.end is not None and stream.end.message:
        output.note(stream.end.message)


def _show(event: Any, word: str, form: OutputFormat) -> None:
    if form is not OutputFormat.TABLE:
        output.print_streamed(documents.to_document(event), form)
    elif event.HasField("ref"):
        print(_line(event, word), flush=True)
        for change in event.changes:
            print(f"    {_change(change)}", flush=True)
    else:
        output.note(_mark(event, word))


def _change(change: Any) -> str:
    """/path: old → new, with - for no value."""
    old, new = change.old_json or "-", change.new_json or "-"
    return f"{change.path}: {cut(old, _VALUE_WIDTH)} → {cut(new, _VALUE_WIDTH)}"


def _mark(event: Any, word: str) -> str:
    text = _MARKS.get(word, word.lower())
    return f"{text} ({event.message})" if event.message else text


def _line(event: Any, word: str) -> str:
    """TIME EVENT KIND NAMESPACE/NAME STATE DETAILS, in columns of fixed width."""
    name = f"{event.ref.namespace}/{event.ref.name}" if event.ref.namespace else event.ref.name
    state, details = summary_of(event)
    if event.coalesced_changes:
        details = f"{details}  +{event.coalesced_changes} changes".strip()
    time = clock_time(event, "receive_time")
    cells = [_padded(time, 12), _padded(word, 8), _padded(event.ref.kind, 10), _padded(name, 40)]
    if not colored(sys.stdout):
        return "  ".join([*cells, _padded(state, 10), details]).rstrip()
    cells[0] = paint(cells[0], "dim")
    cells[1] = paint(cells[1], {"ADDED": "green", "DELETED": "red"}.get(word, "yellow"))
    width = output.terminal_width()
    used = 12 + 8 + 10 + max(40, cell_width(name)) + max(10, cell_width(state)) + 5 * 2
    details = cut(details, max(0, width - used)) if width is not None else details
    return "  ".join([*cells, paint(_padded(state, 10), state_color(state)), details])


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))
