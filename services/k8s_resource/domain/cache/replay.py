"""What the API server still knows of the past, for subscribers of a cache that is gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from services.common.errors import ConflictError, InvalidArgumentError
from services.k8s_resource.domain.api_status import ExpiredError
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.item import Change, ChangeType
from services.k8s_resource.domain.cache.watch_lines import watch_lines
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.ports import KubeApi

_SECONDS = 3
"""A watch with this limit gets a bookmark 2 s before its end, if there is news to mark."""


class NotReplayableError(ConflictError):
    """The API server cannot tell all that happened since; only a new list can."""

    reason = "HISTORY_LOST"


async def replay(
    api: KubeApi,
    kind: Kind,
    since: int,
    until: int,
    *,
    namespace: str,
    label_selector: str,
    field_selector: str,
    raw: bool,
    receive_time: float,
) -> AsyncGenerator[list[Change], None]:
    """All changes after version `since` up to `until`, as the API server's watch cache has them.

    The API server evaluates the selectors, because only it knows the objects as they
    were. Ends only when it is proved that nothing is missing (a bookmark or an event
    beyond `until`), else raises NotReplayableError.
    """
    decoder = KindDecoder(kind, keep_raw=raw)
    path = kind.resource.path(namespace)
    params: dict[str, str | int | bool] = {
        "watch": True,
        "resourceVersion": since,
        "allowWatchBookmarks": True,
        "timeoutSeconds": _SECONDS,
    }
    if label_selector:
        params["labelSelector"] = label_selector
    if field_selector:
        params["fieldSelector"] = field_selector
    if since >= until:
        return
    try:
        async with api.stream(
            "GET",
            path,
            params=params,
            accept=decoder.accept(watch=True),
            inactivity=_SECONDS + 2,
        ) as stream:
            # Makes the API server ask etcd how far it is: without news, no bookmark.
            await api.request("GET", path, params={"limit": 1})
            async for lines in watch_lines(stream, decoder):
                changes = []
                for line in lines:
                    if line.type == "BOOKMARK":
                        reached = decoder.version(line.body)
                    else:
                        item = decoder.item(line.body)
                        reached = item.version
                        if reached <= until:
                            changes.append(
                                Change(0, reached, ChangeType(line.type), item, None, receive_time)
                            )
                    if reached >= until:
                        yield changes
                        return
                if changes:
                    yield changes
    except (ExpiredError, InvalidArgumentError, msgspec.DecodeError, ValueError) as error:
        raise NotReplayableError(f"the API server cannot tell what happened: {error}") from error
    raise NotReplayableError("the API server did not tell in time whether that was all")
