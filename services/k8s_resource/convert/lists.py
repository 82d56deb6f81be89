"""List requests and responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.common.v1 import freshness_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.lists import Listed, ListQuery

_ITEMS_FIELD = 1
"""Of every list response."""


def query_from_pb(request: Any) -> ListQuery:
    """Of any typed list request; those of kinds without namespaces have none."""
    return ListQuery(
        cluster=request.cluster,
        namespace=getattr(request, "namespace", ""),
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        order_by=request.order_by,
        page_size=request.page_size,
        page_token=request.page_token,
        consistent=request.consistent,
    )


def encoded_list(listed: Listed[Any], summaries: Iterable[bytes]) -> bytes:
    """A list response of any kind: they all have the same fields."""
    rest = pb.ListPodsResponse(
        next_page_token=listed.page.next_token,
        total_size=listed.page.total,
        freshness=freshness_to_pb(listed.freshness),
        notes=listed.notes,
    )
    items = [embedded(_ITEMS_FIELD, summary) for summary in summaries]
    return b"".join([*items, rest.SerializeToString()])


def freshness_to_pb(freshness: Freshness) -> freshness_pb2.Freshness:
    """How recent an answer is; no time where nothing was ever confirmed."""
    return freshness_pb2.Freshness(
        confirmed_time=epoch_to_pb(freshness.confirmed) if freshness.confirmed else None,
        stale=freshness.stale,
        resource_version=str(freshness.version) if freshness.version else "",
        stale_reason=freshness.reason,
    )


def epoch_to_pb(seconds: float) -> Timestamp:
    """Seconds since the epoch."""
    whole, fraction = divmod(seconds, 1)
    return Timestamp(seconds=int(whole), nanos=int(fraction * 1e9))
