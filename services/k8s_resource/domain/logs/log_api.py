"""Asking an API server for the log of a container."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from services.common.errors import PodyardError
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.feed import Start
from services.k8s_resource.domain.logs.lines import parse_stamp
from services.k8s_resource.domain.ports import Connection, KubeStream
from services.k8s_resource.domain.resources import POD

_ANY = "*/*"
_SILENCE_SECONDS = 3600.0
"""A quiet log is not a broken connection; those are found by TCP's keep-alive. This is the
last resort, and reading on from the cursor afterwards costs nothing."""

_READING_SILENCE_SECONDS = 120.0
"""The same for a log that is only read. A kubelet may have to look through gigabytes for the
first line that is asked for."""

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, after which RFC 3339 has no times."""

_PROBE_SECONDS = 10.0
_STAMP_BYTES = 64


class LogApi:
    """The logs of one cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.cluster = connection.name

    def open(
        self, source: Source, start: Start, sent: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KubeStream]:
        """The bytes of a log, each line with its time before it; `sent` as in KubeApi.stream."""
        params: dict[str, str | int | bool] = {"container": source.container, "timestamps": True}
        if start.follow:
            params["follow"] = True
        if start.previous:
            params["previous"] = True
        if start.since_second is not None:
            since = datetime.fromtimestamp(min(max(0, start.since_second), _LAST_SECOND), UTC)
            params["sinceTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if start.tail is not None:
            params["tailLines"] = start.tail
        silence = _SILENCE_SECONDS if start.follow else _READING_SILENCE_SECONDS
        return self._connection.api.stream(
            "GET", _path(source), params=params, accept=_ANY, inactivity=silence, sent=sent
        )

    async def newest_time(self, source: Source) -> int:
        """The time of a log's last line, in nanoseconds since 1970; 0 if it has none."""
        return await self._time_of_line(source, {"tailLines": 1})

    async def oldest_time(self, source: Source, *, previous: bool = False) -> int:
        """The time of a log's first line, in nanoseconds since 1970; 0 if it has none."""
        params: dict[str, str | int | bool] = {"limitBytes": _STAMP_BYTES}
        return await self._time_of_line(source, params | {"previous": True} if previous else params)

    async def _time_of_line(self, source: Source, params: dict[str, str | int | bool]) -> int:
        response = await self._connection.api.request(
            "GET",
            _path(source),
            params={"container": source.container, "timestamps": True, **params},
            accept=_ANY,
            timeout=_PROBE_SECONDS,
            retry=False,
        )
        stamp = parse_stamp(response.body[:_STAMP_BYTES].decode("ascii", "replace"))
        return stamp[0] if stamp is not None else 0

    async def can_be_read(self, source: Source) -> bool:
        """Whether the API server gives the log now."""
        params: dict[str, str | int | bool] = {
            "container": source.container,
            "tailLines": 1,
            "limitBytes": 1,
        }
        try:
            await self._connection.api.request(
                "GET",
                _path(source),
                params=params,
                accept=_ANY,
                timeout=_PROBE_SECONDS,
                retry=False,
            )
        except PodyardError:
            return False
        return True


class ContainerLog:
    """The log of one container, as a feed reads it."""

    def __init__(self, api: LogApi, source: Source) -> None:
        self._api = api
        self._source = source

    def open(
        self, start: Start, sent: Callable[[], None]
    ) -> AbstractAsyncContextManager[KubeStream]:
        """As `LogApi.open`."""
        return self._api.open(self._source, start, sent)

    async def can_be_read(self) -> bool:
        """As `LogApi.can_be_read`."""
        return await self._api.can_be_read(self._source)


def _path(source: Source) -> str:
    return POD.path(source.namespace, source.pod, "log")
