"""Whether a cluster has Kueue, and in which version of its API."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from services.common.errors import NotFoundError, PermissionDeniedError, PodyardError
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.kinds import DEFINITION
from services.k8s_resource.domain.ports import Connection, KubeApi
from services.k8s_resource.domain.resources import KUEUE, KUEUE_VERSIONS

_DEFINITION = ("", f"workloads.{KUEUE}")
_KEPT_SECONDS = 3.0
"""How long an answer counts where the definition cannot be followed."""


class _Version(msgspec.Struct):
    version: str = ""


class _Group(msgspec.Struct):
    versions: list[_Version] = []
    preferred: _Version = msgspec.field(default_factory=_Version, name="preferredVersion")


@dataclass(slots=True)
class _Known:
    api: KubeApi
    mark: object
    version: str


class ServedKueue:
    """Asks once for each version of Kueue's definitions."""

    def __init__(self, caches: ClusterCaches) -> None:
        self._caches = caches
        self._known: dict[str, _Known] = {}

    async def version(self, connection: Connection, *, consistent: bool = False) -> str:
        """The version to read, "" where there is no Kueue; UnavailableError and the like.

        `consistent` sees a Kueue that was installed just before.
        """
        mark = await self._mark(connection, consistent)
        if mark is None:
            return ""
        known = self._known.get(connection.name)
        if known is None or known.api is not connection.api or known.mark != mark:
            version = await _served(connection.api)
            if not version:
                # Its definition is there and not yet in use.
                return ""
            known = self._known[connection.name] = _Known(connection.api, mark, version)
        return known.version

    async def _mark(self, connection: Connection, consistent: bool) -> object:
        """Equal while the definition stays as it is; None if there is none."""
        watched = self._caches.watched(connection, DEFINITION)
        cache = watched.cache
        denied = not cache.loaded and isinstance(cache.problem, PermissionDeniedError)
        if not denied:
            try:
                await watched.source.ready()
                if consistent:
                    await watched.source.catch_up()
                found = cache.store.get(_DEFINITION)
                return None if found is None else (found.uid, found.version)
            except PodyardError:
                pass  # what is asked then tells, or fails for the same reason
        return int(time.monotonic() / _KEPT_SECONDS)


async def _served(api: KubeApi) -> str:
    try:
        response = await api.request("GET", f"/apis/{KUEUE}")
    except NotFoundError:
        return ""
    try:
        group = msgspec.json.decode(response.body, type=_Group)
    except msgspec.DecodeError:
        return ""
    served = {each.version for each in group.versions}
    for version in (group.preferred.version, *KUEUE_VERSIONS):
        if version in KUEUE_VERSIONS and version in served:
            return version
    return ""
