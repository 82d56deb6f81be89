import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podyard.common.v1 import freshness_pb2 as _freshness_pb2
from podyard.k8s_resource.v1 import objects_pb2 as _objects_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InventoryPart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVENTORY_PART_UNSPECIFIED: _ClassVar[InventoryPart]
    INVENTORY_PART_NODES: _ClassVar[InventoryPart]
    INVENTORY_PART_HOLDERS: _ClassVar[InventoryPart]
    INVENTORY_PART_PENDING: _ClassVar[InventoryPart]

class NodeProblemType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_PROBLEM_TYPE_UNSPECIFIED: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_CORDONED: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_NOT_READY: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_UNHEALTHY: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_TAINTED: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_NO_POD_SLOTS: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_DEVICES_UNHEALTHY: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_DEVICES_MISSING: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_UNREADABLE: _ClassVar[NodeProblemType]
    NODE_PROBLEM_TYPE_DEEP_HEALTH_CHECK: _ClassVar[NodeProblemType]
INVENTORY_PART_UNSPECIFIED: InventoryPart
INVENTORY_PART_NODES: InventoryPart
INVENTORY_PART_HOLDERS: InventoryPart
INVENTORY_PART_PENDING: InventoryPart
NODE_PROBLEM_TYPE_UNSPECIFIED: NodeProblemType
NODE_PROBLEM_TYPE_CORDONED: NodeProblemType
NODE_PROBLEM_TYPE_NOT_READY: NodeProblemType
NODE_PROBLEM_TYPE_UNHEALTHY: NodeProblemType
NODE_PROBLEM_TYPE_TAINTED: NodeProblemType
NODE_PROBLEM_TYPE_NO_POD_SLOTS: NodeProblemType
NODE_PROBLEM_TYPE_DEVICES_UNHEALTHY: NodeProblemType
NODE_PROBLEM_TYPE_DEVICES_MISSING: NodeProblemType
NODE_PROBLEM_TYPE_UNREADABLE: NodeProblemType
NODE_PROBLEM_TYPE_DEEP_HEALTH_CHECK: NodeProblemType

class GetGpuInventoryRequest(_message.Message):
    __slots__ = ("cluster", "instance_types", "resource_names", "label_selector", "only_problem_nodes", "parts", "page_size", "page_token", "consistent")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_NAMES_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ONLY_PROBLEM_NODES_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    instance_types: _containers.RepeatedScalarFieldContainer[str]
    resource_names: _containers.RepeatedScalarFieldContainer[str]
    label_selector: str
    only_problem_nodes: bool
    parts: _containers.RepeatedScalarFieldContainer[InventoryPart]
    page_size: int
    page_token: str
    consistent: bool
    def __init__(self, cluster: _Optional[str] = ..., instance_types: _Optional[_Iterable[str]] = ..., resource_names: _Optional[_Iterable[str]] = ..., label_selector: _Optional[str] = ..., only_problem_nodes: _Optional[bool] = ..., parts: _Optional[_Iterable[_Union[InventoryPart, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ...) -> None: ...

class GetGpuInventoryResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token", "total_size", "freshness", "notes", "totals", "instance_types", "holders", "holder_count", "pending", "pending_count")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[InventoryNode]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    totals: _containers.RepeatedCompositeFieldContainer[DeviceTotals]
    instance_types: _containers.RepeatedCompositeFieldContainer[InstanceTypeInventory]
    holders: _containers.RepeatedCompositeFieldContainer[DeviceHolder]
    holder_count: int
    pending: _containers.RepeatedCompositeFieldContainer[PendingHolder]
    pending_count: int
    def __init__(self, nodes: _Optional[_Iterable[_Union[InventoryNode, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., totals: _Optional[_Iterable[_Union[DeviceTotals, _Mapping]]] = ..., instance_types: _Optional[_Iterable[_Union[InstanceTypeInventory, _Mapping]]] = ..., holders: _Optional[_Iterable[_Union[DeviceHolder, _Mapping]]] = ..., holder_count: _Optional[int] = ..., pending: _Optional[_Iterable[_Union[PendingHolder, _Mapping]]] = ..., pending_count: _Optional[int] = ...) -> None: ...

class DeviceTotals(_message.Message):
    __slots__ = ("name", "capacity", "allocatable", "requested", "free", "unschedulable", "largest_free", "node_count", "unreadable_node_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    ALLOCATABLE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    UNSCHEDULABLE_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FREE_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    capacity: int
    allocatable: int
    requested: int
    free: int
    unschedulable: int
    largest_free: int
    node_count: int
    unreadable_node_count: int
    def __init__(self, name: _Optional[str] = ..., capacity: _Optional[int] = ..., allocatable: _Optional[int] = ..., requested: _Optional[int] = ..., free: _Optional[int] = ..., unschedulable: _Optional[int] = ..., largest_free: _Optional[int] = ..., node_count: _Optional[int] = ..., unreadable_node_count: _Optional[int] = ...) -> None: ...

class InstanceTypeInventory(_message.Message):
    __slots__ = ("instance_type", "node_count", "blocked_node_count", "devices")
    INSTANCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    instance_type: str
    node_count: int
    blocked_node_count: int
    devices: _containers.RepeatedCompositeFieldContainer[DeviceTotals]
    def __init__(self, instance_type: _Optional[str] = ..., node_count: _Optional[int] = ..., blocked_node_count: _Optional[int] = ..., devices: _Optional[_Iterable[_Union[DeviceTotals, _Mapping]]] = ...) -> None: ...

class NodeProblem(_message.Message):
    __slots__ = ("type", "message", "blocking")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    type: NodeProblemType
    message: str
    blocking: bool
    def __init__(self, type: _Optional[_Union[NodeProblemType, str]] = ..., message: _Optional[str] = ..., blocking: _Optional[bool] = ...) -> None: ...

class NodeDevices(_message.Message):
    __slots__ = ("name", "capacity", "allocatable", "requested", "free", "unschedulable", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    ALLOCATABLE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    UNSCHEDULABLE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    capacity: int
    allocatable: int
    requested: int
    free: int
    unschedulable: int
    error: str
    def __init__(self, name: _Optional[str] = ..., capacity: _Optional[int] = ..., allocatable: _Optional[int] = ..., requested: _Optional[int] = ..., free: _Optional[int] = ..., unschedulable: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class InventoryNode(_message.Message):
    __slots__ = ("name", "instance_type", "zone", "accelerator", "devices", "ready", "schedulable", "health_status", "deep_health_check_status", "problems", "taints", "pod_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULABLE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_STATUS_FIELD_NUMBER: _ClassVar[int]
    DEEP_HEALTH_CHECK_STATUS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    TAINTS_FIELD_NUMBER: _ClassVar[int]
    POD_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    instance_type: str
    zone: str
    accelerator: str
    devices: _containers.RepeatedCompositeFieldContainer[NodeDevices]
    ready: bool
    schedulable: bool
    health_status: str
    deep_health_check_status: str
    problems: _containers.RepeatedCompositeFieldContainer[NodeProblem]
    taints: _containers.RepeatedScalarFieldContainer[str]
    pod_count: int
    def __init__(self, name: _Optional[str] = ..., instance_type: _Optional[str] = ..., zone: _Optional[str] = ..., accelerator: _Optional[str] = ..., devices: _Optional[_Iterable[_Union[NodeDevices, _Mapping]]] = ..., ready: _Optional[bool] = ..., schedulable: _Optional[bool] = ..., health_status: _Optional[str] = ..., deep_health_check_status: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[NodeProblem, _Mapping]]] = ..., taints: _Optional[_Iterable[str]] = ..., pod_count: _Optional[int] = ...) -> None: ...

class DeviceAmount(_message.Message):
    __slots__ = ("name", "amount")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    amount: int
    def __init__(self, name: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class HoldingNode(_message.Message):
    __slots__ = ("name", "devices")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    name: str
    devices: _containers.RepeatedCompositeFieldContainer[DeviceAmount]
    def __init__(self, name: _Optional[str] = ..., devices: _Optional[_Iterable[_Union[DeviceAmount, _Mapping]]] = ...) -> None: ...

class DeviceHolder(_message.Message):
    __slots__ = ("holder", "devices", "nodes", "pod_count")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    POD_COUNT_FIELD_NUMBER: _ClassVar[int]
    holder: _objects_pb2.ObjectRef
    devices: _containers.RepeatedCompositeFieldContainer[DeviceAmount]
    nodes: _containers.RepeatedCompositeFieldContainer[HoldingNode]
    pod_count: int
    def __init__(self, holder: _Optional[_Union[_objects_pb2.ObjectRef, _Mapping]] = ..., devices: _Optional[_Iterable[_Union[DeviceAmount, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[HoldingNode, _Mapping]]] = ..., pod_count: _Optional[int] = ...) -> None: ...

class PendingDevices(_message.Message):
    __slots__ = ("name", "requested", "missing")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    name: str
    requested: int
    missing: int
    def __init__(self, name: _Optional[str] = ..., requested: _Optional[int] = ..., missing: _Optional[int] = ...) -> None: ...

class PendingHolder(_message.Message):
    __slots__ = ("holder", "pods", "devices", "since", "message", "eligible_node_count")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    holder: _objects_pb2.ObjectRef
    pods: _containers.RepeatedScalarFieldContainer[str]
    devices: _containers.RepeatedCompositeFieldContainer[PendingDevices]
    since: _timestamp_pb2.Timestamp
    message: str
    eligible_node_count: int
    def __init__(self, holder: _Optional[_Union[_objects_pb2.ObjectRef, _Mapping]] = ..., pods: _Optional[_Iterable[str]] = ..., devices: _Optional[_Iterable[_Union[PendingDevices, _Mapping]]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., eligible_node_count: _Optional[int] = ...) -> None: ...
