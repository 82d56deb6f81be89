"""Searching the logs of many pods at once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from podyard.cli import exits, options, output
from podyard.cli.commands.logs import window
from podyard.cli.match_printing import MatchPrinter
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect
from podyard.cli.times import parse_time

_LIMITS = ("", "--limit", "4 GiB searched", "what fits into memory in order of time")


class MatchOrder(StrEnum):
    """In the order of the API's LogSearchOrder."""

    FOUND = "found"
    OLDEST = "oldest"
    NEWEST = "newest"


def search_logs(
    context: typer.Context,
    pattern: Annotated[str, typer.Argument(help="RE2 expression, or text with -F.")],
    pod: Annotated[str, typer.Argument(help="Pod.")] = "",
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="All pods with these labels.")
    ] = "",
    deployment: Annotated[str, typer.Option(help="All pods of a deployment.")] = "",
    job: Annotated[str, typer.Option(help="All pods of a Job.")] = "",
    training_job: Annotated[str, typer.Option(help="All pods of a training job.")] = "",
    stateful_set: Annotated[str, typer.Option(help="All pods of a stateful set.")] = "",
    daemon_set: Annotated[str, typer.Option(help="All pods of a daemon set.")] = "",
    replica_set: Annotated[str, typer.Option(help="All pods of a replica set.")] = "",
    container: Annotated[
        list[str] | None,
        typer.Option("--container", "-c", help="Container; may be repeated. Default: all."),
    ] = None,
    init: Annotated[bool, typer.Option("--init", help="Init containers too.")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="The containers' earlier runs too.")
    ] = False,
    literal: Annotated[
        bool, typer.Option("--fixed-strings", "-F", help="The pattern is text.")
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Upper and lower case are the same.")
    ] = False,
    invert: Annotated[
        bool, typer.Option("--invert-match", "-v", help="Lines that do not match.")
    ] = False,
    before: Annotated[
        int,
        typer.Option("--before-context", "-B", min=0, max=1000, help="Lines before each match."),
    ] = 0,
    after: Annotated[
        int, typer.Option("--after-context", "-A", min=0, max=1000, help="Lines after each match.")
    ] = 0,
    around: Annotated[
        int, typer.Option("--context", "-C", min=0, max=1000, help="Lines before and after.")
    ] = 0,
    names_only: Annotated[
        bool, typer.Option("--logs-with-matches", help="Only the names of logs that match.")
    ] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many lines match.")] = False,
    max_count: Annotated[
        int,
        typer.Option("--max-count", "-m", min=0, max=1_000_000, help="Most matches of one log."),
    ] = 0,
    limit: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help="Most matches in all.", show_default="10000"),
    ] = 0,
    order: Annotated[
        MatchOrder, typer.Option(help="As found, or by time over all logs.")
    ] = MatchOrder.FOUND,
    since: Annotated[str, typer.Option(help="Only lines younger than this, such as 10m.")] = "",
    since_time: Annotated[
        str, typer.Option(help="Only lines from this time on, such as 2026-01-31T15:04:05Z.")
    ] = "",
    until_time: Annotated[str, typer.Option(help="Only lines before this time.")] = "",
    numbers: Annotated[bool, typer.Option("--line-number", help="Numbers of the lines.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Times of the lines.")] = False,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", help="All namespaces; with -l.")
    ] = False,
    namespace: options.Namespace = "default",
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Search the logs of a pod, or of all pods of a label, deployment or job, as grep does.

    Exit code 0 when something matches, 1 when nothing does, 5 when a log could not be read.
    """
    sources = {
        "pod": pod,
        "label_selector": selector,
        "deployment": deployment,
        "job": job,
        "training_job": training_job,
        "stateful_set": stateful_set,
        "daemon_set": daemon_set,
        "replica_set": replica_set,
    }
    fields: dict[str, Any] = {name: value for name, value in sources.items() if value}
    if len(fields) != 1:
        exits.usage("give exactly one of POD, -l and the options that name an owner")
    if count and names_only:
        exits.usage("give only one of --count and --logs-with-matches")
    fields |= {
        "cluster": cluster,
        "namespace": "" if all_namespaces else namespace,
        "all_namespaces": all_namespaces,
        "containers": container or [],
        "include_init_containers": init,
        "include_previous": previous,
        "literal": literal,
        "ignore_case": ignore_case,
        "invert": invert,
        "before": before or around,
        "after": after or around,
        "order": list(MatchOrder).index(order),
        "max_matches": limit,
        "max_matches_per_log": 1 if names_only else max_count,
        "count_only": count or names_only,
    }
    fields |= window(since, since_time)
    if until_time:
        try:
            fields["until_time"] = parse_time(until_time)
        except ValueError as error:
            exits.usage(f"--until-time: {error}")
    printer = MatchPrinter(
        form,
        numbers=numbers,
        timestamps=timestamps,
        namespaces=all_namespaces,
        context=bool(fields["before"] or fields["after"]),
    )
    with connect(context) as client, client.k8s.search_logs(pattern, **fields) as search:
        for event in search:
            printer.show(event)
            if form is OutputFormat.TABLE and event.HasField("count"):
                _show_count(printer, event.count, count=count, names_only=names_only)
        _finish(search.summary, form)


def _show_count(printer: MatchPrinter, found: Any, *, count: bool, names_only: bool) -> None:
    if count:
        print(f"{printer.name(found)}:{found.matches}", flush=True)
    elif names_only and found.matches:
        print(printer.name(found), flush=True)


def _finish(summary: Any, form: OutputFormat) -> None:
    for text in summary.notes:
        output.note(text)
    if summary.limit:
        output.note(f"ended at a limit: {_LIMITS[summary.limit]}; there may be more")
    if form is OutputFormat.TABLE:
        output.note(
            f"{summary.matches:,} matches in {summary.logs_matched:,} of {summary.logs:,} logs, "
            f"{summary.bytes / 1e6:,.1f} MB"
        )
    if summary.logs_failed:
        exits.exit_with(exits.UNAVAILABLE)
    if not summary.matches:
        exits.exit_with(exits.ERROR)
