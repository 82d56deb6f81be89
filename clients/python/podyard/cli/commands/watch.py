"""Watching Kubernetes objects."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from podyard.cli import documents, kinds, options, output
from podyard.cli.colors import colored, paint, state_color
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.summaries import summary_of
from podyard.cli.tables import cell_width, cut
from podyard.cli.times import clock_time
from podyard.cli.words import enum_word

_MARKS = {
    "SYNCED": "everything that exists has been shown; changes follow",
    "RELISTED": "history was lost; what exists now is shown anew",
    "DISCONNECTED": "the cluster's API server cannot be reached; nothing is lost",
    "RECONNECTED": "the API server can be reached again",
}


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
    full: Annotated[
        bool, typer.Option("--full", help="Whole objects, with -o json or yaml.")
    ] = False,
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
    view = watch_pb2.OBJECT_VIEW_FULL if full else watch_pb2.OBJECT_VIEW_SUMMARY
    with connect(context) as client:
        stream = client.k8s.watch(
            targets=targets, view=view, cluster=cluster, on_interruption=note_interruption
        )
        synced = False
        for event in stream:
            word = enum_word(event, "type")
            synced = synced or word == "SYNCED"
            if changes_only and word == "ADDED" and not synced:
                continue
            _show(event, word, form)
    if stream.end is not None and stream.end.message:
        output.note(stream.end.message)


def _show(event: Any, word: str, form: OutputFormat) -> None:
    if form is not OutputFormat.TABLE:
        output.print_streamed(documents.to_document(event), form)
    elif event.HasField("ref"):
        print(_line(event, word), flush=True)
    else:
        output.note(_mark(event, word))


def _mark(event: Any, word: str) -> str:
    text = _MARKS.get(word, word.lower())
    return f"{text} ({event.message})" if event.message else text


def _line(event: Any, word: str) -> str:
    """TIME EVENT KIND NAMESPACE/NAME STATE DETAILS, in columns of fixed width."""
    name = f"{event.ref.namespace}/{event.ref.name}" if event.ref.namespace else event.ref.name
    state, details = summary_of(event)
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
