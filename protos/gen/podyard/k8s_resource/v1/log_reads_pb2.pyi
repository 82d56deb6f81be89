import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from podyard.common.v1 import options_pb2 as _options_pb2
from podyard.k8s_resource.v1 import logs_pb2 as _logs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogPageEdge(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_PAGE_EDGE_UNSPECIFIED: _ClassVar[LogPageEdge]
    LOG_PAGE_EDGE_NEWEST: _ClassVar[LogPageEdge]
    LOG_PAGE_EDGE_OLDEST: _ClassVar[LogPageEdge]

class LogPageCut(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_PAGE_CUT_UNSPECIFIED: _ClassVar[LogPageCut]
    LOG_PAGE_CUT_END: _ClassVar[LogPageCut]
    LOG_PAGE_CUT_LINES: _ClassVar[LogPageCut]
    LOG_PAGE_CUT_BYTES: _ClassVar[LogPageCut]
    LOG_PAGE_CUT_SCANNED: _ClassVar[LogPageCut]

class LogDownloadFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_DOWNLOAD_FORMAT_UNSPECIFIED: _ClassVar[LogDownloadFormat]
    LOG_DOWNLOAD_FORMAT_TEXT: _ClassVar[LogDownloadFormat]
    LOG_DOWNLOAD_FORMAT_ZIP: _ClassVar[LogDownloadFormat]
    LOG_DOWNLOAD_FORMAT_MERGED: _ClassVar[LogDownloadFormat]

class LogSearchOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_SEARCH_ORDER_UNSPECIFIED: _ClassVar[LogSearchOrder]
    LOG_SEARCH_ORDER_OLDEST_FIRST: _ClassVar[LogSearchOrder]
    LOG_SEARCH_ORDER_NEWEST_FIRST: _ClassVar[LogSearchOrder]

class LogSearchLimit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_SEARCH_LIMIT_UNSPECIFIED: _ClassVar[LogSearchLimit]
    LOG_SEARCH_LIMIT_MATCHES: _ClassVar[LogSearchLimit]
    LOG_SEARCH_LIMIT_BYTES: _ClassVar[LogSearchLimit]
    LOG_SEARCH_LIMIT_MEMORY: _ClassVar[LogSearchLimit]
LOG_PAGE_EDGE_UNSPECIFIED: LogPageEdge
LOG_PAGE_EDGE_NEWEST: LogPageEdge
LOG_PAGE_EDGE_OLDEST: LogPageEdge
LOG_PAGE_CUT_UNSPECIFIED: LogPageCut
LOG_PAGE_CUT_END: LogPageCut
LOG_PAGE_CUT_LINES: LogPageCut
LOG_PAGE_CUT_BYTES: LogPageCut
LOG_PAGE_CUT_SCANNED: LogPageCut
LOG_DOWNLOAD_FORMAT_UNSPECIFIED: LogDownloadFormat
LOG_DOWNLOAD_FORMAT_TEXT: LogDownloadFormat
LOG_DOWNLOAD_FORMAT_ZIP: LogDownloadFormat
LOG_DOWNLOAD_FORMAT_MERGED: LogDownloadFormat
LOG_SEARCH_ORDER_UNSPECIFIED: LogSearchOrder
LOG_SEARCH_ORDER_OLDEST_FIRST: LogSearchOrder
LOG_SEARCH_ORDER_NEWEST_FIRST: LogSearchOrder
LOG_SEARCH_LIMIT_UNSPECIFIED: LogSearchLimit
LOG_SEARCH_LIMIT_MATCHES: LogSearchLimit
LOG_SEARCH_LIMIT_BYTES: LogSearchLimit
LOG_SEARCH_LIMIT_MEMORY: LogSearchLimit

class GetLogsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "label_selector", "deployment", "job", "training_job", "stateful_set", "daemon_set", "replica_set", "containers", "include_init_containers", "previous", "since", "since_time", "until_time", "tail_lines", "include", "exclude", "edge", "page_size", "max_bytes", "page_token")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_SET_FIELD_NUMBER: _ClassVar[int]
    DAEMON_SET_FIELD_NUMBER: _ClassVar[int]
    REPLICA_SET_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
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
    containers: _containers.RepeatedScalarFieldContainer[str]
    include_init_containers: bool
    previous: bool
    since: _duration_pb2.Duration
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    tail_lines: int
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    edge: LogPageEdge
    page_size: int
    max_bytes: int
    page_token: str
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., label_selector: _Optional[str] = ..., deployment: _Optional[str] = ..., job: _Optional[str] = ..., training_job: _Optional[str] = ..., stateful_set: _Optional[str] = ..., daemon_set: _Optional[str] = ..., replica_set: _Optional[str] = ..., containers: _Optional[_Iterable[str]] = ..., include_init_containers: _Optional[bool] = ..., previous: _Optional[bool] = ..., since: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tail_lines: _Optional[int] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ..., edge: _Optional[_Union[LogPageEdge, str]] = ..., page_size: _Optional[int] = ..., max_bytes: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class LogReadFailure(_message.Message):
    __slots__ = ("source", "restart_count", "error")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    source: _logs_pb2.LogSource
    restart_count: int
    error: _status_pb2.Status
    def __init__(self, source: _Optional[_Union[_logs_pb2.LogSource, _Mapping]] = ..., restart_count: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class GetLogsResponse(_message.Message):
    __slots__ = ("lines", "older_page_token", "newer_page_token", "at_end", "resume_token", "cut", "failures", "notes")
    LINES_FIELD_NUMBER: _ClassVar[int]
    OLDER_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEWER_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[_logs_pb2.LogLines]
    older_page_token: str
    newer_page_token: str
    at_end: bool
    resume_token: str
    cut: LogPageCut
    failures: _containers.RepeatedCompositeFieldContainer[LogReadFailure]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lines: _Optional[_Iterable[_Union[_logs_pb2.LogLines, _Mapping]]] = ..., older_page_token: _Optional[str] = ..., newer_page_token: _Optional[str] = ..., at_end: _Optional[bool] = ..., resume_token: _Optional[str] = ..., cut: _Optional[_Union[LogPageCut, str]] = ..., failures: _Optional[_Iterable[_Union[LogReadFailure, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class DownloadLogsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "label_selector", "deployment", "job", "training_job", "stateful_set", "daemon_set", "replica_set", "containers", "include_init_containers", "previous", "since", "since_time", "until_time", "tail_lines", "timestamps", "format", "gzip", "limit_bytes", "include_previous")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_SET_FIELD_NUMBER: _ClassVar[int]
    DAEMON_SET_FIELD_NUMBER: _ClassVar[int]
    REPLICA_SET_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    GZIP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
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
    containers: _containers.RepeatedScalarFieldContainer[str]
    include_init_containers: bool
    previous: bool
    since: _duration_pb2.Duration
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    tail_lines: int
    timestamps: bool
    format: LogDownloadFormat
    gzip: bool
    limit_bytes: int
    include_previous: bool
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., label_selector: _Optional[str] = ..., deployment: _Optional[str] = ..., job: _Optional[str] = ..., training_job: _Optional[str] = ..., stateful_set: _Optional[str] = ..., daemon_set: _Optional[str] = ..., replica_set: _Optional[str] = ..., containers: _Optional[_Iterable[str]] = ..., include_init_containers: _Optional[bool] = ..., previous: _Optional[bool] = ..., since: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tail_lines: _Optional[int] = ..., timestamps: _Optional[bool] = ..., format: _Optional[_Union[LogDownloadFormat, str]] = ..., gzip: _Optional[bool] = ..., limit_bytes: _Optional[int] = ..., include_previous: _Optional[bool] = ...) -> None: ...

class SearchLogsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "label_selector", "deployment", "job", "training_job", "stateful_set", "daemon_set", "replica_set", "containers", "include_init_containers", "include_previous", "since", "since_time", "until_time", "all_namespaces", "pattern", "literal", "ignore_case", "invert", "before", "after", "order", "max_matches", "max_matches_per_log", "max_bytes", "count_only")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_SET_FIELD_NUMBER: _ClassVar[int]
    DAEMON_SET_FIELD_NUMBER: _ClassVar[int]
    REPLICA_SET_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    ALL_NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    LITERAL_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    INVERT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MAX_MATCHES_FIELD_NUMBER: _ClassVar[int]
    MAX_MATCHES_PER_LOG_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    COUNT_ONLY_FIELD_NUMBER: _ClassVar[int]
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
    containers: _containers.RepeatedScalarFieldContainer[str]
    include_init_containers: bool
    include_previous: bool
    since: _duration_pb2.Duration
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    all_namespaces: bool
    pattern: str
    literal: bool
    ignore_case: bool
    invert: bool
    before: int
    after: int
    order: LogSearchOrder
    max_matches: int
    max_matches_per_log: int
    max_bytes: int
    count_only: bool
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., label_selector: _Optional[str] = ..., deployment: _Optional[str] = ..., job: _Optional[str] = ..., training_job: _Optional[str] = ..., stateful_set: _Optional[str] = ..., daemon_set: _Optional[str] = ..., replica_set: _Optional[str] = ..., containers: _Optional[_Iterable[str]] = ..., include_init_containers: _Optional[bool] = ..., include_previous: _Optional[bool] = ..., since: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all_namespaces: _Optional[bool] = ..., pattern: _Optional[str] = ..., literal: _Optional[bool] = ..., ignore_case: _Optional[bool] = ..., invert: _Optional[bool] = ..., before: _Optional[int] = ..., after: _Optional[int] = ..., order: _Optional[_Union[LogSearchOrder, str]] = ..., max_matches: _Optional[int] = ..., max_matches_per_log: _Optional[int] = ..., max_bytes: _Optional[int] = ..., count_only: _Optional[bool] = ...) -> None: ...

class LogSpan(_message.Message):
    __slots__ = ("line", "start", "end")
    LINE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    line: int
    start: int
    end: int
    def __init__(self, line: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class LogSearchGroup(_message.Message):
    __slots__ = ("lines", "restart_count", "first_line_number", "matches", "spans")
    LINES_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    lines: _logs_pb2.LogLines
    restart_count: int
    first_line_number: int
    matches: _containers.RepeatedScalarFieldContainer[int]
    spans: _containers.RepeatedCompositeFieldContainer[LogSpan]
    def __init__(self, lines: _Optional[_Union[_logs_pb2.LogLines, _Mapping]] = ..., restart_count: _Optional[int] = ..., first_line_number: _Optional[int] = ..., matches: _Optional[_Iterable[int]] = ..., spans: _Optional[_Iterable[_Union[LogSpan, _Mapping]]] = ...) -> None: ...

class LogSearchCount(_message.Message):
    __slots__ = ("source", "restart_count", "matches", "lines", "limited")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    LIMITED_FIELD_NUMBER: _ClassVar[int]
    source: _logs_pb2.LogSource
    restart_count: int
    matches: int
    lines: int
    limited: bool
    def __init__(self, source: _Optional[_Union[_logs_pb2.LogSource, _Mapping]] = ..., restart_count: _Optional[int] = ..., matches: _Optional[int] = ..., lines: _Optional[int] = ..., limited: _Optional[bool] = ...) -> None: ...

class LogSearchProgress(_message.Message):
    __slots__ = ("logs_total", "logs_done", "bytes", "matches")
    LOGS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOGS_DONE_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    logs_total: int
    logs_done: int
    bytes: int
    matches: int
    def __init__(self, logs_total: _Optional[int] = ..., logs_done: _Optional[int] = ..., bytes: _Optional[int] = ..., matches: _Optional[int] = ...) -> None: ...

class LogSearchSummary(_message.Message):
    __slots__ = ("logs", "logs_matched", "logs_failed", "matches", "lines", "bytes", "limit", "logs_limited", "duration", "notes")
    LOGS_FIELD_NUMBER: _ClassVar[int]
    LOGS_MATCHED_FIELD_NUMBER: _ClassVar[int]
    LOGS_FAILED_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LOGS_LIMITED_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    logs: int
    logs_matched: int
    logs_failed: int
    matches: int
    lines: int
    bytes: int
    limit: LogSearchLimit
    logs_limited: int
    duration: _duration_pb2.Duration
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, logs: _Optional[int] = ..., logs_matched: _Optional[int] = ..., logs_failed: _Optional[int] = ..., matches: _Optional[int] = ..., lines: _Optional[int] = ..., bytes: _Optional[int] = ..., limit: _Optional[_Union[LogSearchLimit, str]] = ..., logs_limited: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class LogSearchEvent(_message.Message):
    __slots__ = ("group", "count", "failure", "progress", "summary")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    group: LogSearchGroup
    count: LogSearchCount
    failure: LogReadFailure
    progress: LogSearchProgress
    summary: LogSearchSummary
    def __init__(self, group: _Optional[_Union[LogSearchGroup, _Mapping]] = ..., count: _Optional[_Union[LogSearchCount, _Mapping]] = ..., failure: _Optional[_Union[LogReadFailure, _Mapping]] = ..., progress: _Optional[_Union[LogSearchProgress, _Mapping]] = ..., summary: _Optional[_Union[LogSearchSummary, _Mapping]] = ...) -> None: ...

class SearchLogsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[LogSearchEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[LogSearchEvent, _Mapping]]] = ...) -> None: ...
