"""The common gRPC server, exercised over a real connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from podyard.common.v1 import options_pb2
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc
from pydantic_settings import SettingsConfigDict

from services.common.audit import AuditEntry
from services.common.errors import NotFoundError, UnauthenticatedError, UnavailableError
from services.common.health import Dependency
from services.common.identity import Metadata, Principal
from services.common.server import Draining, GrpcServer, Registration, serve_until_signalled
from services.common.settings import ServiceSettings, load_settings

SERVICE = "podyard.training_history.v1.TrainingHistoryService"


class History(pb_grpc.TrainingHistoryServiceServicer):
    """Answers each way a handler can."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunResponse:
        match request.run_id:
            case "missing":
                raise NotFoundError("run", "missing")
            case "down":
                raise UnavailableError("MLflow is down", retry_after=2.5)
            case "bug":
                raise RuntimeError("secret detail")
            case "slow":
                self.entered.set()
                await self.release.wait()
        return pb.GetRunResponse(run=pb.Run(run_id=request.run_id))

    async def DeleteRuns(
        self, request: pb.DeleteRunsRequest, context: Any
    ) -> pb.DeleteRunsResponse:
        return pb.DeleteRunsResponse()


class Recorder:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


class HeaderAuthenticator:
    """Takes the role from a header: the seam that identity fills."""

    def authenticate(self, metadata: Metadata, peer: str) -> Principal:
        role = dict(metadata).get("role")
        if role is None:
            raise UnauthenticatedError("say who you are")
        return Principal("tester", options_pb2.Role.Value(f"ROLE_{str(role).upper()}"))


class ExampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PODYARD_EXAMPLE_")


class World:
    def __init__(self) -> None:
        self.servicer = History()
        self.audit = Recorder()
        self.dependency_error: Exception | None = None
        self.server: GrpcServer
        self.channel: grpc.aio.Channel
        self.port = 0

    async def probe(self) -> None:
        if self.dependency_error:
            raise self.dependency_error

    def stub(self) -> Any:
        return pb_grpc.TrainingHistoryServiceStub(self.channel)


def registration(servicer: History) -> Registration:
    return Registration(SERVICE, pb_grpc.add_TrainingHistoryServiceServicer_to_server, servicer)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    world.server = GrpcServer(
        "127.0.0.1:0",
        [registration(world.servicer)],
        Draining(),
        dependencies=[Dependency("mlflow", world.probe)],
        drain_seconds=5,
        authenticator=HeaderAuthenticator(),
        audit=world.audit,
    )
    world.port = await world.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as world.channel:
        yield world
    await world.server.stop()


def status_of(error: Any) -> Any:
    """The google.rpc.Status that a failed call carries."""
    return rpc_status.from_call(error)


VIEWER = (("role", "viewer"),)
OPERATOR = (("role", "operator"),)


async def test_errors_carry_code_and_details(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().GetRun(pb.GetRunRequest(run_id="missing"), metadata=VIEWER)
    status = status_of(caught.value)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    info, resource = error_details_pb2.ErrorInfo(), error_details_pb2.ResourceInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(resource)
    assert (info.reason, info.domain) == ("NOT_FOUND", "podyard")
    assert (resource.resource_type, resource.resource_name) == ("run", "missing")


async def test_retryable_errors_say_when(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().GetRun(pb.GetRunRequest(run_id="down"), metadata=VIEWER)
    retry = error_details_pb2.RetryInfo()
    assert status_of(caught.value).details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 2500


async def test_unexpected_errors_hide_their_text_and_give_the_request_id(world: World) -> None:
    metadata = (*VIEWER, ("x-request-id", "abc123"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().GetRun(pb.GetRunRequest(run_id="bug"), metadata=metadata)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value.details())
    assert ("x-request-id", "abc123") in tuple(caught.value.trailing_metadata() or ())


async def test_a_method_that_is_not_offered_is_told(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().ListColumns(pb.ListColumnsRequest(), metadata=VIEWER)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_every_bad_field_is_named(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().DeleteRuns(pb.DeleteRunsRequest(run_ids=["ok", ""]), metadata=OPERATOR)
    bad = error_details_pb2.BadRequest()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status_of(caught.value).details[1].Unpack(bad)
    assert [v.field for v in bad.field_violations] == ["run_ids[1]"]


async def test_role_of_the_method_is_enforced_and_denials_are_audited(world: World) -> None:
    request = pb.DeleteRunsRequest(run_ids=["a"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.stub().DeleteRuns(request, metadata=VIEWER)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await world.stub().DeleteRuns(request)
    assert unknown.value.code() is grpc.StatusCode.UNAUTHENTICATED
    await world.stub().DeleteRuns(request, metadata=OPERATOR)
    await world.stub().GetRun(pb.GetRunRequest(run_id="x"), metadata=VIEWER)
    assert [(e.actor, e.outcome) for e in world.audit.entries] == [
        ("tester", "PERMISSION_DENIED"),
        ("unknown", "UNAUTHENTICATED"),
        ("tester", "OK"),
    ]


async def test_health_is_per_dependency_and_true(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)

    async def check(name: str) -> str:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    assert await check("dependency:mlflow") == "SERVING"
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="dependency:mlflow"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    world.dependency_error = ConnectionError("refused")
    await world.server._health.probe_all()
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    assert await check("dependency:mlflow") == "NOT_SERVING"
    assert await check("") == "SERVING"
    assert await check(SERVICE) == "SERVING"


async def test_health_lists_the_dependencies(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    world.dependency_error = ConnectionError("refused")
    await world.server._health.probe_all()
    answer = await stub.List(vars(health_pb2)["HealthListRequest"]())
    assert {
        name: health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        for name, response in answer.statuses.items()
    } == {"": "SERVING", SERVICE: "SERVING", "dependency:mlflow": "NOT_SERVING"}


async def test_reflection_lists_the_service(world: World) -> None:
    def list_services() -> list[str]:
        with grpc.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert SERVICE in await asyncio.to_thread(list_services)


async def test_a_call_in_flight_finishes_during_the_drain(world: World) -> None:
    call = world.stub().GetRun(pb.GetRunRequest(run_id="slow"), metadata=VIEWER)
    running = asyncio.ensure_future(call)
    await world.servicer.entered.wait()
    stopping = asyncio.create_task(world.server.stop())
    await world.server.draining.event.wait()
    world.servicer.release.set()
    assert (await running).run.run_id == "slow"
    await stopping


async def test_a_port_in_use_is_told(world: World) -> None:
    second = GrpcServer(
        f"127.0.0.1:{world.port}", [registration(History())], Draining(), drain_seconds=0
    )
    with pytest.raises(OSError, match=re.escape(f"127.0.0.1:{world.port}")):
        await second.start()


@pytest.mark.parametrize("variable", ["PODYARD_EXAMPLE_LISTEN", "PODYARD_EXAMPLE_METRICS_LISTEN"])
async def test_a_port_in_use_ends_the_start_naming_the_variable(
    world: World, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = f"127.0.0.1:{world.port}"
    monkeypatch.setenv("PODYARD_EXAMPLE_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv(variable, taken)
    settings = load_settings(ExampleSettings)
    second = GrpcServer(settings.listen, [registration(History())], Draining(), drain_seconds=0)
    with pytest.raises(SystemExit, match=f"{re.escape(taken)}.* with {variable}$"):
        await serve_until_signalled(second, settings)
