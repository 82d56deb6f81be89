"""Requests and responses of ListObjects, GetObject, Apply and Delete."""

from __future__ import annotations

import time

import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.common.v1 import freshness_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import objects_pb2

from services.common.status import to_status
from services.k8s_resource.domain.apply import ApplyOrder, ApplyOutcome
from services.k8s_resource.domain.delete import (
    DeleteOrder,
    DeleteOutcome,
    NamedObject,
    Propagation,
    SelectedObjects,
)
from services.k8s_resource.domain.live_objects import ListQuery, LiveObject, ObjectPage
from services.k8s_resource.domain.objects.metadata import parse_time

_PROPAGATIONS = {
    pb.PROPAGATION_POLICY_UNSPECIFIED: Propagation.BACKGROUND,
    pb.PROPAGATION_POLICY_BACKGROUND: Propagation.BACKGROUND,
    pb.PROPAGATION_POLICY_FOREGROUND: Propagation.FOREGROUND,
    pb.PROPAGATION_POLICY_ORPHAN: Propagation.ORPHAN,
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as kubectl does."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def list_query_from_pb(request: pb.ListObjectsRequest) -> ListQuery:
    """A ListObjects request."""
    return ListQuery(
        cluster=request.cluster,
        kind=request.kind,
        namespace=request.namespace,
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        page_size=request.page_size,
        page_token=request.page_token,
        managed_fields=request.include_managed_fields,
    )


def page_to_pb(page: ObjectPage) -> pb.ListObjectsResponse:
    """A page, read just now."""
    response = pb.ListObjectsResponse(
        objects=[object_to_pb(item) for item in page.objects],
        next_page_token=page.next_page_token,
        freshness=_live(page.resource_version),
    )
    if page.remaining is not None:
        response.remaining_item_count = page.remaining
    return response


def get_response_to_pb(item: LiveObject, object_format: int) -> pb.GetObjectResponse:
    """An object in the format asked for, read just now."""
    version = str(item.metadata.get("resourceVersion", ""))
    as_yaml = object_format == pb.OBJECT_FORMAT_YAML
    return pb.GetObjectResponse(
        object=object_to_pb(item, with_json=not as_yaml),
        yaml=object_yaml(item) if as_yaml else "",
        freshness=_live(version),
    )


def object_yaml(item: LiveObject) -> str:
    """The object as YAML, keys in the API server's order."""
    text: str = yaml.dump(
        item.value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return text


def object_to_pb(item: LiveObject, *, with_json: bool = True) -> objects_pb2.KubernetesObject:
    """An object of any kind."""
    metadata = item.metadata
    created = parse_time(metadata.get("creationTimestamp"))
    return objects_pb2.KubernetesObject(
        ref=objects_pb2.ObjectRef(
            api_version=item.resource.api_version,
            kind=item.resource.kind,
            namespace=metadata.get("namespace", ""),
            name=metadata.get("name", ""),
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
        ),
        labels=metadata.get("labels") or {},
        create_time=Timestamp(seconds=int(created.timestamp())) if created else None,
        json=item.json() if with_json else "",
    )


def apply_order_from_pb(request: pb.ApplyRequest) -> ApplyOrder:
    """An Apply request."""
    return ApplyOrder(
        cluster=request.cluster,
        manifest=request.manifest,
        namespace=request.namespace,
        field_manager=request.field_manager,
        force=request.force,
        validate_only=request.validate_only,
    )


def apply_outcome_to_pb(outcome: ApplyOutcome) -> pb.ApplyResult:
    """What became of one object."""
    planned = outcome.planned
    return pb.ApplyResult(
        document=planned.item.document,
        ref=objects_pb2.ObjectRef(
            api_version=planned.resource.api_version,
            kind=planned.resource.kind,
            namespace=planned.namespace,
            name=planned.item.name,
            uid=outcome.uid,
            resource_version=outcome.resource_version,
        ),
        action=f"APPLY_ACTION_{outcome.action.name}",
        error=to_status(outcome.error) if outcome.error is not None else None,
        warnings=outcome.warnings,
    )


def delete_order_from_pb(request: pb.DeleteRequest) -> DeleteOrder:
    """A Delete request whose fields were validated: exactly one source is set."""
    return DeleteOrder(
        cluster=request.cluster,
        objects=tuple(NamedObject(o.kind, o.namespace, o.name, o.uid) for o in request.objects),
        manifest=request.manifest,
        selector=(
            SelectedObjects(
                request.selector.kind,
                request.selector.namespace,
                request.selector.label_selector,
            )
            if request.HasField("selector")
            else None
        ),
        namespace=request.namespace,
        propagation=_PROPAGATIONS[request.propagation_policy],
        # Kubernetes counts whole seconds; a part of one must not become "at once".
        grace_seconds=(
            -(-request.grace_period.ToNanoseconds() // 1_000_000_000)
            if request.HasField("grace_period")
            else None
        ),
        validate_only=request.validate_only,
    )


def delete_outcome_to_pb(outcome: DeleteOutcome) -> pb.DeleteResult:
    """What became of one object."""
    return pb.DeleteResult(
        ref=objects_pb2.ObjectRef(
            api_version=outcome.resource.api_version,
            kind=outcome.resource.kind,
            namespace=outcome.namespace,
            name=outcome.name,
            uid=outcome.uid,
        ),
        outcome=f"DELETE_OUTCOME_{outcome.kind.name}",
        error=to_status(outcome.error) if outcome.error is not None else None,
    )


def _live(resource_version: str) -> freshness_pb2.Freshness:
    return freshness_pb2.Freshness(
        confirmed_time=Timestamp(seconds=int(time.time())),
        live=True,
        resource_version=resource_version,
    )
