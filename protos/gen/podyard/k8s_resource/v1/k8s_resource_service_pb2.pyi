import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.rpc import status_pb2 as _status_pb2
from podyard.common.v1 import freshness_pb2 as _freshness_pb2
from podyard.common.v1 import options_pb2 as _options_pb2
from podyard.k8s_resource.v1 import captured_logs_pb2 as _captured_logs_pb2
from podyard.k8s_resource.v1 import cluster_info_pb2 as _cluster_info_pb2
from podyard.k8s_resource.v1 import counts_pb2 as _counts_pb2
from podyard.k8s_resource.v1 import events_pb2 as _events_pb2
from podyard.k8s_resource.v1 import inventory_pb2 as _inventory_pb2
from podyard.k8s_resource.v1 import log_reads_pb2 as _log_reads_pb2
from podyard.k8s_resource.v1 import logs_pb2 as _logs_pb2
from podyard.k8s_resource.v1 import namespaces_pb2 as _namespaces_pb2
from podyard.k8s_resource.v1 import objects_pb2 as _objects_pb2
from podyard.k8s_resource.v1 import queues_pb2 as _queues_pb2
from podyard.k8s_resource.v1 import training_jobs_pb2 as _training_jobs_pb2
from podyard.k8s_resource.v1 import watch_pb2 as _watch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ObjectFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OBJECT_FORMAT_UNSPECIFIED: _ClassVar[ObjectFormat]
    OBJECT_FORMAT_JSON: _ClassVar[ObjectFormat]
    OBJECT_FORMAT_YAML: _ClassVar[ObjectFormat]

class ApplyAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLY_ACTION_UNSPECIFIED: _ClassVar[ApplyAction]
    APPLY_ACTION_CREATED: _ClassVar[ApplyAction]
    APPLY_ACTION_CONFIGURED: _ClassVar[ApplyAction]
    APPLY_ACTION_UNCHANGED: _ClassVar[ApplyAction]
    APPLY_ACTION_FAILED: _ClassVar[ApplyAction]

class PropagationPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPAGATION_POLICY_UNSPECIFIED: _ClassVar[PropagationPolicy]
    PROPAGATION_POLICY_BACKGROUND: _ClassVar[PropagationPolicy]
    PROPAGATION_POLICY_FOREGROUND: _ClassVar[PropagationPolicy]
    PROPAGATION_POLICY_ORPHAN: _ClassVar[PropagationPolicy]

class DeleteOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELETE_OUTCOME_UNSPECIFIED: _ClassVar[DeleteOutcome]
    DELETE_OUTCOME_DELETED: _ClassVar[DeleteOutcome]
    DELETE_OUTCOME_TERMINATING: _ClassVar[DeleteOutcome]
    DELETE_OUTCOME_MISSING: _ClassVar[DeleteOutcome]
    DELETE_OUTCOME_FAILED: _ClassVar[DeleteOutcome]
OBJECT_FORMAT_UNSPECIFIED: ObjectFormat
OBJECT_FORMAT_JSON: ObjectFormat
OBJECT_FORMAT_YAML: ObjectFormat
APPLY_ACTION_UNSPECIFIED: ApplyAction
APPLY_ACTION_CREATED: ApplyAction
APPLY_ACTION_CONFIGURED: ApplyAction
APPLY_ACTION_UNCHANGED: ApplyAction
APPLY_ACTION_FAILED: ApplyAction
PROPAGATION_POLICY_UNSPECIFIED: PropagationPolicy
PROPAGATION_POLICY_BACKGROUND: PropagationPolicy
PROPAGATION_POLICY_FOREGROUND: PropagationPolicy
PROPAGATION_POLICY_ORPHAN: PropagationPolicy
DELETE_OUTCOME_UNSPECIFIED: DeleteOutcome
DELETE_OUTCOME_DELETED: DeleteOutcome
DELETE_OUTCOME_TERMINATING: DeleteOutcome
DELETE_OUTCOME_MISSING: DeleteOutcome
DELETE_OUTCOME_FAILED: DeleteOutcome

class ListClusterConnectionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterConnection(_message.Message):
    __slots__ = ("name", "default", "server", "namespace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    default: bool
    server: str
    namespace: str
    def __init__(self, name: _Optional[str] = ..., default: _Optional[bool] = ..., server: _Optional[str] = ..., namespace: _Optional[str] = ...) -> None: ...

class ListClusterConnectionsResponse(_message.Message):
    __slots__ = ("connections",)
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[ClusterConnection]
    def __init__(self, connections: _Optional[_Iterable[_Union[ClusterConnection, _Mapping]]] = ...) -> None: ...

class GetClusterInfoRequest(_message.Message):
    __slots__ = ("cluster", "namespaces")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., namespaces: _Optional[_Iterable[str]] = ...) -> None: ...

class GetClusterInfoResponse(_message.Message):
    __slots__ = ("cluster", "server", "reachable", "version", "latency", "clock_skew", "problem", "cached_kinds", "access_rules", "access_rules_incomplete", "platform", "user", "groups", "permissions", "api_groups", "components", "health_checks", "problems")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEW_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    CACHED_KINDS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_RULES_FIELD_NUMBER: _ClassVar[int]
    ACCESS_RULES_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    API_GROUPS_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECKS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    server: str
    reachable: bool
    version: str
    latency: _duration_pb2.Duration
    clock_skew: _duration_pb2.Duration
    problem: str
    cached_kinds: _containers.RepeatedCompositeFieldContainer[CachedKind]
    access_rules: _containers.RepeatedCompositeFieldContainer[AccessRule]
    access_rules_incomplete: bool
    platform: str
    user: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    permissions: _containers.RepeatedCompositeFieldContainer[_cluster_info_pb2.Permission]
    api_groups: _containers.RepeatedCompositeFieldContainer[_cluster_info_pb2.ApiGroup]
    components: _containers.RepeatedCompositeFieldContainer[_cluster_info_pb2.Component]
    health_checks: _containers.RepeatedCompositeFieldContainer[_cluster_info_pb2.HealthCheck]
    problems: _containers.RepeatedCompositeFieldContainer[_cluster_info_pb2.Problem]
    def __init__(self, cluster: _Optional[str] = ..., server: _Optional[str] = ..., reachable: _Optional[bool] = ..., version: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., clock_skew: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., problem: _Optional[str] = ..., cached_kinds: _Optional[_Iterable[_Union[CachedKind, _Mapping]]] = ..., access_rules: _Optional[_Iterable[_Union[AccessRule, _Mapping]]] = ..., access_rules_incomplete: _Optional[bool] = ..., platform: _Optional[str] = ..., user: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., permissions: _Optional[_Iterable[_Union[_cluster_info_pb2.Permission, _Mapping]]] = ..., api_groups: _Optional[_Iterable[_Union[_cluster_info_pb2.ApiGroup, _Mapping]]] = ..., components: _Optional[_Iterable[_Union[_cluster_info_pb2.Component, _Mapping]]] = ..., health_checks: _Optional[_Iterable[_Union[_cluster_info_pb2.HealthCheck, _Mapping]]] = ..., problems: _Optional[_Iterable[_Union[_cluster_info_pb2.Problem, _Mapping]]] = ...) -> None: ...

class CachedKind(_message.Message):
    __slots__ = ("resource", "objects", "freshness", "namespace")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    resource: str
    objects: int
    freshness: _freshness_pb2.Freshness
    namespace: str
    def __init__(self, resource: _Optional[str] = ..., objects: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., namespace: _Optional[str] = ...) -> None: ...

class AccessRule(_message.Message):
    __slots__ = ("verbs", "api_groups", "resources", "resource_names")
    VERBS_FIELD_NUMBER: _ClassVar[int]
    API_GROUPS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_NAMES_FIELD_NUMBER: _ClassVar[int]
    verbs: _containers.RepeatedScalarFieldContainer[str]
    api_groups: _containers.RepeatedScalarFieldContainer[str]
    resources: _containers.RepeatedScalarFieldContainer[str]
    resource_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, verbs: _Optional[_Iterable[str]] = ..., api_groups: _Optional[_Iterable[str]] = ..., resources: _Optional[_Iterable[str]] = ..., resource_names: _Optional[_Iterable[str]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("cluster", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "ready", "schedulable", "instance_types", "health_statuses")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULABLE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    HEALTH_STATUSES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    ready: bool
    schedulable: bool
    instance_types: _containers.RepeatedScalarFieldContainer[str]
    health_statuses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., ready: _Optional[bool] = ..., schedulable: _Optional[bool] = ..., instance_types: _Optional[_Iterable[str]] = ..., health_statuses: _Optional[_Iterable[str]] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token", "total_size", "freshness", "notes", "counts")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_objects_pb2.Node]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, nodes: _Optional[_Iterable[_Union[_objects_pb2.Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class GetNodeRequest(_message.Message):
    __slots__ = ("cluster", "name")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    name: str
    def __init__(self, cluster: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class GetNodeResponse(_message.Message):
    __slots__ = ("node", "freshness")
    NODE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    node: _objects_pb2.Node
    freshness: _freshness_pb2.Freshness
    def __init__(self, node: _Optional[_Union[_objects_pb2.Node, _Mapping]] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ...) -> None: ...

class ListPodsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "namespaces", "phases", "node_names", "reasons", "gpu_only")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    NODE_NAMES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    GPU_ONLY_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    phases: _containers.RepeatedScalarFieldContainer[str]
    node_names: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    gpu_only: bool
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., namespaces: _Optional[_Iterable[str]] = ..., phases: _Optional[_Iterable[str]] = ..., node_names: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[str]] = ..., gpu_only: _Optional[bool] = ...) -> None: ...

class ListPodsResponse(_message.Message):
    __slots__ = ("pods", "next_page_token", "total_size", "freshness", "notes", "counts")
    PODS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    pods: _containers.RepeatedCompositeFieldContainer[_objects_pb2.Pod]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, pods: _Optional[_Iterable[_Union[_objects_pb2.Pod, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "namespaces")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., namespaces: _Optional[_Iterable[str]] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token", "total_size", "freshness", "notes", "counts")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[_objects_pb2.Service]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, services: _Optional[_Iterable[_Union[_objects_pb2.Service, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class ListDeploymentsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "namespaces")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., namespaces: _Optional[_Iterable[str]] = ...) -> None: ...

class ListDeploymentsResponse(_message.Message):
    __slots__ = ("deployments", "next_page_token", "total_size", "freshness", "notes", "counts")
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    deployments: _containers.RepeatedCompositeFieldContainer[_objects_pb2.Deployment]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, deployments: _Optional[_Iterable[_Union[_objects_pb2.Deployment, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class ListPersistentVolumesRequest(_message.Message):
    __slots__ = ("cluster", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "phases")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    phases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., phases: _Optional[_Iterable[str]] = ...) -> None: ...

class ListPersistentVolumesResponse(_message.Message):
    __slots__ = ("persistent_volumes", "next_page_token", "total_size", "freshness", "notes", "counts")
    PERSISTENT_VOLUMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    persistent_volumes: _containers.RepeatedCompositeFieldContainer[_objects_pb2.PersistentVolume]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, persistent_volumes: _Optional[_Iterable[_Union[_objects_pb2.PersistentVolume, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class ListTrainingJobsRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "label_selector", "field_selector", "order_by", "page_size", "page_token", "consistent", "read_mask", "count_by", "namespaces", "states", "kinds", "queues")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    COUNT_BY_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    page_token: str
    consistent: bool
    read_mask: _field_mask_pb2.FieldMask
    count_by: _containers.RepeatedScalarFieldContainer[str]
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    states: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    queues: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consistent: _Optional[bool] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., count_by: _Optional[_Iterable[str]] = ..., namespaces: _Optional[_Iterable[str]] = ..., states: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[str]] = ..., queues: _Optional[_Iterable[str]] = ...) -> None: ...

class ListTrainingJobsResponse(_message.Message):
    __slots__ = ("training_jobs", "next_page_token", "total_size", "freshness", "notes", "counts")
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    training_jobs: _containers.RepeatedCompositeFieldContainer[_objects_pb2.TrainingJob]
    next_page_token: str
    total_size: int
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedCompositeFieldContainer[_counts_pb2.FieldCounts]
    def __init__(self, training_jobs: _Optional[_Iterable[_Union[_objects_pb2.TrainingJob, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[_Union[_counts_pb2.FieldCounts, _Mapping]]] = ...) -> None: ...

class ListObjectsRequest(_message.Message):
    __slots__ = ("cluster", "kind", "namespace", "label_selector", "field_selector", "page_size", "page_token", "include_managed_fields")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_MANAGED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    kind: str
    namespace: str
    label_selector: str
    field_selector: str
    page_size: int
    page_token: str
    include_managed_fields: bool
    def __init__(self, cluster: _Optional[str] = ..., kind: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_managed_fields: _Optional[bool] = ...) -> None: ...

class ListObjectsResponse(_message.Message):
    __slots__ = ("objects", "next_page_token", "remaining_item_count", "freshness")
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REMAINING_ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[_objects_pb2.KubernetesObject]
    next_page_token: str
    remaining_item_count: int
    freshness: _freshness_pb2.Freshness
    def __init__(self, objects: _Optional[_Iterable[_Union[_objects_pb2.KubernetesObject, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., remaining_item_count: _Optional[int] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ...) -> None: ...

class GetObjectRequest(_message.Message):
    __slots__ = ("cluster", "kind", "namespace", "name", "format", "include_managed_fields")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_MANAGED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    kind: str
    namespace: str
    name: str
    format: ObjectFormat
    include_managed_fields: bool
    def __init__(self, cluster: _Optional[str] = ..., kind: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., format: _Optional[_Union[ObjectFormat, str]] = ..., include_managed_fields: _Optional[bool] = ...) -> None: ...

class GetObjectResponse(_message.Message):
    __slots__ = ("object", "yaml", "freshness")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    YAML_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    object: _objects_pb2.KubernetesObject
    yaml: str
    freshness: _freshness_pb2.Freshness
    def __init__(self, object: _Optional[_Union[_objects_pb2.KubernetesObject, _Mapping]] = ..., yaml: _Optional[str] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("cluster", "manifest", "namespace", "field_manager", "force", "validate_only", "request_id")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    manifest: str
    namespace: str
    field_manager: str
    force: bool
    validate_only: bool
    request_id: str
    def __init__(self, cluster: _Optional[str] = ..., manifest: _Optional[str] = ..., namespace: _Optional[str] = ..., field_manager: _Optional[str] = ..., force: _Optional[bool] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyResult(_message.Message):
    __slots__ = ("document", "ref", "action", "error", "warnings")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    document: int
    ref: _objects_pb2.ObjectRef
    action: ApplyAction
    error: _status_pb2.Status
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, document: _Optional[int] = ..., ref: _Optional[_Union[_objects_pb2.ObjectRef, _Mapping]] = ..., action: _Optional[_Union[ApplyAction, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ApplyResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ApplyResult, _Mapping]]] = ...) -> None: ...

class DeleteSelector(_message.Message):
    __slots__ = ("kind", "namespace", "label_selector")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    kind: str
    namespace: str
    label_selector: str
    def __init__(self, kind: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ...) -> None: ...

class ObjectKey(_message.Message):
    __slots__ = ("kind", "namespace", "name", "uid")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    namespace: str
    name: str
    uid: str
    def __init__(self, kind: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., uid: _Optional[str] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("cluster", "objects", "manifest", "selector", "namespace", "propagation_policy", "grace_period", "validate_only", "request_id")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PROPAGATION_POLICY_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    objects: _containers.RepeatedCompositeFieldContainer[ObjectKey]
    manifest: str
    selector: DeleteSelector
    namespace: str
    propagation_policy: PropagationPolicy
    grace_period: _duration_pb2.Duration
    validate_only: bool
    request_id: str
    def __init__(self, cluster: _Optional[str] = ..., objects: _Optional[_Iterable[_Union[ObjectKey, _Mapping]]] = ..., manifest: _Optional[str] = ..., selector: _Optional[_Union[DeleteSelector, _Mapping]] = ..., namespace: _Optional[str] = ..., propagation_policy: _Optional[_Union[PropagationPolicy, str]] = ..., grace_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteResult(_message.Message):
    __slots__ = ("ref", "outcome", "error")
    REF_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ref: _objects_pb2.ObjectRef
    outcome: DeleteOutcome
    error: _status_pb2.Status
    def __init__(self, ref: _Optional[_Union[_objects_pb2.ObjectRef, _Mapping]] = ..., outcome: _Optional[_Union[DeleteOutcome, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DeleteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[DeleteResult, _Mapping]]] = ...) -> None: ...
