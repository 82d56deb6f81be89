import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podyard.common.v1 import freshness_pb2 as _freshness_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdmissionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADMISSION_STATE_UNSPECIFIED: _ClassVar[AdmissionState]
    ADMISSION_STATE_PENDING: _ClassVar[AdmissionState]
    ADMISSION_STATE_QUOTA_RESERVED: _ClassVar[AdmissionState]
    ADMISSION_STATE_ADMITTED: _ClassVar[AdmissionState]
    ADMISSION_STATE_FINISHED: _ClassVar[AdmissionState]
    ADMISSION_STATE_INACTIVE: _ClassVar[AdmissionState]

class QueueType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_TYPE_UNSPECIFIED: _ClassVar[QueueType]
    QUEUE_TYPE_CLUSTER_QUEUE: _ClassVar[QueueType]
    QUEUE_TYPE_LOCAL_QUEUE: _ClassVar[QueueType]
ADMISSION_STATE_UNSPECIFIED: AdmissionState
ADMISSION_STATE_PENDING: AdmissionState
ADMISSION_STATE_QUOTA_RESERVED: AdmissionState
ADMISSION_STATE_ADMITTED: AdmissionState
ADMISSION_STATE_FINISHED: AdmissionState
ADMISSION_STATE_INACTIVE: AdmissionState
QUEUE_TYPE_UNSPECIFIED: QueueType
QUEUE_TYPE_CLUSTER_QUEUE: QueueType
QUEUE_TYPE_LOCAL_QUEUE: QueueType

class FlavorAssignment(_message.Message):
    __slots__ = ("pod_set", "resource", "flavor")
    POD_SET_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    FLAVOR_FIELD_NUMBER: _ClassVar[int]
    pod_set: str
    resource: str
    flavor: str
    def __init__(self, pod_set: _Optional[str] = ..., resource: _Optional[str] = ..., flavor: _Optional[str] = ...) -> None: ...

class JobAdmission(_message.Message):
    __slots__ = ("queue", "cluster_queue", "workload", "priority_class", "priority", "state", "reason", "message", "since", "requeue_count", "requeue_time", "flavors", "position")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_CLASS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    REQUEUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEUE_TIME_FIELD_NUMBER: _ClassVar[int]
    FLAVORS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    queue: str
    cluster_queue: str
    workload: str
    priority_class: str
    priority: int
    state: AdmissionState
    reason: str
    message: str
    since: _timestamp_pb2.Timestamp
    requeue_count: int
    requeue_time: _timestamp_pb2.Timestamp
    flavors: _containers.RepeatedCompositeFieldContainer[FlavorAssignment]
    position: int
    def __init__(self, queue: _Optional[str] = ..., cluster_queue: _Optional[str] = ..., workload: _Optional[str] = ..., priority_class: _Optional[str] = ..., priority: _Optional[int] = ..., state: _Optional[_Union[AdmissionState, str]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., requeue_count: _Optional[int] = ..., requeue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flavors: _Optional[_Iterable[_Union[FlavorAssignment, _Mapping]]] = ..., position: _Optional[int] = ...) -> None: ...

class QueueResource(_message.Message):
    __slots__ = ("flavor", "resource", "nominal_quota", "borrowing_limit", "lending_limit", "reserved", "used", "borrowed", "error")
    FLAVOR_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    NOMINAL_QUOTA_FIELD_NUMBER: _ClassVar[int]
    BORROWING_LIMIT_FIELD_NUMBER: _ClassVar[int]
    LENDING_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    BORROWED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    flavor: str
    resource: str
    nominal_quota: float
    borrowing_limit: float
    lending_limit: float
    reserved: float
    used: float
    borrowed: float
    error: str
    def __init__(self, flavor: _Optional[str] = ..., resource: _Optional[str] = ..., nominal_quota: _Optional[float] = ..., borrowing_limit: _Optional[float] = ..., lending_limit: _Optional[float] = ..., reserved: _Optional[float] = ..., used: _Optional[float] = ..., borrowed: _Optional[float] = ..., error: _Optional[str] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("type", "name", "namespace", "cluster_queue", "cohort", "active", "reason", "message", "stop_policy", "queueing_strategy", "resources", "pending_workloads", "reserving_workloads", "admitted_workloads", "fair_sharing_weight", "weighted_share", "labels", "create_time", "uid", "resource_version", "problem")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_QUEUE_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STOP_POLICY_FIELD_NUMBER: _ClassVar[int]
    QUEUEING_STRATEGY_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    PENDING_WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    RESERVING_WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    FAIR_SHARING_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    type: QueueType
    name: str
    namespace: str
    cluster_queue: str
    cohort: str
    active: bool
    reason: str
    message: str
    stop_policy: str
    queueing_strategy: str
    resources: _containers.RepeatedCompositeFieldContainer[QueueResource]
    pending_workloads: int
    reserving_workloads: int
    admitted_workloads: int
    fair_sharing_weight: float
    weighted_share: int
    labels: _containers.ScalarMap[str, str]
    create_time: _timestamp_pb2.Timestamp
    uid: str
    resource_version: str
    problem: str
    def __init__(self, type: _Optional[_Union[QueueType, str]] = ..., name: _Optional[str] = ..., namespace: _Optional[str] = ..., cluster_queue: _Optional[str] = ..., cohort: _Optional[str] = ..., active: _Optional[bool] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., stop_policy: _Optional[str] = ..., queueing_strategy: _Optional[str] = ..., resources: _Optional[_Iterable[_Union[QueueResource, _Mapping]]] = ..., pending_workloads: _Optional[int] = ..., reserving_workloads: _Optional[int] = ..., admitted_workloads: _Optional[int] = ..., fair_sharing_weight: _Optional[float] = ..., weighted_share: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., uid: _Optional[str] = ..., resource_version: _Optional[str] = ..., problem: _Optional[str] = ...) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "label_selector", "type", "order_by", "page_size", "page_token", "consistent")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    label_selector: str
    type: QueueType
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., type: _Optional[_Union[QueueType, str]] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ...) -> None: ...

class ListQueuesResponse(_message.Message):
    __slots__ = ("queues", "next_page_token", "total_size", "freshness", "notes")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[Queue]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, queues: _Optional[_Iterable[_Union[Queue, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...
