"""RPCs that read logs without following them: GetLogs, DownloadLogs, SearchLogs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from services.k8s_resource.convert.log_reads import (
    download_data,
    download_from_pb,
    download_head,
    page_query_from_pb,
    page_to_pb,
    search_events_to_pb,
    search_from_pb,
)
from services.k8s_resource.domain.logs.download import Downloads
from services.k8s_resource.domain.logs.pages import LogPages
from services.k8s_resource.domain.logs.search import Searches


class LogReadsServicer:
    """Downloads are encoded messages, see `convert.wire`."""

    def __init__(self, pages: LogPages, downloads: Downloads, searches: Searches) -> None:
        self._pages = pages
        self._downloads = downloads
        self._searches = searches

    async def GetLogs(self, request: pb.GetLogsRequest, _context: Any) -> pb.GetLogsResponse:
        return page_to_pb(await self._pages.page(page_query_from_pb(request)))

    async def DownloadLogs(
        self, request: pb.DownloadLogsRequest, _context: Any
    ) -> AsyncIterator[bytes]:
        download = await self._downloads.make(*download_from_pb(request))
        async with aclosing(download.chunks) as chunks:
            # First, so that what cannot be read at all is told before anything looks well.
            first = await anext(chunks, b"")
            yield download_head(download)
            if first:
                yield download_data(first)
            async for chunk in chunks:
                yield download_data(chunk)

    async def SearchLogs(
        self, request: pb.SearchLogsRequest, _context: Any
    ) -> AsyncIterator[pb.SearchLogsResponse]:
        batches = self._searches.search(*search_from_pb(request))
        async with aclosing(batches):
            async for batch in batches:
                yield search_events_to_pb(batch)
