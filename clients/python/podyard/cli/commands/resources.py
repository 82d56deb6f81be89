"""Listing Kubernetes objects of the kinds that have columns of their own."""

from __future__ import annotations

from typing import Annotated

import typer
from podyard.cli import job_tables, options, output, resource_tables
from podyard.cli.listing import (
    fields_of,
    namespaces_of,
    several,
    show_list,
    with_namespace,
)
from podyard.cli.output import ListFormat

_Several = list[str] | None


def nodes(
    context: typer.Context,
    ready: Annotated[
        bool | None, typer.Option("--ready/--not-ready", help="Only those that are ready, or not.")
    ] = None,
    schedulable: Annotated[
        bool | None,
        typer.Option("--schedulable/--cordoned", help="Only those that take pods, or not."),
    ] = None,
    instance_type: Annotated[
        _Several, typer.Option("--instance-type", help="Only these instance types.")
    ] = None,
    health: Annotated[
        _Several,
        typer.Option("--health", help='Only these health statuses, such as Schedulable; "": none.'),
    ] = None,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List nodes with their GPUs: in all, used, available."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        ready=ready,
        schedulable=schedulable,
        instance_types=instance_type,
        health_statuses=health,
    )
    columns = resource_tables.node_columns(output.now())
    answer = show_list(
        context,
        lambda client: client.k8s.list_nodes(**fields),
        "nodes",
        columns,
        form,
        limit=limit,
        count_by=count_by,
    )
    if form in (ListFormat.TABLE, ListFormat.WIDE) and answer.nodes and not count_by:
        output.note(resource_tables.gpu_summary(list(answer.nodes)))


def pods(
    context: typer.Context,
    namespace: options.Namespaces = "default",
    all_namespaces: options.AllNamespaces = False,
    phase: Annotated[
        _Several, typer.Option("--phase", help="Only these phases, such as Running.")
    ] = None,
    reason: Annotated[
        _Several,
        typer.Option("--reason", help="Only with these reasons, such as OOMKilled, Unschedulable."),
    ] = None,
    node: Annotated[
        _Several, typer.Option("--node", help='Only on these nodes; "": not yet on any.')
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Only those that request GPUs.")] = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List pods."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        phases=phase,
        reasons=reason,
        node_names=node,
        gpu_only=gpu,
        **namespaces_of(namespace, all_namespaces),
    )
    columns = resource_tables.pod_columns(output.now())
    show_list(
        context,
        lambda client: client.k8s.list_pods(**fields),
        "pods",
        with_namespace(columns, several(namespace, all_namespaces)),
        form,
        limit=limit,
        count_by=count_by,
    )


def services(
    context: typer.Context,
    namespace: options.Namespaces = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List services."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        **namespaces_of(namespace, all_namespaces),
    )
    columns = resource_tables.service_columns(output.now())
    show_list(
        context,
        lambda client: client.k8s.list_services(**fields),
        "services",
        with_namespace(columns, several(namespace, all_namespaces)),
        form,
        limit=limit,
        count_by=count_by,
    )


def deployments(
    context: typer.Context,
    namespace: options.Namespaces = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List deployments."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        **namespaces_of(namespace, all_namespaces),
    )
    columns = resource_tables.deployment_columns(output.now())
    show_list(
        context,
        lambda client: client.k8s.list_deployments(**fields),
        "deployments",
        with_namespace(columns, several(namespace, all_namespaces)),
        form,
        limit=limit,
        count_by=count_by,
    )


def persistent_volumes(
    context: typer.Context,
    phase: Annotated[
        _Several, typer.Option("--phase", help="Only these phases, such as Bound.")
    ] = None,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List persistent volumes."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        phases=phase,
    )
    show_list(
        context,
        lambda client: client.k8s.list_persistent_volumes(**fields),
        "persistent_volumes",
        resource_tables.persistent_volume_columns(output.now()),
        form,
        limit=limit,
        count_by=count_by,
    )


def namespaces(
    context: typer.Context,
    phase: Annotated[
        _Several, typer.Option("--phase", help="Only these phases: Active, Terminating.")
    ] = None,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List namespaces."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        phases=phase,
    )
    show_list(
        context,
        lambda client: client.k8s.list_namespaces(**fields),
        "namespaces",
        resource_tables.namespace_columns(output.now()),
        form,
        limit=limit,
        count_by=count_by,
    )


def jobs(
    context: typer.Context,
    namespace: options.Namespaces = "default",
    all_namespaces: options.AllNamespaces = False,
    state: Annotated[
        _Several, typer.Option("--state", help="Only these states, such as Running.")
    ] = None,
    kind: Annotated[
        _Several, typer.Option("--kind", help="Only these kinds, such as HyperPodPyTorchJob.")
    ] = None,
    queue: Annotated[
        _Several, typer.Option("--queue", help='Only of these Kueue queues; "": of none.')
    ] = None,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List training jobs of every supported kind."""
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        states=state,
        kinds=kind,
        queues=queue,
        **namespaces_of(namespace, all_namespaces),
    )
    columns = job_tables.training_job_columns(output.now())
    show_list(
        context,
        lambda client: client.k8s.list_training_jobs(**fields),
        "training_jobs",
        with_namespace(columns, several(namespace, all_namespaces)),
        form,
        limit=limit,
        count_by=count_by,
    )
