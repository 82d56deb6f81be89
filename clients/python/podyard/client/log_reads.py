"""Reading logs without following them: pages, downloads, searches."""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

import grpc
from podyard.client.channel import ServiceChannel
from podyard.client.request_fields import timed
from podyard.common.v1 import download_pb2
from podyard.k8s_resource.v1 import log_reads_pb2


class LogSelection(TypedDict, total=False):
    """Whose logs, exactly one source of them, and from when to when."""

    cluster: str
    namespace: str
    pod: str
    label_selector: str
    deployment: str
    job: str
    training_job: str
    stateful_set: str
    daemon_set: str
    replica_set: str
    containers: Sequence[str]
    include_init_containers: bool
    since: datetime.timedelta
    since_time: datetime.datetime
    until_time: datetime.datetime


class PageOptions(LogSelection, total=False):
    """The fields of GetLogsRequest."""

    previous: bool
    tail_lines: int
    include: Sequence[str]
    exclude: Sequence[str]
    edge: log_reads_pb2.LogPageEdge
    page_size: int
    max_bytes: int
    page_token: str


class DownloadOptions(LogSelection, total=False):
    """The fields of DownloadLogsRequest."""

    previous: bool
    include_previous: bool
    tail_lines: int
    timestamps: bool
    format: log_reads_pb2.LogDownloadFormat
    gzip: bool
    limit_bytes: int


class SearchOptions(LogSelection, total=False):
    """The fields of SearchLogsRequest besides the pattern."""

    all_namespaces: bool
    include_previous: bool
    literal: bool
    ignore_case: bool
    invert: bool
    before: int
    after: int
    order: log_reads_pb2.LogSearchOrder
    max_matches: int
    max_matches_per_log: int
    max_bytes: int
    count_only: bool


class LogReadCalls:
    """The calls that read logs, of `K8sResource`."""

    _channel: ServiceChannel
    _stub: Any

    def get_logs(self, **options: Unpack[PageOptions]) -> log_reads_pb2.GetLogsResponse:
        """One page of lines, the newest unless `edge` or `page_token` says otherwise.

        `older_page_token` and `newer_page_token` of the answer lead on, with the same options.
        """
        request = log_reads_pb2.GetLogsRequest(**timed(options))
        answer: log_reads_pb2.GetLogsResponse = self._channel.unary(self._stub.GetLogs, request)
        return answer

    def download_logs(self, **options: Unpack[DownloadOptions]) -> LogDownload:
        """Logs as a file; `save` it, or iterate over its bytes."""
        request = log_reads_pb2.DownloadLogsRequest(**timed(options))
        return LogDownload(self._channel, self._stub.DownloadLogs(request))

    def search_logs(self, pattern: str, **options: Unpack[SearchOptions]) -> LogSearch:
        """What a pattern finds in many logs, as events; `summary` is there at the end."""
        request = log_reads_pb2.SearchLogsRequest(pattern=pattern, **timed(options))
        return LogSearch(self._channel, self._stub.SearchLogs(request))


class _Stream:
    """A call whose messages are read once. Close it, or use it in a `with`."""

    def __init__(self, channel: ServiceChannel, call: Any) -> None:
        self._channel = channel
        self._call = call

    def close(self) -> None:
        """End the call."""
        self._call.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _messages(self) -> Iterator[Any]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise self._channel.translate(error) from None


class LogDownload(_Stream):
    """The bytes of a file. An error while iterating means that the file is not whole."""

    def __init__(self, channel: ServiceChannel, call: Any) -> None:
        super().__init__(channel, call)
        self._bodies = self._messages()
        head = next(self._bodies)
        self.content_type: str = head.content_type
        self.file_name = ""
        """The name that the service suggests: letters, digits, ".", "_" and "-" only."""
        attachment = download_pb2.Attachment()
        for extension in head.extensions:
            if extension.Unpack(attachment):
                self.file_name = Path(attachment.file_name).name

    def __enter__(self) -> LogDownload:
        return self

    def __iter__(self) -> Iterator[bytes]:
        for body in self._bodies:
            yield body.data

    def save(self, target: str | os.PathLike[str]) -> Path:
        """Write the file, into a folder under the suggested name; where it is then.

        It appears under its name only when it is whole, and replaces what has the name.
        """
        path = Path(target)
        if path.is_dir():
            path /= self.file_name or "logs"
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for data in self:
                    file.write(data)
            mask = os.umask(0)
            os.umask(mask)
            Path(part).chmod(0o666 & ~mask)
            Path(part).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()
            raise
        return path


class LogSearch(_Stream):
    """The events of a search, progress included; the summary is the last of them."""

    def __init__(self, channel: ServiceChannel, call: Any) -> None:
        super().__init__(channel, call)
        self.summary: log_reads_pb2.LogSearchSummary | None = None

    def __enter__(self) -> LogSearch:
        return self

    def __iter__(self) -> Iterator[log_reads_pb2.LogSearchEvent]:
        for message in self._messages():
            for event in message.events:
                if event.HasField("summary"):
                    self.summary = event.summary
                yield event
