from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PermissionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERMISSION_STATE_UNSPECIFIED: _ClassVar[PermissionState]
    PERMISSION_STATE_ALLOWED: _ClassVar[PermissionState]
    PERMISSION_STATE_PARTLY: _ClassVar[PermissionState]
    PERMISSION_STATE_DENIED: _ClassVar[PermissionState]
    PERMISSION_STATE_UNKNOWN: _ClassVar[PermissionState]

class ComponentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPONENT_STATE_UNSPECIFIED: _ClassVar[ComponentState]
    COMPONENT_STATE_READY: _ClassVar[ComponentState]
    COMPONENT_STATE_NOT_READY: _ClassVar[ComponentState]
    COMPONENT_STATE_MISSING: _ClassVar[ComponentState]
    COMPONENT_STATE_UNKNOWN: _ClassVar[ComponentState]

class ProblemSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROBLEM_SEVERITY_UNSPECIFIED: _ClassVar[ProblemSeverity]
    PROBLEM_SEVERITY_WARNING: _ClassVar[ProblemSeverity]
    PROBLEM_SEVERITY_ERROR: _ClassVar[ProblemSeverity]
PERMISSION_STATE_UNSPECIFIED: PermissionState
PERMISSION_STATE_ALLOWED: PermissionState
PERMISSION_STATE_PARTLY: PermissionState
PERMISSION_STATE_DENIED: PermissionState
PERMISSION_STATE_UNKNOWN: PermissionState
COMPONENT_STATE_UNSPECIFIED: ComponentState
COMPONENT_STATE_READY: ComponentState
COMPONENT_STATE_NOT_READY: ComponentState
COMPONENT_STATE_MISSING: ComponentState
COMPONENT_STATE_UNKNOWN: ComponentState
PROBLEM_SEVERITY_UNSPECIFIED: ProblemSeverity
PROBLEM_SEVERITY_WARNING: ProblemSeverity
PROBLEM_SEVERITY_ERROR: ProblemSeverity

class Permission(_message.Message):
    __slots__ = ("feature", "verb", "api_group", "resource", "state", "namespaces", "rule", "message")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    API_GROUP_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    feature: str
    verb: str
    api_group: str
    resource: str
    state: PermissionState
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    rule: str
    message: str
    def __init__(self, feature: _Optional[str] = ..., verb: _Optional[str] = ..., api_group: _Optional[str] = ..., resource: _Optional[str] = ..., state: _Optional[_Union[PermissionState, str]] = ..., namespaces: _Optional[_Iterable[str]] = ..., rule: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ApiGroup(_message.Message):
    __slots__ = ("name", "versions", "product")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    product: str
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ..., product: _Optional[str] = ...) -> None: ...

class Component(_message.Message):
    __slots__ = ("name", "state", "needed", "ready", "desired", "objects", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DESIRED_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: ComponentState
    needed: bool
    ready: int
    desired: int
    objects: _containers.RepeatedScalarFieldContainer[str]
    message: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ComponentState, str]] = ..., needed: _Optional[bool] = ..., ready: _Optional[int] = ..., desired: _Optional[int] = ..., objects: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ...) -> None: ...

class HealthCheck(_message.Message):
    __slots__ = ("endpoint", "name", "passed", "message")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    name: str
    passed: bool
    message: str
    def __init__(self, endpoint: _Optional[str] = ..., name: _Optional[str] = ..., passed: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("severity", "subject", "message", "remedy")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    severity: ProblemSeverity
    subject: str
    message: str
    remedy: str
    def __init__(self, severity: _Optional[_Union[ProblemSeverity, str]] = ..., subject: _Optional[str] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...
