import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CaptureState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURE_STATE_UNSPECIFIED: _ClassVar[CaptureState]
    CAPTURE_STATE_ACTIVE: _ClassVar[CaptureState]
    CAPTURE_STATE_PAUSED: _ClassVar[CaptureState]
    CAPTURE_STATE_OPENING: _ClassVar[CaptureState]
CAPTURE_STATE_UNSPECIFIED: CaptureState
CAPTURE_STATE_ACTIVE: CaptureState
CAPTURE_STATE_PAUSED: CaptureState
CAPTURE_STATE_OPENING: CaptureState

class CaptureRetention(_message.Message):
    __slots__ = ("max_age", "max_bytes", "max_pods")
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PODS_FIELD_NUMBER: _ClassVar[int]
    max_age: _duration_pb2.Duration
    max_bytes: int
    max_pods: int
    def __init__(self, max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_bytes: _Optional[int] = ..., max_pods: _Optional[int] = ...) -> None: ...

class CaptureRule(_message.Message):
    __slots__ = ("name", "description", "cluster", "namespaces", "label_selector", "training_jobs", "containers", "include_init_containers", "disabled", "retention", "etag", "create_time", "update_time", "active_containers", "stored_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    cluster: str
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    label_selector: str
    training_jobs: bool
    containers: _containers.RepeatedScalarFieldContainer[str]
    include_init_containers: bool
    disabled: bool
    retention: CaptureRetention
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    active_containers: int
    stored_bytes: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., cluster: _Optional[str] = ..., namespaces: _Optional[_Iterable[str]] = ..., label_selector: _Optional[str] = ..., training_jobs: _Optional[bool] = ..., containers: _Optional[_Iterable[str]] = ..., include_init_containers: _Optional[bool] = ..., disabled: _Optional[bool] = ..., retention: _Optional[_Union[CaptureRetention, _Mapping]] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., active_containers: _Optional[int] = ..., stored_bytes: _Optional[int] = ...) -> None: ...

class CaptureStatus(_message.Message):
    __slots__ = ("state", "message", "active_containers", "interrupted_containers", "stored_bytes", "max_bytes", "free_bytes", "pending_uploads", "upload_problem")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PENDING_UPLOADS_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    state: CaptureState
    message: str
    active_containers: int
    interrupted_containers: int
    stored_bytes: int
    max_bytes: int
    free_bytes: int
    pending_uploads: int
    upload_problem: str
    def __init__(self, state: _Optional[_Union[CaptureState, str]] = ..., message: _Optional[str] = ..., active_containers: _Optional[int] = ..., interrupted_containers: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., max_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., pending_uploads: _Optional[int] = ..., upload_problem: _Optional[str] = ...) -> None: ...

class CreateCaptureRuleRequest(_message.Message):
    __slots__ = ("rule", "validate_only", "request_id")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    rule: CaptureRule
    validate_only: bool
    request_id: str
    def __init__(self, rule: _Optional[_Union[CaptureRule, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateCaptureRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: CaptureRule
    def __init__(self, rule: _Optional[_Union[CaptureRule, _Mapping]] = ...) -> None: ...

class GetCaptureRuleRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCaptureRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: CaptureRule
    def __init__(self, rule: _Optional[_Union[CaptureRule, _Mapping]] = ...) -> None: ...

class ListCaptureRulesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCaptureRulesResponse(_message.Message):
    __slots__ = ("rules", "next_page_token", "total_size", "status")
    RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[CaptureRule]
    next_page_token: str
    total_size: int
    status: CaptureStatus
    def __init__(self, rules: _Optional[_Iterable[_Union[CaptureRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., status: _Optional[_Union[CaptureStatus, _Mapping]] = ...) -> None: ...

class UpdateCaptureRuleRequest(_message.Message):
    __slots__ = ("rule", "validate_only", "request_id")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    rule: CaptureRule
    validate_only: bool
    request_id: str
    def __init__(self, rule: _Optional[_Union[CaptureRule, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateCaptureRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: CaptureRule
    def __init__(self, rule: _Optional[_Union[CaptureRule, _Mapping]] = ...) -> None: ...

class DeleteCaptureRuleRequest(_message.Message):
    __slots__ = ("name", "etag", "validate_only", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    validate_only: bool
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteCaptureRuleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CapturedLogQuery(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "pod_uid", "label_selector", "training_job", "before")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    label_selector: str
    training_job: str
    before: _timestamp_pb2.Timestamp
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., pod_uid: _Optional[str] = ..., label_selector: _Optional[str] = ..., training_job: _Optional[str] = ..., before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CapturedLogGap(_message.Message):
    __slots__ = ("time", "message")
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    message: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

class CapturedLog(_message.Message):
    __slots__ = ("cluster", "namespace", "pod", "pod_uid", "container", "run", "labels", "training_job", "node_name", "rules", "lines", "stored_bytes", "text_bytes", "first_time", "last_time", "active", "complete", "pod_exists", "exit_code", "reason", "gaps", "deleted_lines", "problems")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    POD_EXISTS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    DELETED_LINES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    container: str
    run: int
    labels: _containers.ScalarMap[str, str]
    training_job: str
    node_name: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    lines: int
    stored_bytes: int
    text_bytes: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    active: bool
    complete: bool
    pod_exists: bool
    exit_code: int
    reason: str
    gaps: _containers.RepeatedCompositeFieldContainer[CapturedLogGap]
    deleted_lines: int
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., pod_uid: _Optional[str] = ..., container: _Optional[str] = ..., run: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., training_job: _Optional[str] = ..., node_name: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., lines: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., text_bytes: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., active: _Optional[bool] = ..., complete: _Optional[bool] = ..., pod_exists: _Optional[bool] = ..., exit_code: _Optional[int] = ..., reason: _Optional[str] = ..., gaps: _Optional[_Iterable[_Union[CapturedLogGap, _Mapping]]] = ..., deleted_lines: _Optional[int] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class ListCapturedLogsRequest(_message.Message):
    __slots__ = ("query", "page_size", "page_token")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    query: CapturedLogQuery
    page_size: int
    page_token: str
    def __init__(self, query: _Optional[_Union[CapturedLogQuery, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCapturedLogsResponse(_message.Message):
    __slots__ = ("logs", "next_page_token", "total_size", "total_bytes")
    LOGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    logs: _containers.RepeatedCompositeFieldContainer[CapturedLog]
    next_page_token: str
    total_size: int
    total_bytes: int
    def __init__(self, logs: _Optional[_Iterable[_Union[CapturedLog, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class DeleteCapturedLogsRequest(_message.Message):
    __slots__ = ("query", "validate_only", "request_id")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    query: CapturedLogQuery
    validate_only: bool
    request_id: str
    def __init__(self, query: _Optional[_Union[CapturedLogQuery, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteCapturedLogsResponse(_message.Message):
    __slots__ = ("deleted", "deleted_bytes", "skipped_active", "skipped_read")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    DELETED_BYTES_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_READ_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    deleted_bytes: int
    skipped_active: int
    skipped_read: int
    def __init__(self, deleted: _Optional[int] = ..., deleted_bytes: _Optional[int] = ..., skipped_active: _Optional[int] = ..., skipped_read: _Optional[int] = ...) -> None: ...
