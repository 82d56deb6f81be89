"""Following container logs."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from podyard.cli import options, output
from podyard.cli.colors import colored
from podyard.cli.exits import usage
from podyard.cli.log_download import save_logs
from podyard.cli.log_printing import LogPrinter
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.times import parse_duration, parse_time

if TYPE_CHECKING:
    from podyard.client import Podyard


class ContainerType(StrEnum):
    """In the order of the API's LogContainerType, from 1."""

    REGULAR = "regular"
    INIT = "init"
    SIDECAR = "sidecar"
    EPHEMERAL = "ephemeral"


class LogLevel(StrEnum):
    """In the order of the API's LogLevel, from 1."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


class CapturedUse(StrEnum):
    """In the order of the API's CapturedLogs."""

    AUTO = "auto"
    INCLUDE = "include"
    EXCLUDE = "exclude"


def logs(
    context: typer.Context,
    pod: Annotated[str, typer.Argument(help="Pod.")] = "",
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="All pods with these labels, now and later.")
    ] = "",
    deployment: Annotated[str, typer.Option(help="All pods of a deployment.")] = "",
    job: Annotated[str, typer.Option(help="All pods of a Job.")] = "",
    training_job: Annotated[str, typer.Option(help="All pods of a HyperPodPyTorchJob.")] = "",
    stateful_set: Annotated[str, typer.Option(help="All pods of a stateful set.")] = "",
    daemon_set: Annotated[str, typer.Option(help="All pods of a daemon set.")] = "",
    replica_set: Annotated[str, typer.Option(help="All pods of a replica set.")] = "",
    container: Annotated[
        list[str] | None,
        typer.Option("--container", "-c", help="Container; may be repeated. Default: all."),
    ] = None,
    init: Annotated[bool, typer.Option("--init", help="Init containers too.")] = False,
    container_type: Annotated[
        list[ContainerType] | None,
        typer.Option(
            "--container-type",
            help="Containers of this type; may be repeated. Default: all but init.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with new lines, restarts and pods."),
    ] = False,
    since: Annotated[str, typer.Option(help="Only lines younger than this, such as 10m.")] = "",
    since_time: Annotated[
        str, typer.Option(help="Only lines from this time on, such as 2026-01-31T15:04:05Z.")
    ] = "",
    tail: Annotated[
        int | None,
        typer.Option(
            min=0, max=options.MAX_INT64, help="At most so many last lines of each container."
        ),
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="The container's previous run.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only lines that match this RE2 expression, or another --include."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Not lines that match this RE2 expression; may be repeated."),
    ] = None,
    level: Annotated[
        LogLevel | None, typer.Option(help="Only lines found to be at least this severe.")
    ] = None,
    limit_bytes: Annotated[
        int | None,
        typer.Option(
            min=1, max=options.MAX_INT64, help="At most so many bytes of lines of each container."
        ),
    ] = None,
    merge_window: Annotated[
        str,
        typer.Option(
            help="Put lines that arrive within this time, at most 5s, in the order of their times.",
            show_default="what goes into one message, at most 20 ms",
        ),
    ] = "",
    max_log_requests: Annotated[
        int,
        typer.Option(
            min=0, max=2000, help="Refuse to follow more containers than this.", show_default="2000"
        ),
    ] = 0,
    pod_uid: Annotated[
        str, typer.Option(help="Of the pods of this name the one with this uid, gone or not.")
    ] = "",
    captured: Annotated[
        CapturedUse,
        typer.Option(help="Captured logs of pods that are gone; auto: where there is no other."),
    ] = CapturedUse.AUTO,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Times of the lines.")] = False,
    download: Annotated[
        str,
        typer.Option(
            help="Save as a file, or into a folder; - is standard output. Several logs make a ZIP "
            "archive.",
            metavar="FILE|FOLDER",
        ),
    ] = "",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the download.")] = False,
    merged: Annotated[
        bool, typer.Option("--merged", help="Download several logs as one text, by time.")
    ] = False,
    prefix: Annotated[
        bool | None,
        typer.Option(
            "--prefix/--no-prefix",
            help="Pod and container before each line.",
            show_default="when there are several",
        ),
    ] = None,
    namespace: options.Namespace = "default",
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Print the logs of a pod, or of all pods of a label, deployment or job."""
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
        usage(
            "give exactly one of POD, -l, --deployment, --job, --training-job, --stateful-set, "
            "--daemon-set and --replica-set"
        )
    if container and container_type:
        usage("give --container or --container-type, not both")
    fields |= {
        "cluster": cluster,
        "namespace": namespace,
        "containers": container or [],
        "include_init_containers": init,
        "follow": follow,
        "previous": previous,
        "container_types": [list(ContainerType).index(each) + 1 for each in container_type or []],
        "include": include or [],
        "exclude": exclude or [],
        "min_level": list(LogLevel).index(level) + 1 if level else 0,
        "max_containers": max_log_requests,
        "pod_uid": pod_uid,
        "captured": list(CapturedUse).index(captured),
    }
    fields |= window(since, since_time, tail, merge_window)
    if limit_bytes is not None:
        fields["limit_bytes"] = limit_bytes
    if download:
        fields |= {"timestamps": timestamps, "gzip": gzip, "merged": merged}
        save_logs(context, download, fields)
        return
    if gzip or merged:
        usage("--gzip and --merged are for --download")
    # Levels colour lines on a terminal, and are part of documents.
    fields["detect_levels"] = colored(sys.stdout) or form is not OutputFormat.TABLE
    with connect(context) as client:
        printer = LogPrinter(
            form,
            prefix=_prefix(client, fields, prefix),
            timestamps=timestamps,
            all_marks=follow,
        )
        stream = client.k8s.tail_logs(on_interruption=note_interruption, **fields)
        for event in stream:
            printer.show(event)
    if follow and stream.end is not None and stream.end.message:
        output.note(stream.end.message)


def window(
    since: str, since_time: str, tail: int | None = None, merge_window: str = ""
) -> dict[str, Any]:
    """The fields of a window of time, from options."""
    if since and since_time:
        usage("give only one of --since and --since-time")
    fields: dict[str, Any] = {}
    try:
        if since:
            fields["since"] = parse_duration(since)
        if since_time:
            fields["since_time"] = parse_time(since_time)
    except ValueError as error:
        usage(f"{'--since' if since else '--since-time'}: {error}")
    if tail is not None:
        fields["tail_lines"] = tail
    if merge_window:
        try:
            fields["merge_window"] = parse_duration(merge_window)
        except ValueError as error:
            usage(f"--merge-window: {error}")
    return fields


def _prefix(client: Podyard, fields: dict[str, Any], wanted: bool | None) -> str:
    """What to put before each line; by default just enough to tell sources apart."""
    if wanted is not None:
        return "pod" if wanted else ""
    if "pod" not in fields:
        return "pod"
    if len(fields["containers"]) == 1:
        return ""
    found = client.k8s.list_pods(
        cluster=fields["cluster"],
        namespace=fields["namespace"],
        field_selector=f"metadata.name={fields['pod']}",
    )
    containers = {c.name for pod in found for c in pod.containers if not c.init}
    return (
        "container"
        if len(containers or _captured(client, fields)) > 1 or fields["include_init_containers"]
        else ""
    )


def _captured(client: Podyard, fields: dict[str, Any]) -> set[str]:
    """Containers of a pod that is gone."""
    from podyard.client import PodyardError

    query = {name: fields[name] for name in ("cluster", "namespace", "pod", "pod_uid")}
    try:
        return {log.container for log in client.k8s.list_captured_logs(**query)}
    except PodyardError:
        return set()  # Nothing is kept here; the call for the log says what is wrong.
