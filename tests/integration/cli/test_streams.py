"""The SDK's streams through restarts of the service: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from podyard.client import (
    InvalidArgumentError,
    Podyard,
    ResumingStream,
    UnavailableError,
    log_lines,
)
from podyard.client.channel import ServiceChannel
from podyard.client.streams import Batch
from podyard.common.v1 import operation_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc, logs_pb2, watch_pb2

from services.common import errors
from tests.integration.cli.scripted_services import Script, Services, running

EVENTS = 200


def client_of(services: Services) -> Podyard:
    return Podyard(
        k8s_resource=services.address("k8s_resource"),
        cluster_lifecycle=services.address("cluster_lifecycle"),
        training_history=services.address("training_history"),
    )


def watch_event(number: int) -> watch_pb2.WatchEvent:
    event = watch_pb2.WatchEvent(type=watch_pb2.WATCH_EVENT_TYPE_MODIFIED)
    event.ref.kind, event.ref.name = "Pod", str(number)
    return event


def log_event(number: int) -> logs_pb2.LogEvent:
    event = logs_pb2.LogEvent()
    event.lines.source.pod = "web"
    event.lines.text.extend([f"{number}a", f"{number}b"])
    event.lines.time_unix_nano.extend([number * 10, number * 10 + 1])
    return event


async def collect(stream: Iterator[Any], seen: list[Any]) -> None:
    """Read a stream in a thread of its own, as programs with the SDK do."""

    await asyncio.to_thread(seen.extend, stream)


async def produce_through_restarts(
    services: Services, journal: Any, make: Callable[[int], Any], restarts: int
) -> None:
    """Add events one by one and restart the service in between; each time, wait for the client
    to be connected again, so that every restart cuts a live stream."""
    script = services.script
    every = EVENTS // (restarts + 1)
    connections = 1
    for number in range(EVENTS):
        await journal.add(make(number))
        if number % every == every - 1 and connections <= restarts:
            await asyncio.wait_for(until_connections(script, connections), 30)
            await services.restart("k8s_resource")
            connections += 1
    await asyncio.wait_for(until_connections(script, connections), 30)
    await journal.close()


async def until_connections(script: Script, count: int) -> None:
    async with script.connected._changed:
        await script.connected._changed.wait_for(lambda: len(script.connected.items) >= count)


@pytest.mark.parametrize("explained", [True, False], ids=["drained", "cut"])
async def test_a_watch_survives_restarts_of_the_service(explained: bool) -> None:
    script = Script(explain_ends=explained)
    async with running(script) as services:
        interruptions: list[Any] = []
        seen: list[watch_pb2.WatchEvent] = []
        with client_of(services) as client:
            stream = client.k8s.watch("pods", on_interruption=interruptions.append)
            async with asyncio.TaskGroup() as group:
                group.create_task(collect(stream, seen))
                group.create_task(
                    produce_through_restarts(services, script.watch, watch_event, restarts=3)
                )
        assert [event.ref.name for event in seen] == [str(n) for n in range(EVENTS)]
        assert len(interruptions) >= 3


@pytest.mark.parametrize("explained", [True, False], ids=["drained", "cut"])
async def test_a_log_tail_survives_restarts_of_the_service(explained: bool) -> None:
    script = Script(explain_ends=explained)
    async with running(script) as services:
        seen: list[logs_pb2.LogEvent] = []
        with client_of(services) as client:
            stream = client.k8s.tail_logs(label_selector="app=web", follow=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(collect(stream, seen))
                group.create_task(
                    produce_through_restarts(services, script.logs, log_event, restarts=3)
                )
        texts = [line.text for event in seen for line in log_lines(event)]
        assert texts == [f"{n}{half}" for n in range(EVENTS) for half in "ab"]


async def test_a_token_goes_on_after_the_events_that_were_taken(
    services: Services, script: Script
) -> None:
    await script.watch.add(*map(watch_event, range(9)))
    await script.watch.close()

    def read() -> tuple[list[str], list[str]]:
        with client_of(services) as client:
            with client.k8s.watch("pods") as first:
                taken = [next(first).ref.name for _ in range(4)]
                token = first.resume_token
            rest = [e.ref.name for e in client.k8s.watch("pods", resume_token=token)]
        return taken, rest

    taken, rest = await asyncio.to_thread(read)
    # The fourth event was in the second batch of three, which was not taken to its end.
    assert (taken, rest) == (["0", "1", "2", "3"], ["3", "4", "5", "6", "7", "8"])


async def test_an_operation_watch_leaves_out_states_that_were_seen(
    services: Services, script: Script
) -> None:
    def state(percent: int, value: operation_pb2.OperationState) -> Any:
        return operation_pb2.Operation(id="op", progress_percent=percent, state=value)

    await script.operations.add(state(0, operation_pb2.OPERATION_STATE_RUNNING))
    seen: list[operation_pb2.Operation] = []
    with client_of(services) as client:
        stream = client.clusters.watch_operations(operation_id="op")
        async with asyncio.TaskGroup() as group:
            group.create_task(collect(stream, seen))
            await asyncio.wait_for(until_connections(script, 1), 30)
            await services.restart("cluster_lifecycle")
            await asyncio.wait_for(until_connections(script, 2), 30)
            await script.operations.add(state(100, operation_pb2.OPERATION_STATE_SUCCEEDED))
    assert [operation.progress_percent for operation in seen] == [0, 100]


async def test_a_cluster_log_survives_a_restart_and_stays_with_its_file(
    services: Services, script: Script
) -> None:
    await script.launch_log.add("first ")
    seen: list[Any] = []
    with client_of(services) as client:
        stream = client.clusters.tail_log("lab", "launch")
        async with asyncio.TaskGroup() as group:
            group.create_task(collect(stream, seen))
            await asyncio.wait_for(until_connections(script, 1), 30)
            await script.launch_log.add("second ")
            await services.restart("cluster_lifecycle")
            await asyncio.wait_for(until_connections(script, 2), 30)
            await script.launch_log.add("third")
            await script.launch_log.close()
    assert "".join(piece.content for piece in seen) == "first second third"
    assert script.requests[-1].log_id == "2026-01-01_00-00-00_launch"


async def test_an_error_of_the_request_is_not_retried(services: Services, script: Script) -> None:
    script.fail_with = errors.InvalidArgumentError.field("kinds", "no such kind")

    def read() -> None:
        with client_of(services) as client:
            next(client.k8s.watch("nonsense"))

    with pytest.raises(InvalidArgumentError, match="no such kind") as caught:
        await asyncio.to_thread(read)
    assert [v.field for v in caught.value.violations] == ["kinds"]
    assert len(script.requests) == 1


async def test_a_first_connection_that_fails_is_told_at_once(services: Services) -> None:
    await services.stop("k8s_resource")

    def read() -> None:
        with client_of(services) as client:
            next(client.k8s.watch("pods"))

    with pytest.raises(UnavailableError, match=r"k8s-resource service at .* cannot be reached"):
        await asyncio.to_thread(read)


async def test_closing_from_another_thread_ends_a_waiting_stream(
    services: Services, script: Script
) -> None:
    with client_of(services) as client:
        stream = client.k8s.watch("pods")
        reading = asyncio.create_task(collect(stream, []))
        await asyncio.wait_for(until_connections(script, 1), 30)
        await asyncio.to_thread(stream.close)
        await asyncio.wait_for(reading, 30)


async def test_closing_while_the_call_is_made_ends_the_stream(services: Services) -> None:
    address = services.address("k8s_resource")
    channel = ServiceChannel("k8s-resource", address, timeout=5)
    stub = k8s_resource_service_pb2_grpc.K8sResourceServiceStub(channel.grpc)

    def connect(_token: str) -> Any:
        call = stub.Watch(watch_pb2.WatchRequest(kinds=["pods"]))
        stream.close()
        return call

    stream: ResumingStream[watch_pb2.WatchEvent] = ResumingStream(
        connect,
        lambda message: Batch(message.events, message.resume_token),
        channel.translate,
    )
    await asyncio.wait_for(collect(stream, []), 30)
    channel.close()


async def test_a_silent_connection_is_made_anew(services: Services, script: Script) -> None:
    await script.watch.add(watch_event(1))
    address = services.address("k8s_resource")
    channel = ServiceChannel("k8s-resource", address, timeout=5)
    stub = k8s_resource_service_pb2_grpc.K8sResourceServiceStub(channel.grpc)
    stream: ResumingStream[watch_pb2.WatchEvent] = ResumingStream(
        lambda token: stub.Watch(watch_pb2.WatchRequest(kinds=["pods"], resume_token=token)),
        lambda message: Batch(message.events, message.resume_token),
        channel.translate,
        silence_seconds=0.5,
    )
    seen: list[watch_pb2.WatchEvent] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(collect(stream, seen))
        # The scripted service sends no heartbeats, so it is silent after its first event.
        await asyncio.wait_for(until_connections(script, 2), 30)
        await script.watch.add(watch_event(2))
        await script.watch.close()
    channel.close()
    assert [event.ref.name for event in seen if event.HasField("ref")] == ["1", "2"]


async def test_silence_from_the_start_is_an_error(services: Services) -> None:
    channel = ServiceChannel("k8s-resource", services.address("k8s_resource"), timeout=5)
    stub = k8s_resource_service_pb2_grpc.K8sResourceServiceStub(channel.grpc)
    stream: ResumingStream[watch_pb2.WatchEvent] = ResumingStream(
        lambda token: stub.Watch(watch_pb2.WatchRequest(kinds=["pods"])),
        lambda message: Batch(message.events, message.resume_token),
        channel.translate,
        silence_seconds=0.2,
    )
    with pytest.raises(UnavailableError, match=r"said nothing for 0\.2 s"):
        await asyncio.to_thread(next, stream)
    channel.close()
