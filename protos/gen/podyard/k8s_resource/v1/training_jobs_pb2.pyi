from buf.validate import validate_pb2 as _validate_pb2
from podyard.common.v1 import freshness_pb2 as _freshness_pb2
from podyard.k8s_resource.v1 import inventory_pb2 as _inventory_pb2
from podyard.k8s_resource.v1 import objects_pb2 as _objects_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTrainingJobRequest(_message.Message):
    __slots__ = ("cluster", "namespace", "name", "kind", "consistent")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    name: str
    kind: str
    consistent: bool
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., consistent: _Optional[bool] = ...) -> None: ...

class JobPod(_message.Message):
    __slots__ = ("pod", "rank", "role", "group", "faulty", "node_problems")
    POD_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    FAULTY_FIELD_NUMBER: _ClassVar[int]
    NODE_PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    pod: _objects_pb2.Pod
    rank: int
    role: str
    group: str
    faulty: bool
    node_problems: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.NodeProblem]
    def __init__(self, pod: _Optional[_Union[_objects_pb2.Pod, _Mapping]] = ..., rank: _Optional[int] = ..., role: _Optional[str] = ..., group: _Optional[str] = ..., faulty: _Optional[bool] = ..., node_problems: _Optional[_Iterable[_Union[_inventory_pb2.NodeProblem, _Mapping]]] = ...) -> None: ...

class FaultyInstance(_message.Message):
    __slots__ = ("name", "node", "health_status", "deep_health_check_status", "node_problems")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_STATUS_FIELD_NUMBER: _ClassVar[int]
    DEEP_HEALTH_CHECK_STATUS_FIELD_NUMBER: _ClassVar[int]
    NODE_PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    name: str
    node: str
    health_status: str
    deep_health_check_status: str
    node_problems: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.NodeProblem]
    def __init__(self, name: _Optional[str] = ..., node: _Optional[str] = ..., health_status: _Optional[str] = ..., deep_health_check_status: _Optional[str] = ..., node_problems: _Optional[_Iterable[_Union[_inventory_pb2.NodeProblem, _Mapping]]] = ...) -> None: ...

class ReplicaGroup(_message.Message):
    __slots__ = ("name", "replicas", "min_replicas", "max_replicas", "spares", "pods")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    MIN_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    MAX_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    SPARES_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    name: str
    replicas: int
    min_replicas: int
    max_replicas: int
    spares: int
    pods: _objects_pb2.JobPodCounts
    def __init__(self, name: _Optional[str] = ..., replicas: _Optional[int] = ..., min_replicas: _Optional[int] = ..., max_replicas: _Optional[int] = ..., spares: _Optional[int] = ..., pods: _Optional[_Union[_objects_pb2.JobPodCounts, _Mapping]] = ...) -> None: ...

class GetTrainingJobResponse(_message.Message):
    __slots__ = ("training_job", "pods", "groups", "faulty_instances", "master_address", "freshness", "notes")
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    FAULTY_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    MASTER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    training_job: _objects_pb2.TrainingJob
    pods: _containers.RepeatedCompositeFieldContainer[JobPod]
    groups: _containers.RepeatedCompositeFieldContainer[ReplicaGroup]
    faulty_instances: _containers.RepeatedCompositeFieldContainer[FaultyInstance]
    master_address: str
    freshness: _freshness_pb2.Freshness
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, training_job: _Optional[_Union[_objects_pb2.TrainingJob, _Mapping]] = ..., pods: _Optional[_Iterable[_Union[JobPod, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[ReplicaGroup, _Mapping]]] = ..., faulty_instances: _Optional[_Iterable[_Union[FaultyInstance, _Mapping]]] = ..., master_address: _Optional[str] = ..., freshness: _Optional[_Union[_freshness_pb2.Freshness, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...
