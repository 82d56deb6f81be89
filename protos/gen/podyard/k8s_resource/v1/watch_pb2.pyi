import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podyard.common.v1 import options_pb2 as _options_pb2
from podyard.common.v1 import stream_pb2 as _stream_pb2
from podyard.k8s_resource.v1 import events_pb2 as _events_pb2
from podyard.k8s_resource.v1 import namespaces_pb2 as _namespaces_pb2
from podyard.k8s_resource.v1 import objects_pb2 as _objects_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ObjectView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OBJECT_VIEW_UNSPECIFIED: _ClassVar[ObjectView]
    OBJECT_VIEW_NAME: _ClassVar[ObjectView]
    OBJECT_VIEW_SUMMARY: _ClassVar[ObjectView]
    OBJECT_VIEW_FULL: _ClassVar[ObjectView]
    OBJECT_VIEW_CHANGES: _ClassVar[ObjectView]

class WatchEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WATCH_EVENT_TYPE_UNSPECIFIED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_ADDED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_MODIFIED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_DELETED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_SYNCED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_RELISTED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_BOOKMARK: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_HEARTBEAT: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_DISCONNECTED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_RECONNECTED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_END: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_GAP: _ClassVar[WatchEventType]
OBJECT_VIEW_UNSPECIFIED: ObjectView
OBJECT_VIEW_NAME: ObjectView
OBJECT_VIEW_SUMMARY: ObjectView
OBJECT_VIEW_FULL: ObjectView
OBJECT_VIEW_CHANGES: ObjectView
WATCH_EVENT_TYPE_UNSPECIFIED: WatchEventType
WATCH_EVENT_TYPE_ADDED: WatchEventType
WATCH_EVENT_TYPE_MODIFIED: WatchEventType
WATCH_EVENT_TYPE_DELETED: WatchEventType
WATCH_EVENT_TYPE_SYNCED: WatchEventType
WATCH_EVENT_TYPE_RELISTED: WatchEventType
WATCH_EVENT_TYPE_BOOKMARK: WatchEventType
WATCH_EVENT_TYPE_HEARTBEAT: WatchEventType
WATCH_EVENT_TYPE_DISCONNECTED: WatchEventType
WATCH_EVENT_TYPE_RECONNECTED: WatchEventType
WATCH_EVENT_TYPE_END: WatchEventType
WATCH_EVENT_TYPE_GAP: WatchEventType

class WatchTarget(_message.Message):
    __slots__ = ("kind", "namespace", "label_selector", "field_selector")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    kind: str
    namespace: str
    label_selector: str
    field_selector: str
    def __init__(self, kind: _Optional[str] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("cluster", "kinds", "namespace", "label_selector", "field_selector", "targets", "view", "resume_token", "coalesce", "skip_initial_state", "timeout")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COALESCE_FIELD_NUMBER: _ClassVar[int]
    SKIP_INITIAL_STATE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    namespace: str
    label_selector: str
    field_selector: str
    targets: _containers.RepeatedCompositeFieldContainer[WatchTarget]
    view: ObjectView
    resume_token: str
    coalesce: bool
    skip_initial_state: bool
    timeout: _duration_pb2.Duration
    def __init__(self, cluster: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[WatchTarget, _Mapping]]] = ..., view: _Optional[_Union[ObjectView, str]] = ..., resume_token: _Optional[str] = ..., coalesce: _Optional[bool] = ..., skip_initial_state: _Optional[bool] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FieldChange(_message.Message):
    __slots__ = ("path", "old_json", "new_json")
    PATH_FIELD_NUMBER: _ClassVar[int]
    OLD_JSON_FIELD_NUMBER: _ClassVar[int]
    NEW_JSON_FIELD_NUMBER: _ClassVar[int]
    path: str
    old_json: str
    new_json: str
    def __init__(self, path: _Optional[str] = ..., old_json: _Optional[str] = ..., new_json: _Optional[str] = ...) -> None: ...

class VersionGap(_message.Message):
    __slots__ = ("after_resource_version", "until_resource_version")
    AFTER_RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    after_resource_version: str
    until_resource_version: str
    def __init__(self, after_resource_version: _Optional[str] = ..., until_resource_version: _Optional[str] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("type", "target", "ref", "pod", "node", "service", "deployment", "persistent_volume", "training_job", "object", "event", "namespace", "json", "receive_time", "message", "end", "changes", "coalesced_changes", "gap")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    PERSISTENT_VOLUME_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    COALESCED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    type: WatchEventType
    target: int
    ref: _objects_pb2.ObjectRef
    pod: _objects_pb2.Pod
    node: _objects_pb2.Node
    service: _objects_pb2.Service
    deployment: _objects_pb2.Deployment
    persistent_volume: _objects_pb2.PersistentVolume
    training_job: _objects_pb2.TrainingJob
    object: _objects_pb2.KubernetesObject
    event: _events_pb2.Event
    namespace: _namespaces_pb2.Namespace
    json: str
    receive_time: _timestamp_pb2.Timestamp
    message: str
    end: _stream_pb2.StreamEnd
    changes: _containers.RepeatedCompositeFieldContainer[FieldChange]
    coalesced_changes: int
    gap: VersionGap
    def __init__(self, type: _Optional[_Union[WatchEventType, str]] = ..., target: _Optional[int] = ..., ref: _Optional[_Union[_objects_pb2.ObjectRef, _Mapping]] = ..., pod: _Optional[_Union[_objects_pb2.Pod, _Mapping]] = ..., node: _Optional[_Union[_objects_pb2.Node, _Mapping]] = ..., service: _Optional[_Union[_objects_pb2.Service, _Mapping]] = ..., deployment: _Optional[_Union[_objects_pb2.Deployment, _Mapping]] = ..., persistent_volume: _Optional[_Union[_objects_pb2.PersistentVolume, _Mapping]] = ..., training_job: _Optional[_Union[_objects_pb2.TrainingJob, _Mapping]] = ..., object: _Optional[_Union[_objects_pb2.KubernetesObject, _Mapping]] = ..., event: _Optional[_Union[_events_pb2.Event, _Mapping]] = ..., namespace: _Optional[_Union[_namespaces_pb2.Namespace, _Mapping]] = ..., json: _Optional[str] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., end: _Optional[_Union[_stream_pb2.StreamEnd, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., coalesced_changes: _Optional[int] = ..., gap: _Optional[_Union[VersionGap, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("events", "resume_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[WatchEvent]
    resume_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[WatchEvent, _Mapping]]] = ..., resume_token: _Optional[str] = ...) -> None: ...
