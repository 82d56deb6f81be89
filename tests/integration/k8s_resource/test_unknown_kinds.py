"""Kinds that a cluster does not have: what may have been meant, and what would bring them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import watch_pb2

from tests.integration.k8s_resource.conftest import Service

READS: dict[str, Callable[[Service, str], Any]] = {
    "list": lambda s, kind: s.stub.ListObjects(pb.ListObjectsRequest(kind=kind)),
    "get": lambda s, kind: s.stub.GetObject(pb.GetObjectRequest(kind=kind, name="x")),
    "watch": lambda s, kind: s.stub.Watch(watch_pb2.WatchRequest(kinds=[kind])).read(),
    "delete": lambda s, kind: s.stub.Delete(
        pb.DeleteRequest(selector=pb.DeleteSelector(kind=kind, label_selector="a=b"))
    ),
}


async def refused(call: Any) -> tuple[str, list[Any]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND, caught.value.details()
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    details = []
    for packed in status.details:
        for type_ in (error_details_pb2.ErrorInfo, error_details_pb2.ResourceInfo):
            message = type_()
            if packed.Unpack(message):
                details.append(message)
    return str(caught.value.details()), details


@pytest.mark.parametrize("read", READS)
async def test_what_may_have_been_meant_is_named_wherever_a_kind_is_given(
    service: Service, control_plane: Any, read: str
) -> None:
    text, (info, resource) = await refused(READS[read](service, "confgmaps"))
    assert text == (
        f'cluster "{control_plane.context}" serves no kind "confgmaps"; did you mean configmaps?'
    )
    assert info.reason == "UNKNOWN_KIND"
    assert (resource.resource_type, resource.resource_name) == ("kind", "confgmaps")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("pdo", "did you mean pods"),
        ("Secrt", "did you mean secrets?"),
        ("deployments.app", "did you mean deployments.apps"),
        ("apps/v1beta1/Deployment", "did you mean deployments.apps"),
        ("statefullsets", "did you mean statefulsets.apps?"),
        ("netpols", "did you mean networkpolicies.networking.k8s.io?"),
        ("clusterqueue", "it comes with Kueue, which is not installed there"),
        ("RayCluster", "it comes with KubeRay, which is not installed there"),
    ],
)
async def test_near_names_of_every_form_are_found(service: Service, kind: str, told: str) -> None:
    text, _ = await refused(READS["get"](service, kind))
    assert told in text


async def test_nothing_is_suggested_where_nothing_is_near(service: Service) -> None:
    text, _ = await refused(READS["list"](service, "xyzzyplugh"))
    assert text.endswith('serves no kind "xyzzyplugh"')
