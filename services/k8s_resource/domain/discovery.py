"""Which kinds a cluster serves, found by the names that kubectl takes.

What a cluster serves is kept, and read again when a kind is not found, so that one just
installed is known.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.common.errors import NotFoundError, RetryableError
from services.k8s_resource.domain.discovery_documents import ResourceType, read_kinds
from services.k8s_resource.domain.ports import Connection, KubeApi
from services.k8s_resource.domain.resources import BROUGHT_BY, Resource

KEPT_SECONDS = 300.0
"""After this the kinds are read again, so that removed ones are forgotten."""

REFRESH_SECONDS = 1.0
"""Least time between two readings because of unknown kinds; a later one waits its turn."""

_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?\Z")


class KindIndex:
    """The kinds of one cluster, in the API server's order of preference."""

    def __init__(self, types: Sequence[ResourceType]) -> None:
        self.types = tuple(types)
        self._by_name: dict[str, list[ResourceType]] = {}
        self._by_kind: dict[tuple[str, str], ResourceType] = {}
        # kubectl prefers real names over short ones, whatever the group.
        for short in (False, True):
            for item in self.types:
                names = item.short_names if short else set(item.names()) - {*item.short_names}
                for name in names:
                    self._by_name.setdefault(name.lower(), []).append(item)
        for item in self.types:
            resource = item.resource
            self._by_kind.setdefault((resource.api_version, resource.kind), item)

    def find(self, name: str) -> ResourceType | None:
        """The kind of a name as kubectl takes it, None if there is none."""
        prefix, _, last = name.rpartition("/")
        if prefix:
            return next(
                (i for i in self._named(last) if i.resource.api_version == prefix),
                None,
            )
        base, _, suffix = name.partition(".")
        candidates = self._named(base)
        if not suffix:
            return candidates[0] if candidates else None
        version, _, group = suffix.partition(".")
        for item in candidates:
            if item.resource.group == suffix:
                return item
            if _VERSION.match(version) and (item.resource.version, item.resource.group) == (
                version,
                group,
            ):
                return item
        return None

    def find_kind(self, api_version: str, kind: str) -> ResourceType | None:
        """The kind that a manifest names by apiVersion and kind."""
        return self._by_kind.get((api_version, kind))

    def similar(self, name: str) -> list[str]:
        """Full names of kinds that may have been meant, best first."""
        base = name.rpartition("/")[2].partition(".")[0].lower()
        found = difflib.get_close_matches(base, self._by_name, n=5, cutoff=0.6)
        full = [self._by_name[match][0].resource.full_name for match in found]
        exact = [item.resource.full_name for item in self._named(base)]
        return list(dict.fromkeys([*exact, *full]))[:3]

    def versions(self, group: str, kind: str) -> list[str]:
        """apiVersions in which the group serves a kind."""
        return [v for (v, k) in self._by_kind if k == kind and v.rpartition("/")[0] == group]

    def _named(self, name: str) -> list[ResourceType]:
        return self._by_name.get(name.lower(), [])


@dataclass
class _Known:
    api: KubeApi
    index: KindIndex | None = None
    read_at: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Discovery:
    """The kinds of every connected cluster; a `ports.ResourceCatalog`."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def resolve(self, connection: Connection, kind: str) -> Resource:
        """The kind of a name as kubectl takes it; NotFoundError naming similar kinds."""
        return (await self.resolve_type(connection, kind)).resource

    async def resolve_type(self, connection: Connection, kind: str) -> ResourceType:
        """As `resolve`, with the kind's other names and verbs."""
        index = await self.index(connection)
        found = index.find(kind)
        if found is None:
            index = await self.refresh(connection)
            found = index.find(kind)
        if found is None:
            raise unknown_kind(connection.name, kind, index.similar(kind))
        return found

    async def index(self, connection: Connection) -> KindIndex:
        """The kinds as last read; read now if never or long ago."""
        known = self._of(connection)
        if known.index is None:
            return await self._read(known, time.monotonic())
        if time.monotonic() - known.read_at > KEPT_SECONDS:
            try:
                return await self._read(known, time.monotonic())
            except RetryableError:
                return known.index
        return known.index

    async def refresh(self, connection: Connection) -> KindIndex:
        """The kinds as they are from now on; callers at the same time share one reading."""
        return await self._read(self._of(connection), time.monotonic())

    def _of(self, connection: Connection) -> _Known:
        known = self._known.get(connection.name)
        if known is None or known.api is not connection.api:
            known = self._known[connection.name] = _Known(connection.api)
        return known

    async def _read(self, known: _Known, asked_at: float) -> KindIndex:
        async with known.lock:
            if known.index is not None:
                if known.read_at >= asked_at:
                    return known.index
                await asyncio.sleep(max(0.0, known.read_at + REFRESH_SECONDS - time.monotonic()))
            started = time.monotonic()
            known.index = KindIndex(await read_kinds(known.api))
            known.read_at = started
            return known.index


def unknown_kind(cluster: str, kind: str, similar: Sequence[str]) -> NotFoundError:
    """The error of a kind that the cluster does not serve."""
    base = kind.rpartition("/")[2].partition(".")[0].lower()
    product = next(
        (
            product
            for resource, product in BROUGHT_BY.items()
            if base in (resource.plural, resource.kind.lower())
        ),
        "",
    )
    hint = f"; it comes with {product}, which is not installed there" if product else ""
    if similar:
        hint += f"; did you mean {' or '.join(similar)}?"
    return NotFoundError(
        "kind", kind, f'cluster "{cluster}" serves no kind "{kind}"{hint}', reason="UNKNOWN_KIND"
    )
