"""Listing and reading Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from podyard.cli import documents, job_tables, kinds, options, output, resource_tables
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect
from podyard.cli.tables import Column

if TYPE_CHECKING:
    from podyard.client import Listing, Podyard


def nodes(
    context: typer.Context,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List nodes with their GPUs: in all, used, available."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    answer = _show(
        context,
        lambda client: client.k8s.list_nodes(**fields),
        "nodes",
        resource_tables.node_columns(output.now()),
        form,
        limit,
    )
    if form is OutputFormat.TABLE and answer.nodes:
        output.note(resource_tables.gpu_summary(list(answer.nodes)))


def pods(
    context: typer.Context,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List pods."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    fields["namespace"] = "" if all_namespaces else namespace
    columns = resource_tables.pod_columns(output.now())
    _show(
        context,
        lambda client: client.k8s.list_pods(**fields),
        "pods",
        _with_namespace(columns, all_namespaces),
        form,
        limit,
    )


def services(
    context: typer.Context,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List services."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    fields["namespace"] = "" if all_namespaces else namespace
    columns = resource_tables.service_columns(output.now())
    _show(
        context,
        lambda client: client.k8s.list_services(**fields),
        "services",
        _with_namespace(columns, all_namespaces),
        form,
        limit,
    )


def deployments(
    context: typer.Context,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List deployments."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    fields["namespace"] = "" if all_namespaces else namespace
    columns = resource_tables.deployment_columns(output.now())
    _show(
        context,
        lambda client: client.k8s.list_deployments(**fields),
        "deployments",
        _with_namespace(columns, all_namespaces),
        form,
        limit,
    )


def persistent_volumes(
    context: typer.Context,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List persistent volumes."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    _show(
        context,
        lambda client: client.k8s.list_persistent_volumes(**fields),
        "persistent_volumes",
        resource_tables.persistent_volume_columns(output.now()),
        form,
        limit,
    )


def jobs(
    context: typer.Context,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List training jobs of every supported kind."""
    fields = _fields(cluster, selector, field_selector, sort_by, limit, consistent)
    fields["namespace"] = "" if all_namespaces else namespace
    columns = job_tables.training_job_columns(output.now())
    _show(
        context,
        lambda client: client.k8s.list_training_jobs(**fields),
        "training_jobs",
        _with_namespace(columns, all_namespaces),
        form,
        limit,
    )


def get(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(help="Kind as kubectl takes it: pods, deploy, apps/v1/Deployment.")
    ],
    name: Annotated[str, typer.Argument(help="Name; without one, all are listed.")] = "",
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    limit: options.Limit = 0,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Read objects of any kind, live. With -o json or yaml: whole, as Kubernetes has them."""
    where = kinds.namespace_for(kind, "" if all_namespaces else namespace)
    if name:
        _get_one(context, kind, name, kinds.namespace_for(kind, namespace), cluster, form)
        return
    typed = kinds.typed_kind(kind)
    if typed and form is OutputFormat.TABLE:
        _get_typed(context, typed, where, selector, field_selector, limit, cluster)
        return
    with connect(context) as client:
        answer = client.k8s.list_objects(
            kind,
            cluster=cluster,
            namespace=where,
            label_selector=selector,
            field_selector=field_selector,
            page_size=min(limit, 500) or 500,
        ).answer(limit)
    if form is OutputFormat.TABLE:
        columns = resource_tables.object_columns(output.now())
        if any(o.ref.namespace for o in answer.objects) and all_namespaces:
            columns = [resource_tables.namespace_column(of_ref=True), *columns]
        output.print_table(columns, list(answer.objects))
    else:
        items = [documents.to_document(o)["json"] for o in answer.objects]
        output.print_document({"apiVersion": "v1", "kind": "List", "items": items}, form)


def _get_one(
    context: typer.Context, kind: str, name: str, namespace: str, cluster: str, form: OutputFormat
) -> None:
    with connect(context) as client:
        answer = client.k8s.get_object(kind, name, namespace=namespace, cluster=cluster)
    if form is OutputFormat.TABLE:
        output.print_table(resource_tables.object_columns(output.now()), [answer.object])
    else:
        output.print_document(documents.to_document(answer.object)["json"], form)


def _get_typed(
    context: typer.Context,
    typed: str,
    namespace: str,
    selector: str,
    field_selector: str,
    limit: int,
    cluster: str,
) -> None:
    now = output.now()
    fields = _fields(cluster, selector, field_selector, "", limit, True)
    columns: list[Column[Any]] = {
        "pods": resource_tables.pod_columns,
        "nodes": resource_tables.node_columns,
        "services": resource_tables.service_columns,
        "deployments": resource_tables.deployment_columns,
        "persistent_volumes": resource_tables.persistent_volume_columns,
    }[typed](now)
    if typed not in ("nodes", "persistent_volumes"):
        fields["namespace"] = namespace
        columns = _with_namespace(columns, not namespace)

    def listing(client: Podyard) -> Listing[Any, Any]:
        found: Listing[Any, Any] = getattr(client.k8s, f"list_{typed}")(**fields)
        return found

    _show(context, listing, typed, columns, OutputFormat.TABLE, limit)


def _fields(
    cluster: str,
    selector: str,
    field_selector: str,
    sort_by: str,
    limit: int,
    consistent: bool,
) -> Any:
    return {
        "cluster": cluster,
        "label_selector": selector,
        "field_selector": field_selector,
        "order_by": sort_by,
        "consistent": consistent,
        "page_size": min(limit, 1000) or 1000,
    }


def _with_namespace(columns: list[Column[Any]], shown: bool) -> list[Column[Any]]:
    return [resource_tables.namespace_column(), *columns] if shown else columns


def _show(
    context: typer.Context,
    fetch: Callable[[Podyard], Listing[Any, Any]],
    field: str,
    columns: Sequence[Column[Any]],
    form: OutputFormat,
    limit: int,
) -> Any:
    with connect(context) as client:
        answer = fetch(client).answer(limit)
    output.note_answer(answer)
    items = list(getattr(answer, field))
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return answer
    output.print_table(columns, items, f"no {field.replace('_', ' ')} found")
    if answer.total_size > len(items):
        output.note(f"{len(items)} of {answer.total_size} shown")
    return answer
