"""Reading Kubernetes objects of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from podyard.cli import documents, kinds, options, output, resource_tables
from podyard.cli.listing import fields_of, show_list, with_namespace
from podyard.cli.output import ListFormat, OutputFormat
from podyard.cli.session import connect
from podyard.cli.tables import Column

if TYPE_CHECKING:
    from podyard.client import Listing, Podyard


_TABLES = (ListFormat.TABLE, ListFormat.WIDE)


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
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """Read objects of any kind, live. With -o json or yaml: whole, as Kubernetes has them."""
    where = kinds.namespace_for(kind, "" if all_namespaces else namespace)
    if name:
        _get_one(context, kind, name, kinds.namespace_for(kind, namespace), cluster, form)
        return
    typed = kinds.typed_kind(kind)
    if typed and form in _TABLES:
        _get_typed(context, typed, where, selector, field_selector, limit, cluster, form)
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
    if form in _TABLES:
        columns = resource_tables.object_columns(output.now())
        if any(o.ref.namespace for o in answer.objects) and all_namespaces:
            columns = [resource_tables.namespace_column(of_ref=True), *columns]
        output.print_table(columns, list(answer.objects), wide=form is ListFormat.WIDE)
    else:
        items = [documents.to_document(o)["json"] for o in answer.objects]
        output.print_document(
            {"apiVersion": "v1", "kind": "List", "items": items}, OutputFormat(form.value)
        )


def _get_one(
    context: typer.Context, kind: str, name: str, namespace: str, cluster: str, form: ListFormat
) -> None:
    with connect(context) as client:
        answer = client.k8s.get_object(kind, name, namespace=namespace, cluster=cluster)
    if form in _TABLES:
        columns = resource_tables.object_columns(output.now())
        output.print_table(columns, [answer.object], wide=form is ListFormat.WIDE)
    else:
        document = documents.to_document(answer.object)["json"]
        output.print_document(document, OutputFormat(form.value))


def _get_typed(
    context: typer.Context,
    typed: str,
    namespace: str,
    selector: str,
    field_selector: str,
    limit: int,
    cluster: str,
    form: ListFormat,
) -> None:
    now = output.now()
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        limit=limit,
        consistent=True,
    )
    columns: list[Column[Any]] = {
        "pods": resource_tables.pod_columns,
        "nodes": resource_tables.node_columns,
        "services": resource_tables.service_columns,
        "deployments": resource_tables.deployment_columns,
        "persistent_volumes": resource_tables.persistent_volume_columns,
        "namespaces": resource_tables.namespace_columns,
        "events": resource_tables.event_columns,
    }[typed](now)
    if typed not in ("nodes", "persistent_volumes", "namespaces"):
        fields["namespace"] = namespace
        columns = with_namespace(columns, not namespace)

    def listing(client: Podyard) -> Listing[Any, Any]:
        found: Listing[Any, Any] = getattr(client.k8s, f"list_{typed}")(**fields)
        return found

    show_list(context, listing, typed, columns, form, limit=limit)
