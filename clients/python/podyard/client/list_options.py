"""What lists of Kubernetes objects may be asked for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TypedDict

from podyard.k8s_resource.v1 import events_pb2, inventory_pb2, queues_pb2


class ListOptions(TypedDict, total=False):
    """Which objects of a cluster-scoped kind, and what of them.

    `read_mask` names the fields to return, as "name" or "gpu.available"; `count_by` the fields
    whose values are counted over all that match, in `counts` of the answers.
    """

    cluster: str
    label_selector: str
    field_selector: str
    order_by: str
    page_size: int
    consistent: bool
    read_mask: Sequence[str]
    count_by: Sequence[str]


class NamespacedListOptions(ListOptions, total=False):
    """Which objects of a namespaced kind; without a namespace or several, all."""

    namespace: str
    namespaces: Sequence[str]


class NodeListOptions(ListOptions, total=False):
    """Which nodes; the filters of ListNodesRequest."""

    ready: bool
    schedulable: bool
    instance_types: Sequence[str]
    health_statuses: Sequence[str]


class PodListOptions(NamespacedListOptions, total=False):
    """Which pods; the filters of ListPodsRequest."""

    phases: Sequence[str]
    node_names: Sequence[str]
    reasons: Sequence[str]
    gpu_only: bool


class PhaseListOptions(ListOptions, total=False):
    """Which persistent volumes or namespaces."""

    phases: Sequence[str]


class TrainingJobListOptions(NamespacedListOptions, total=False):
    """Which training jobs; the filters of ListTrainingJobsRequest."""

    states: Sequence[str]
    kinds: Sequence[str]
    queues: Sequence[str]


class EventListOptions(NamespacedListOptions, total=False):
    """Which events; the filters of ListEventsRequest, at most one of `since` and `since_time`."""

    types: Sequence[str]
    reasons: Sequence[str]
    involved_object: events_pb2.InvolvedObject
    since: datetime.timedelta
    since_time: datetime.datetime


class InventoryOptions(TypedDict, total=False):
    """What the inventory counts and tells; the fields of GetGpuInventoryRequest."""

    cluster: str
    instance_types: Sequence[str]
    resource_names: Sequence[str]
    label_selector: str
    only_problem_nodes: bool
    parts: Sequence[inventory_pb2.InventoryPart]
    page_size: int
    consistent: bool


class QueueListOptions(TypedDict, total=False):
    """Which queues; the fields of ListQueuesRequest. ClusterQueues have no namespace."""

    cluster: str
    namespace: str
    label_selector: str
    type: queues_pb2.QueueType | str
    order_by: str
    page_size: int
    consistent: bool
