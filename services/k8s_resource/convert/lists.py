"""List requests and responses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.common.v1 import freshness_pb2
from podyard.k8s_resource.v1 import counts_pb2, events_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.read_mask import Paths, masked
from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.counting import FieldCounts
from services.k8s_resource.domain.event_lists import EventQuery, Involved
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.lists import Listed, ListQuery

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ITEMS_FIELD = 1
"""Of every list response."""


def query_from_pb(request: Any, kind: Kind, *more_filters: str) -> ListQuery:
    """Of any typed list request; those of kinds without namespaces have none.

    `more_filters` names fields that choose by values, beside those that the kind knows.
    """
    known = request.DESCRIPTOR.fields_by_name
    filters = (*(name for name in kind.filters if name in known), *more_filters)
    return ListQuery(
        cluster=request.cluster,
        namespace=getattr(request, "namespace", ""),
        namespaces=tuple(getattr(request, "namespaces", ())),
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        order_by=request.order_by,
        page_size=request.page_size,
        page_token=request.page_token,
        consistent=request.consistent,
        count_by=tuple(request.count_by),
        filters={name: _values(request, name) for name in filters},
    )


def _values(request: Any, name: str) -> Sequence[str]:
    """What a filter wants: texts, or of a bool the value that was given."""
    value = getattr(request, name)
    if not isinstance(value, bool):
        return tuple(value)
    optional = request.DESCRIPTOR.fields_by_name[name].has_presence
    given = request.HasField(name) if optional else value
    return (str(value).lower(),) if given else ()


def event_query_from_pb(request: events_pb2.ListEventsRequest) -> EventQuery:
    """A ListEvents request."""
    about = request.involved_object
    return EventQuery(
        query_from_pb(request, kinds.EVENT),
        Involved(about.kind, about.namespace, about.name, about.uid),
        request.since.ToTimedelta().total_seconds() if request.HasField("since") else None,
        _moment(request.since_time) if request.HasField("since_time") else None,
    )


def _moment(time: Timestamp) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=time.ToMicroseconds())


def encoded_list(listed: Listed[Any], summaries: Iterable[bytes], paths: Paths, item: Any) -> bytes:
    """A list response of any kind: they all have the same fields. `item` is its message type."""
    rest = pb.ListPodsResponse(
        next_page_token=listed.page.next_token,
        total_size=listed.page.total,
        freshness=freshness_to_pb(listed.freshness),
        notes=listed.notes,
        counts=map(counts_to_pb, listed.counts),
    )
    items = b"".join([embedded(_ITEMS_FIELD, summary) for summary in summaries])
    return masked(items, paths, item, _ITEMS_FIELD) + rest.SerializeToString()


def counts_to_pb(counts: FieldCounts) -> counts_pb2.FieldCounts:
    """The counts of one field."""
    return counts_pb2.FieldCounts(
        field=counts.field,
        values=[counts_pb2.ValueCount(value=value, count=count) for value, count in counts.values],
    )


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
