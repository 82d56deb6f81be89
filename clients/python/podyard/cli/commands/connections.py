"""The Kubernetes clusters that the service may talk to, and how they are."""

from __future__ import annotations

from typing import Annotated

import typer
from podyard.cli import cluster_info_views, options, output
from podyard.cli.exits import ERROR, exit_with
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect


def connections(
    context: typer.Context,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List the Kubernetes clusters that --cluster may name."""
    with connect(context) as client:
        answer = client.k8s.list_cluster_connections()
    if form is OutputFormat.TABLE:
        output.print_table(cluster_info_views.connection_columns(), list(answer.connections))
    else:
        output.print_message(answer, form)


def cluster_info(
    context: typer.Context,
    cluster: options.Cluster = "",
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Look here for what may not be done everywhere; may be repeated.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also what is not needed, and what is watched.")
    ] = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Preflight of a cluster: version, rights, components, problems. Exit code 1 on an error."""
    with connect(context) as client:
        info = client.k8s.get_cluster_info(cluster, namespaces=namespace or ())
    if form is OutputFormat.TABLE:
        cluster_info_views.print_info(info, everything=everything)
    else:
        output.print_message(info, form)
    from podyard.k8s_resource.v1 import cluster_info_pb2

    if any(p.severity == cluster_info_pb2.PROBLEM_SEVERITY_ERROR for p in info.problems):
        exit_with(ERROR)
