import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podyard.common.v1 import options_pb2 as _options_pb2
from podyard.common.v1 import stream_pb2 as _stream_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CapturedLogs(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURED_LOGS_UNSPECIFIED: _ClassVar[CapturedLogs]
    CAPTURED_LOGS_INCLUDE: _ClassVar[CapturedLogs]
    CAPTURED_LOGS_EXCLUDE: _ClassVar[CapturedLogs]

class LogContainerType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_CONTAINER_TYPE_UNSPECIFIED: _ClassVar[LogContainerType]
    LOG_CONTAINER_TYPE_REGULAR: _ClassVar[LogContainerType]
    LOG_CONTAINER_TYPE_INIT: _ClassVar[LogContainerType]
    LOG_CONTAINER_TYPE_SIDECAR: _ClassVar[LogContainerType]
    LOG_CONTAINER_TYPE_EPHEMERAL: _ClassVar[LogContainerType]

class LogLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_LEVEL_UNSPECIFIED: _ClassVar[LogLevel]
    LOG_LEVEL_TRACE: _ClassVar[LogLevel]
    LOG_LEVEL_DEBUG: _ClassVar[LogLevel]
    LOG_LEVEL_INFO: _ClassVar[LogLevel]
    LOG_LEVEL_WARNING: _ClassVar[LogLevel]
    LOG_LEVEL_ERROR: _ClassVar[LogLevel]
    LOG_LEVEL_FATAL: _ClassVar[LogLevel]

class LogMarkerType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_MARKER_TYPE_UNSPECIFIED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_ATTACHED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_STARTED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_ENDED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_GAP: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_INTERRUPTED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_DELETED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_WAITING: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_HEARTBEAT: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_END: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_LIMITED: _ClassVar[LogMarkerType]
    LOG_MARKER_TYPE_CAPTURED: _ClassVar[LogMarkerType]
CAPTURED_LOGS_UNSPECIFIED: CapturedLogs
CAPTURED_LOGS_INCLUDE: CapturedLogs
CAPTURED_LOGS_EXCLUDE: CapturedLogs
LOG_CONTAINER_TYPE_UNSPECIFIED: LogContainerType
LOG_CONTAINER_TYPE_REGULAR: LogContainerType
LOG_CONTAINER_TYPE_INIT: LogContainerType
LOG_CONTAINER_TYPE_SIDECAR: LogContainerType
LOG_CONTAINER_TYPE_EPHEMERAL: LogContainerType
LOG_LEVEL_UNSPECIFIED: LogLevel
LOG_LEVEL_TRACE: LogLevel
LOG_LEVEL_DEBUG: LogLevel
LOG_LEVEL_INFO: LogLevel
LOG_LEVEL_WARNING: LogLevel
LOG_LEVEL_ERROR: LogLevel
LOG_LEVEL_FATAL: LogLevel
LOG_MARKER_TYPE_UNSPECIFIED: LogMarkerType
LOG_MARKER_TYPE_ATTACHED: LogMarkerType
LOG_MARKER_TYPE_STARTED: LogMarkerType
LOG_MARKER_TYPE_ENDED: LogMarkerType
LOG_MARKER_TYPE_GAP: LogMarkerType
LOG_MARKER_TYPE_INTERRUPTED: LogMarkerType
LOG_MARKER_TYPE_DELETED: LogMarkerType
LOG_MARKER_TYPE_WAITING: LogMarkerType
LOG_MARKER_TYPE_HEARTBEAT: LogMarkerType
LOG_MARKER_TYPE_END: LogMarkerType
LOG_MARKER_TYPE_LIMITED: LogMarkerType
LOG_MARKER_TYPE_CAPTURED: LogMarkerType

class TailLogsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "label_selector", "deployment", "job", "training_job", "stateful_set", "daemon_set", "replica_set", "containers", "include_init_containers", "follow", "since", "since_time", "tail_lines", "previous", "include", "exclude", "resume_token", "container_types", "limit_bytes", "detect_levels", "min_level", "merge_window", "max_containers", "captured", "pod_uid")
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
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_TYPES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    DETECT_LEVELS_FIELD_NUMBER: _ClassVar[int]
    MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
    MERGE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
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
    follow: bool
    since: _duration_pb2.Duration
    since_time: _timestamp_pb2.Timestamp
    tail_lines: int
    previous: bool
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    resume_token: str
    container_types: _containers.RepeatedScalarFieldContainer[LogContainerType]
    limit_bytes: int
    detect_levels: bool
    min_level: LogLevel
    merge_window: _duration_pb2.Duration
    max_containers: int
    captured: CapturedLogs
    pod_uid: str
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., label_selector: _Optional[str] = ..., deployment: _Optional[str] = ..., job: _Optional[str] = ..., training_job: _Optional[str] = ..., stateful_set: _Optional[str] = ..., daemon_set: _Optional[str] = ..., replica_set: _Optional[str] = ..., containers: _Optional[_Iterable[str]] = ..., include_init_containers: _Optional[bool] = ..., follow: _Optional[bool] = ..., since: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tail_lines: _Optional[int] = ..., previous: _Optional[bool] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ..., resume_token: _Optional[str] = ..., container_types: _Optional[_Iterable[_Union[LogContainerType, str]]] = ..., limit_bytes: _Optional[int] = ..., detect_levels: _Optional[bool] = ..., min_level: _Optional[_Union[LogLevel, str]] = ..., merge_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_containers: _Optional[int] = ..., captured: _Optional[_Union[CapturedLogs, str]] = ..., pod_uid: _Optional[str] = ...) -> None: ...

class LogSource(_message.Message):
    __slots__ = ("namespace", "pod", "container", "pod_uid")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    pod: str
    container: str
    pod_uid: str
    def __init__(self, namespace: _Optional[str] = ..., pod: _Optional[str] = ..., container: _Optional[str] = ..., pod_uid: _Optional[str] = ...) -> None: ...

class LogLines(_message.Message):
    __slots__ = ("source", "text", "time_unix_nano", "truncated", "level")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_NANO_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    source: LogSource
    text: _containers.RepeatedScalarFieldContainer[str]
    time_unix_nano: _containers.RepeatedScalarFieldContainer[int]
    truncated: _containers.RepeatedScalarFieldContainer[int]
    level: _containers.RepeatedScalarFieldContainer[LogLevel]
    def __init__(self, source: _Optional[_Union[LogSource, _Mapping]] = ..., text: _Optional[_Iterable[str]] = ..., time_unix_nano: _Optional[_Iterable[int]] = ..., truncated: _Optional[_Iterable[int]] = ..., level: _Optional[_Iterable[_Union[LogLevel, str]]] = ...) -> None: ...

class LogMarker(_message.Message):
    __slots__ = ("type", "source", "time", "message", "exit_code", "reason", "restart_count", "end")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    type: LogMarkerType
    source: LogSource
    time: _timestamp_pb2.Timestamp
    message: str
    exit_code: int
    reason: str
    restart_count: int
    end: _stream_pb2.StreamEnd
    def __init__(self, type: _Optional[_Union[LogMarkerType, str]] = ..., source: _Optional[_Union[LogSource, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., exit_code: _Optional[int] = ..., reason: _Optional[str] = ..., restart_count: _Optional[int] = ..., end: _Optional[_Union[_stream_pb2.StreamEnd, _Mapping]] = ...) -> None: ...

class LogEvent(_message.Message):
    __slots__ = ("lines", "marker")
    LINES_FIELD_NUMBER: _ClassVar[int]
    MARKER_FIELD_NUMBER: _ClassVar[int]
    lines: LogLines
    marker: LogMarker
    def __init__(self, lines: _Optional[_Union[LogLines, _Mapping]] = ..., marker: _Optional[_Union[LogMarker, _Mapping]] = ...) -> None: ...

class TailLogsResponse(_message.Message):
    __slots__ = ("events", "resume_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[LogEvent]
    resume_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[LogEvent, _Mapping]]] = ..., resume_token: _Optional[str] = ...) -> None: ...
