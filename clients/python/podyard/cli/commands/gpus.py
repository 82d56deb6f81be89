"""The inventory of GPUs and other devices."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from podyard.cli import inventory_tables, options, output
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect


def gpus(
    context: typer.Context,
    nodes: Annotated[bool, typer.Option("--nodes", help="Node by node.")] = False,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Who holds how many, on which nodes.")
    ] = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="Who waits for how many, since when and why.")
    ] = False,
    problems: Annotated[
        bool, typer.Option("--problems", help="Only nodes with a problem; implies --nodes.")
    ] = False,
    instance_type: Annotated[
        list[str] | None, typer.Option("--instance-type", help="Only these instance types.")
    ] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", help='Only these resources, such as "nvidia.com/mig-*".'),
    ] = None,
    selector: options.Selector = "",
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """GPUs and other devices: in all, requested, free; by instance type and for the cluster.

    With --nodes, --jobs or --pending those tables instead. As JSON or YAML everything is
    printed unless one of them is given.
    """
    with connect(context) as client:
        from podyard.k8s_resource.v1 import inventory_pb2

        wanted = [
            part
            for part, chosen in (
                (inventory_pb2.INVENTORY_PART_NODES, nodes or problems),
                (inventory_pb2.INVENTORY_PART_HOLDERS, jobs),
                (inventory_pb2.INVENTORY_PART_PENDING, pending),
            )
            if chosen
        ]
        if not wanted and form is OutputFormat.TABLE:
            # The totals come with every answer; who waits is told below them.
            parts = [inventory_pb2.INVENTORY_PART_PENDING]
        else:
            parts = wanted
        answer = client.k8s.get_gpu_inventory(
            cluster=cluster,
            instance_types=instance_type or (),
            resource_names=resource or (),
            label_selector=selector,
            only_problem_nodes=problems,
            parts=parts,
            consistent=consistent,
        )
    output.note_answer(answer)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    if not wanted:
        _print_totals(answer)
    if nodes or problems:
        rows = inventory_tables.node_rows(answer)
        empty = "no nodes with problems" if problems else "no nodes with devices"
        output.print_table(inventory_tables.node_columns(), rows, empty)
    if jobs:
        output.print_table(
            inventory_tables.holder_columns(), list(answer.holders), "nobody holds devices"
        )
    if pending:
        columns = inventory_tables.pending_columns(output.now())
        output.print_table(columns, list(answer.pending), "nobody waits for devices")


def _print_totals(answer: Any) -> None:
    rows = inventory_tables.totals_rows(answer)
    output.print_table(inventory_tables.totals_columns(), rows, "no nodes with devices")
    if answer.pending_count:
        output.note(f"{answer.pending_count} wait for devices; --pending shows them")
