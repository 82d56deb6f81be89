"""The history of training runs."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from podyard.cli import options, output
from podyard.cli.confirm import confirm_deletion
from podyard.cli.exits import ERROR, NOT_FOUND, exit_with, report, usage
from podyard.cli.output import OutputFormat
from podyard.cli.run_tables import number, run_columns
from podyard.cli.session import connect
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, human_duration, local_time
from podyard.cli.words import enum_number, enum_word

app = typer.Typer(no_args_is_help=True, help="Training runs from MLflow.")

_NOT_FOUND_CODE = 5  # google.rpc.Code.NOT_FOUND


@app.command("list")
def list_runs(
    context: typer.Context,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Only this experiment, by id; may be repeated.")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only this status, such as finished; may be repeated."),
    ] = None,
    sort_by: Annotated[
        str, typer.Option(help='Order: "start_time desc", "metrics.loss desc", "tags.model".')
    ] = "",
    limit: options.Limit = 100,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List runs, newest first, in the columns of `runs columns`."""
    from podyard.training_history.v1 import training_history_service_pb2 as pb

    statuses: list[Any] = []
    try:
        statuses = [enum_number(pb.Run(), "status", word) for word in status or ()]
    except ValueError as error:
        usage(f"--status: {error}")
    with connect(context) as client:
        answer = client.runs.list_runs(
            experiment_ids=experiment or [],
            statuses=statuses,
            order_by=sort_by,
            page_size=min(limit, 1000) or 1000,
        ).answer(limit)
        columns = client.runs.list_columns().columns if form is OutputFormat.TABLE else ()
    output.note_answer(answer)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    output.print_table(run_columns(columns), list(answer.runs), "no runs found")
    if answer.total_size > len(answer.runs):
        output.note(f"{len(answer.runs)} of {answer.total_size} shown; --limit 0 shows all")


@app.command()
def show(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="MLflow's run id.")],
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Show one run with all its metrics, parameters and tags."""
    with connect(context) as client:
        answer = client.runs.get_run(run_id)
    output.note_answer(answer)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    run = answer.run
    lasted = human_duration(run.duration.ToTimedelta().total_seconds())
    output.print_fields(
        [
            ("Run", run.run_name),
            ("Id", run.run_id),
            ("Experiment", f"{run.experiment_name} ({run.experiment_id})"),
            ("Status", enum_word(run, "status")),
            ("Began", local_time(run, "start_time")),
            ("Ended", local_time(run, "end_time")),
            ("Duration", lasted if run.HasField("duration") else MISSING),
            ("User", run.user),
            ("Artifacts", run.artifact_uri),
        ]
    )
    for title, values in (
        ("METRIC", {key: number(value) for key, value in run.metrics.items()}),
        ("PARAMETER", dict(run.params)),
        ("TAG", dict(run.tags)),
        ("MLFLOW TAG", dict(run.system_tags)),
    ):
        if values:
            print()
            output.print_table(
                [
                    Column(title, lambda pair: str(pair[0])),
                    Column("VALUE", lambda pair: str(pair[1]), 0),
                ],
                sorted(values.items()),
            )


@app.command()
def delete(
    context: typer.Context,
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN_ID...", help="MLflow's run ids.")],
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Delete runs in MLflow, which can restore them until its garbage collection."""
    what = f"run {run_ids[0]}" if len(run_ids) == 1 else f"{len(run_ids)} runs"
    confirm_deletion(what, yes=yes or dry_run)
    with connect(context) as client:
        answer = client.runs.delete_runs(run_ids, validate_only=dry_run)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
    failures = [result for result in answer.results if result.HasField("error")]
    for result in answer.results:
        if form is not OutputFormat.TABLE:
            continue
        if result.HasField("error"):
            sys.stdout.flush()
            report(result.error.message or f"run {result.run_id} could not be deleted")
        else:
            print(f"run {result.run_id} {'could be deleted (dry run)' if dry_run else 'deleted'}")
    if failures:
        missing = all(result.error.code == _NOT_FOUND_CODE for result in failures)
        exit_with(NOT_FOUND if missing else ERROR)


@app.command()
def columns(context: typer.Context, form: options.Output = OutputFormat.TABLE) -> None:
    """List the columns of the table of runs, from left to right."""
    with connect(context) as client:
        answer = client.runs.list_columns()
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    output.print_table(
        [
            Column("TITLE", lambda c: " ".join(c.title.split())),
            Column("SOURCE", lambda c: enum_word(c, "source").lower()),
            Column("KEY", lambda c: c.key or MISSING),
            Column("WIDTH", lambda c: str(c.width or MISSING), 1, right=True),
            Column("COLOURS", lambda c: ", ".join(map(_rule, c.color_rules)) or MISSING, 2),
        ],
        list(answer.columns),
    )


def _rule(rule: Any) -> str:
    match rule.WhichOneof("condition"):
        case "contains":
            return f"{rule.contains}: {rule.color}"
        case "at_least":
            return f">={number(rule.at_least)}: {rule.color}"
        case "less_than":
            return f"<{number(rule.less_than)}: {rule.color}"
        case _:
            return f"else: {rule.color}"
