"""Reading all objects of a kind as they were at one moment."""

from __future__ import annotations

import asyncio

import msgspec
from prometheus_client import Counter

from services.common.errors import InvalidArgumentError, NotFoundError, UnavailableError
from services.k8s_resource.domain.api_status import ExpiredError
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.ports import KubeApi

PAGE_SIZE = 500
_PAGE_SECONDS = 60.0
_LISTS_PER_EXPIRY = 3

LISTS = Counter("podyard_kube_lists", "Complete lists read from API servers.", ["kind"])


class SnapshotReader:
    """Reads one kind, in the whole cluster or in one namespace, as `path` says."""

    def __init__(self, api: KubeApi, kind: Kind, path: str) -> None:
        self._api = api
        self._kind = kind
        self._path = path

    async def read(self, decoder: KindDecoder, at: int = 0) -> tuple[list[Item], int]:
        """All objects and the resourceVersion that they are the state of.

        That is `at`, or the newest where it is 0 or the API server has forgotten it.
        """
        if at:
            try:
                return await self._pages(decoder, PAGE_SIZE, at)
            except (ExpiredError, InvalidArgumentError):
                pass
        for _ in range(_LISTS_PER_EXPIRY):
            try:
                return await self._pages(decoder, PAGE_SIZE)
            except ExpiredError:
                # The snapshot that the pages are of was compacted away between two of them.
                continue
        return await self._pages(decoder, 0)

    async def present_version(self) -> int:
        """The newest resourceVersion, by a consistent list of one object; 0 without the kind."""
        try:
            response = await self._api.request("GET", self._path, params={"limit": 1})
        except NotFoundError:
            return 0
        return KindDecoder(self._kind, keep_raw=True).page(response.body).version

    async def _pages(self, decoder: KindDecoder, size: int, at: int = 0) -> tuple[list[Item], int]:
        """The pages of one snapshot; `size` 0 for all in one, `at` 0 for the newest."""
        items: list[Item] = []
        version = 0
        params: dict[str, str | int] = {"limit": size} if size else {}
        if at:
            params |= {"resourceVersion": at, "resourceVersionMatch": "Exact"}
        while True:
            response = await self._api.request(
                "GET",
                self._path,
                params=params,
                accept=decoder.accept(watch=False),
                timeout=_PAGE_SECONDS,
                retry=False,
            )
            try:
                page = decoder.page(response.body)
            except (msgspec.DecodeError, ValueError) as error:
                raise UnavailableError(f"the API server sent an unreadable list: {error}") from None
            items += page.items
            version = version or page.version
            if not page.continue_token:
                break
            params = {"limit": size, "continue": page.continue_token}
            # Other work gets its turn between two pages.
            await asyncio.sleep(0)
        LISTS.labels(self._kind.resource.full_name).inc()
        return items, version
