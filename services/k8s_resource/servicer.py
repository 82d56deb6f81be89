"""The servicer, put together from the topics in `servicers/`."""

from __future__ import annotations

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

FULL_NAME = "podyard.k8s_resource.v1.K8sResourceService"


class K8sResourceServicer(pb_grpc.K8sResourceServiceServicer):
    """Each RPC is the method of that name of the one topic that has it."""

    def __init__(self, *topics: object) -> None:
        """TypeError unless the topics together have every RPC exactly once."""
        for method in pb.DESCRIPTOR.services_by_name["K8sResourceService"].methods:
            owners = [topic for topic in topics if hasattr(topic, method.name)]
            if len(owners) != 1:
                names = ", ".join(type(owner).__name__ for owner in owners) or "no topic"
                raise TypeError(f"{method.name} must be served by one topic, not by {names}")
            setattr(self, method.name, getattr(owners[0], method.name))
