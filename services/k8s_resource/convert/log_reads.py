"""GetLogs, DownloadLogs and SearchLogs requests and responses."""

from __future__ import annotations

from typing import Any

from google.api import httpbody_pb2
from podyard.common.v1 import download_pb2
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from services.common.status import to_status
from services.k8s_resource.convert.logs import set_source
from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain.logs.choice import RunChoice
from services.k8s_resource.domain.logs.download import (
    Download,
    DownloadFormat,
    DownloadOptions,
)
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.matcher import PatternOptions
from services.k8s_resource.domain.logs.page_logs import LogPage, PageCut, PageQuery
from services.k8s_resource.domain.logs.read_query import ReadQuery
from services.k8s_resource.domain.logs.search import SearchOptions
from services.k8s_resource.domain.logs.search_events import (
    LogCount,
    LogFailure,
    MatchGroup,
    SearchEvent,
    SearchLimit,
    SearchOrder,
    SearchProgress,
    SearchSummary,
)
from services.k8s_resource.domain.logs.targets import TargetKind

_HTTP_BODY_DATA = httpbody_pb2.HttpBody.DATA_FIELD_NUMBER

_FORMATS = {
    pb.LogDownloadFormat.Value(f"LOG_DOWNLOAD_FORMAT_{name}"): form
    for name, form in {
        "UNSPECIFIED": DownloadFormat.AUTOMATIC,
        "TEXT": DownloadFormat.TEXT,
        "ZIP": DownloadFormat.ZIP,
        "MERGED": DownloadFormat.MERGED,
    }.items()
}
_ORDERS = {
    pb.LogSearchOrder.Value(f"LOG_SEARCH_ORDER_{name}"): order
    for name, order in {
        "UNSPECIFIED": SearchOrder.AS_FOUND,
        "OLDEST_FIRST": SearchOrder.OLDEST_FIRST,
        "NEWEST_FIRST": SearchOrder.NEWEST_FIRST,
    }.items()
}
_CUTS: dict[PageCut, Any] = {
    cut: pb.LogPageCut.Value(f"LOG_PAGE_CUT_{cut.name}") for cut in PageCut
}
_LIMITS = {
    limit: pb.LogSearchLimit.Value(
        f"LOG_SEARCH_LIMIT_{'UNSPECIFIED' if limit is SearchLimit.NONE else limit.name}"
    )
    for limit in SearchLimit
}


def read_query_from_pb(request: Any, *, every_run: bool) -> ReadQuery:
    """The part that all three requests have in common; exactly one source is set."""
    kind = TargetKind(request.WhichOneof("source"))
    choice = RunChoice(
        tuple(request.containers),
        request.include_init_containers,
        getattr(request, "previous", False),
        every_run,
    )
    return ReadQuery(
        cluster=request.cluster,
        namespace=request.namespace,
        kind=kind,
        name=getattr(request, kind.value),
        choice=choice,
        since=_nanoseconds(request, "since"),
        since_time=_nanoseconds(request, "since_time"),
        until_time=_nanoseconds(request, "until_time"),
        all_namespaces=getattr(request, "all_namespaces", False),
    )


def page_query_from_pb(request: pb.GetLogsRequest) -> PageQuery:
    """Which page."""
    return PageQuery(
        read_query_from_pb(request, every_run=False),
        include=tuple(request.include),
        exclude=tuple(request.exclude),
        oldest_first=request.edge == pb.LOG_PAGE_EDGE_OLDEST,
        tail=request.tail_lines if request.HasField("tail_lines") else None,
        lines=request.page_size,
        size=request.max_bytes,
        token=request.page_token,
    )


def page_to_pb(page: LogPage) -> pb.GetLogsResponse:
    """A page."""
    response = pb.GetLogsResponse(
        older_page_token=page.older_token,
        newer_page_token=page.newer_token,
        at_end=page.at_end,
        resume_token=page.resume_token,
        cut=_CUTS[page.cut],
        notes=page.notes,
    )
    for log, lines in page.groups:
        set_lines(response.lines.add(), log, lines)
    for failure in page.failures:
        set_failure(response.failures.add(), failure.log, failure.error)
    return response


def download_from_pb(request: pb.DownloadLogsRequest) -> tuple[ReadQuery, DownloadOptions]:
    """What to download, and how."""
    options = DownloadOptions(
        tail=request.tail_lines if request.HasField("tail_lines") else None,
        timestamps=request.timestamps,
        format=_FORMATS[request.format],
        gzip=request.gzip,
        limit_bytes=request.limit_bytes or None,
    )
    return read_query_from_pb(request, every_run=request.include_previous), options


def download_head(download: Download) -> bytes:
    """The first message of a download: what it is, without data."""
    body = httpbody_pb2.HttpBody(content_type=download.content_type)
    body.extensions.add().Pack(download_pb2.Attachment(file_name=download.file_name))
    encoded: bytes = body.SerializeToString()
    return encoded


def download_data(data: bytes) -> bytes:
    """A further message of a download, encoded."""
    return embedded(_HTTP_BODY_DATA, data)


def search_from_pb(request: pb.SearchLogsRequest) -> tuple[ReadQuery, SearchOptions]:
    """Where to search, and what."""
    options = SearchOptions(
        PatternOptions(request.pattern, request.literal, request.ignore_case, request.invert),
        before=request.before,
        after=request.after,
        order=_ORDERS[request.order],
        max_matches=request.max_matches,
        max_matches_per_log=request.max_matches_per_log,
        max_bytes=request.max_bytes,
        count_only=request.count_only,
    )
    return read_query_from_pb(request, every_run=request.include_previous), options


def search_events_to_pb(events: list[SearchEvent]) -> pb.SearchLogsResponse:
    """A batch of a search."""
    response = pb.SearchLogsResponse()
    for event in events:
        message = response.events.add()
        match event:
            case MatchGroup():
                _set_group(message.group, event)
            case LogCount():
                set_source(message.count.source, event.log.source)
                message.count.restart_count = event.log.run
                message.count.matches = event.matches
                message.count.lines = event.lines
                message.count.limited = event.limited
            case LogFailure():
                set_failure(message.failure, event.log, event.error)
            case SearchProgress():
                message.progress.SetInParent()
                message.progress.logs_total = event.logs_total
                message.progress.logs_done = event.logs_done
                message.progress.bytes = event.bytes
                message.progress.matches = event.matches
            case SearchSummary():
                _set_summary(message.summary, event)
    return response


def set_failure(message: Any, log: RunLog, error: Exception) -> None:
    """A LogReadFailure."""
    set_source(message.source, log.source)
    message.restart_count = log.run
    message.error.CopyFrom(to_status(error))


def set_lines(message: Any, log: RunLog, lines: Lines) -> None:
    """A LogLines, by columns."""
    set_source(message.source, log.source)
    message.text.extend(lines.texts)
    message.time_unix_nano.extend(lines.times)
    message.truncated.extend(lines.truncated)


def _set_group(message: Any, group: MatchGroup) -> None:
    set_lines(message.lines, group.log, group.lines)
    message.restart_count = group.log.run
    message.first_line_number = group.first_number
    message.matches.extend(group.matches)
    for line, start, end in group.spans:
        message.spans.add(line=line, start=start, end=end)


def _set_summary(message: Any, summary: SearchSummary) -> None:
    message.SetInParent()
    message.logs = summary.logs
    message.logs_matched = summary.logs_matched
    message.logs_failed = summary.logs_failed
    message.logs_limited = summary.logs_limited
    message.matches = summary.matches
    message.lines = summary.lines
    message.bytes = summary.bytes
    message.limit = _LIMITS[summary.limit]
    message.duration.FromNanoseconds(int(summary.seconds * 1e9))
    message.notes.extend(summary.notes)


def _nanoseconds(request: Any, field: str) -> int | None:
    if not request.HasField(field):
        return None
    value: int = getattr(request, field).ToNanoseconds()
    return value
