"""Following container logs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from podyard.cli import options, output
from podyard.cli.exits import usage
from podyard.cli.log_printing import LogPrinter
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.times import parse_duration, parse_time

if TYPE_CHECKING:
    from podyard.client import Podyard


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
    container: Annotated[
        list[str] | None,
        typer.Option("--container", "-c", help="Container; may be repeated. Default: all."),
    ] = None,
    init: Annotated[bool, typer.Option("--init", help="Init containers too.")] = False,
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
    include: Annotated[str, typer.Option(help="Only lines that match this RE2 expression.")] = "",
    exclude: Annotated[str, typer.Option(help="Not lines that match this RE2 expression.")] = "",
    pod_uid: Annotated[
        str, typer.Option(help="Of the pods of this name the one with this uid, gone or not.")
    ] = "",
    captured: Annotated[
        CapturedUse,
        typer.Option(help="Captured logs of pods that are gone; auto: where there is no other."),
    ] = CapturedUse.AUTO,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Times of the lines.")] = False,
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
    }
    fields: dict[str, Any] = {name: value for name, value in sources.items() if value}
    if len(fields) != 1:
        usage("give exactly one of POD, -l, --deployment, --job and --training-job")
    fields |= {
        "cluster": cluster,
        "namespace": namespace,
        "containers": container or [],
        "include_init_containers": init,
        "follow": follow,
        "previous": previous,
        "include": include,
        "exclude": exclude,
        "pod_uid": pod_uid,
        "captured": list(CapturedUse).index(captured),
    }
    fields |= _window(since, since_time, tail)
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


def _window(since: str, since_time: str, tail: int | None) -> dict[str, Any]:
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
