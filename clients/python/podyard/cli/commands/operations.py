"""Durable operations."""

from __future__ import annotations

from typing import Annotated

import typer
from podyard.cli import documents, options, output
from podyard.cli.exits import ERROR, exit_with, usage
from podyard.cli.operation_views import (
    ENDED,
    operation_columns,
    operation_line,
    print_operation,
)
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.words import enum_number, enum_word

app = typer.Typer(no_args_is_help=True, help="Operations: launches and other long work.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The operation's id.")]
_Tag = Annotated[str, typer.Option("--tag", help="Only operations on this HyperPod cluster.")]


@app.command("list")
def list_operations(
    context: typer.Context,
    tag: _Tag = "",
    state: Annotated[
        list[str] | None,
        typer.Option(help="Only this state, such as running; may be repeated."),
    ] = None,
    limit: options.Limit = 50,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List operations, newest first."""
    from podyard.common.v1 import operation_pb2

    try:
        states = [enum_number(operation_pb2.Operation(), "state", word) for word in state or ()]
    except ValueError as error:
        usage(f"--state: {error}")
    with connect(context) as client:
        answer = client.clusters.list_operations(
            tag,
            states=states,
            page_size=min(limit, 1000) or 1000,
        ).answer(limit)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    columns = operation_columns(output.now())
    output.print_table(columns, list(answer.operations), "no operations found")
    if answer.next_page_token:
        output.note(f"the newest {len(answer.operations)} are shown; --limit 0 shows all")


@app.command()
def show(
    context: typer.Context, operation_id: _Id, form: options.Output = OutputFormat.TABLE
) -> None:
    """Show one operation with its steps."""
    with connect(context) as client:
        operation = client.clusters.get_operation(operation_id)
    if form is OutputFormat.TABLE:
        print_operation(operation)
    else:
        output.print_message(operation, form)


@app.command()
def watch(
    context: typer.Context,
    operation_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="One operation; ends with it.")
    ] = "",
    tag: _Tag = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Follow operations. With an ID: until it ends; the exit code is 0 only if it succeeded."""
    last = ""
    with connect(context) as client:
        for operation in client.clusters.watch_operations(
            tag, operation_id=operation_id, on_interruption=note_interruption
        ):
            if form is OutputFormat.TABLE:
                print(operation_line(operation), flush=True)
            else:
                output.print_streamed(documents.to_document(operation), form)
            last = enum_word(operation, "state")
            if operation_id and last in ENDED:
                break
    if operation_id and last != "SUCCEEDED":
        exit_with(ERROR)


@app.command()
def cancel(
    context: typer.Context, operation_id: _Id, form: options.Output = OutputFormat.TABLE
) -> None:
    """Ask an operation to stop."""
    with connect(context) as client:
        operation = client.clusters.cancel_operation(operation_id)
    if form is OutputFormat.TABLE:
        print(operation_line(operation))
    else:
        output.print_message(operation, form)
