"""Lists of events: by the object they are about and by when they were last seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.lists import Listed, ListQuery, Lists
from services.k8s_resource.domain.live_objects import check_namespace
from services.k8s_resource.domain.ports import Connections, ResourceCatalog
from services.k8s_resource.domain.watching.kind_names import resolve

NEWEST_FIRST = "last_seen_time desc"


@dataclass(frozen=True, slots=True)
class Involved:
    """The object that events are about; empty parts choose nothing."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What a request asks for; at most one of `since`, in seconds before now, and `since_time`."""

    list: ListQuery
    involved: Involved = Involved()
    since: float | None = None
    since_time: dt.datetime | None = None


class EventLists:
    """The use case of ListEvents."""

    def __init__(self, connections: Connections, catalog: ResourceCatalog, lists: Lists) -> None:
        self._connections = connections
        self._catalog = catalog
        self._lists = lists

    async def events(self, query: EventQuery) -> Listed[Item]:
        """Events, the last seen first unless another order is asked for."""
        connection = self._connections.get(query.list.cluster)
        involved = query.involved
        check_namespace(involved.namespace, "involved_object.namespace")
        filters: dict[str, Sequence[str]] = {
            **query.list.filters,
            "involved_object.namespace": [involved.namespace] if involved.namespace else (),
            "involved_object.name": [involved.name] if involved.name else (),
            "involved_object.uid": [involved.uid] if involved.uid else (),
            # Not known to the kind: these only tell one query's page tokens from another's.
            "since": [str(query.since)] if query.since is not None else (),
            "since_time": [query.since_time.isoformat()] if query.since_time is not None else (),
        }
        if involved.kind:
            resource = await resolve(self._catalog, connection, involved.kind)
            # Some reporters leave out the group.
            filters["involved_object.kind"] = [
                f"{resource.kind}.{resource.group}",
                resource.kind,
            ]
        listed = replace(query.list, filters=filters, order_by=query.list.order_by or NEWEST_FIRST)
        oldest = _oldest(query)
        if oldest is None:
            return await self._lists.objects(kinds.EVENT, listed)
        return await self._lists.objects(
            kinds.EVENT, listed, keep=lambda item: bool(item.decoded.last_seen >= oldest)
        )


def _oldest(query: EventQuery) -> str | None:
    """The least time of last being seen, as events have it: in microseconds, sorting as text."""
    moment = query.since_time
    if query.since is not None:
        moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=query.since)
    if moment is None:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
