import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podyard.common.v1 import operation_pb2 as _operation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StepState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATE_UNSPECIFIED: _ClassVar[StepState]
    STEP_STATE_NOT_STARTED: _ClassVar[StepState]
    STEP_STATE_RUNNING: _ClassVar[StepState]
    STEP_STATE_COMPLETED: _ClassVar[StepState]
    STEP_STATE_PARTIAL: _ClassVar[StepState]
    STEP_STATE_FAILED: _ClassVar[StepState]
    STEP_STATE_UNKNOWN: _ClassVar[StepState]

class CheckState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECK_STATE_UNSPECIFIED: _ClassVar[CheckState]
    CHECK_STATE_READY: _ClassVar[CheckState]
    CHECK_STATE_PENDING: _ClassVar[CheckState]
    CHECK_STATE_MISSING: _ClassVar[CheckState]
    CHECK_STATE_ERROR: _ClassVar[CheckState]
    CHECK_STATE_UNKNOWN: _ClassVar[CheckState]
STEP_STATE_UNSPECIFIED: StepState
STEP_STATE_NOT_STARTED: StepState
STEP_STATE_RUNNING: StepState
STEP_STATE_COMPLETED: StepState
STEP_STATE_PARTIAL: StepState
STEP_STATE_FAILED: StepState
STEP_STATE_UNKNOWN: StepState
CHECK_STATE_UNSPECIFIED: CheckState
CHECK_STATE_READY: CheckState
CHECK_STATE_PENDING: CheckState
CHECK_STATE_MISSING: CheckState
CHECK_STATE_ERROR: CheckState
CHECK_STATE_UNKNOWN: CheckState

class Cluster(_message.Message):
    __slots__ = ("tag", "config", "etag", "create_time", "update_time", "problems")
    TAG_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    tag: str
    config: ClusterConfig
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tag: _Optional[str] = ..., config: _Optional[_Union[ClusterConfig, _Mapping]] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class ClusterConfig(_message.Message):
    __slots__ = ("aws_region", "gpu_capacity_az", "gpu_instance_type", "gpu_instance_count", "training_plan", "stack_name", "eks_cluster_name", "hyperpod_cluster_name", "mlflow_server_name", "model_bucket")
    AWS_REGION_FIELD_NUMBER: _ClassVar[int]
    GPU_CAPACITY_AZ_FIELD_NUMBER: _ClassVar[int]
    GPU_INSTANCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    GPU_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRAINING_PLAN_FIELD_NUMBER: _ClassVar[int]
    STACK_NAME_FIELD_NUMBER: _ClassVar[int]
    EKS_CLUSTER_NAME_FIELD_NUMBER: _ClassVar[int]
    HYPERPOD_CLUSTER_NAME_FIELD_NUMBER: _ClassVar[int]
    MLFLOW_SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_BUCKET_FIELD_NUMBER: _ClassVar[int]
    aws_region: str
    gpu_capacity_az: str
    gpu_instance_type: str
    gpu_instance_count: int
    training_plan: str
    stack_name: str
    eks_cluster_name: str
    hyperpod_cluster_name: str
    mlflow_server_name: str
    model_bucket: str
    def __init__(self, aws_region: _Optional[str] = ..., gpu_capacity_az: _Optional[str] = ..., gpu_instance_type: _Optional[str] = ..., gpu_instance_count: _Optional[int] = ..., training_plan: _Optional[str] = ..., stack_name: _Optional[str] = ..., eks_cluster_name: _Optional[str] = ..., hyperpod_cluster_name: _Optional[str] = ..., mlflow_server_name: _Optional[str] = ..., model_bucket: _Optional[str] = ...) -> None: ...

class LaunchStatus(_message.Message):
    __slots__ = ("state", "message", "stack_name", "stack_status", "stack_status_reason", "create_time", "update_time", "outputs", "operation", "check_time")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STACK_NAME_FIELD_NUMBER: _ClassVar[int]
    STACK_STATUS_FIELD_NUMBER: _ClassVar[int]
    STACK_STATUS_REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CHECK_TIME_FIELD_NUMBER: _ClassVar[int]
    state: StepState
    message: str
    stack_name: str
    stack_status: str
    stack_status_reason: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    outputs: _containers.ScalarMap[str, str]
    operation: _operation_pb2.Operation
    check_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[StepState, str]] = ..., message: _Optional[str] = ..., stack_name: _Optional[str] = ..., stack_status: _Optional[str] = ..., stack_status_reason: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outputs: _Optional[_Mapping[str, str]] = ..., operation: _Optional[_Union[_operation_pb2.Operation, _Mapping]] = ..., check_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("name", "state", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: CheckState
    message: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[CheckState, str]] = ..., message: _Optional[str] = ...) -> None: ...

class ConfigureStatus(_message.Message):
    __slots__ = ("state", "message", "checks", "operation", "check_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CHECK_TIME_FIELD_NUMBER: _ClassVar[int]
    state: StepState
    message: str
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    operation: _operation_pb2.Operation
    check_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[StepState, str]] = ..., message: _Optional[str] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ..., operation: _Optional[_Union[_operation_pb2.Operation, _Mapping]] = ..., check_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LogFile(_message.Message):
    __slots__ = ("id", "step", "create_time", "size", "complete", "operation_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    step: str
    create_time: _timestamp_pb2.Timestamp
    size: int
    complete: bool
    operation_id: str
    def __init__(self, id: _Optional[str] = ..., step: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size: _Optional[int] = ..., complete: _Optional[bool] = ..., operation_id: _Optional[str] = ...) -> None: ...
