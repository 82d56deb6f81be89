"""Subscribers that go on with their token through everything, and keep what they were sent."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from podyard.client import Podyard
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc
from podyard.k8s_resource.v1 import watch_pb2 as pb

from tests.faults.etcd_history import without_versions
from tests.json_pointers import with_changes
from tests.soak.watch_guarantees import Key, Seen, StreamCheck
from tests.soak.writers import GROUP, PLURAL

KIND = f"{PLURAL}.{GROUP}"
_CHANNEL = [
    # Each subscriber is a client of its own, that comes back soon.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_PAUSE_SECONDS = 0.1
_RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class Reading:
    """Turns events into what the checks compare; keeps whole objects where only changes come."""

    def __init__(self) -> None:
        self._whole: dict[Key, dict[str, Any]] = {}

    def seen(self, event: pb.WatchEvent) -> Seen:
        """One event."""
        type_ = pb.WatchEventType.Name(event.type).removeprefix("WATCH_EVENT_TYPE_")
        gap = (0, 0)
        if event.HasField("gap"):
            gap = (int(event.gap.after_resource_version), int(event.gap.until_resource_version))
        if not event.ref.name:
            return Seen(type_, gap=gap)
        key = (event.ref.namespace, event.ref.name)
        return Seen(type_, key, int(event.ref.resource_version), self._content(type_, key, event))

    def _content(self, type_: str, key: Key, event: pb.WatchEvent) -> dict[str, Any] | None:
        if event.json:
            content = without_versions(json.loads(event.json))
        elif type_ == "MODIFIED" and key in self._whole:
            changes = [(change.path, change.new_json) for change in event.changes]
            content = with_changes(self._whole[key], changes)
        else:
            return None
        self._whole[key] = content
        return content


@dataclass
class Message:
    """What came in one message, and the token after it."""

    seen: list[Seen]
    token: str


@dataclass
class Subscriber:
    """One watch of the round's objects. `slow` is how long it may rest between two messages."""

    name: str
    request: dict[str, Any]
    chosen: Callable[[Key, dict[str, Any]], bool]
    slow: float = 0.0
    messages: list[Message] = field(default_factory=list)
    connections: int = 0
    failures: list[str] = field(default_factory=list)
    last_version: int = 0
    _stating: bool = False
    _reading: Reading = field(default_factory=Reading)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, port: int, chance: random.Random) -> None:
        """Watch through the port until cancelled."""
        token = ""
        while True:
            token = await self._once(port, token, chance)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def begun(self) -> None:
        """Wait until something was sent."""
        while not self.messages:
            self._news.clear()
            await self._news.wait()

    async def until(self, version: int) -> None:
        """Wait until an object of that version was sent, and the state that it is part of."""
        while self.last_version < version or self._stating:
            self._news.clear()
            await self._news.wait()

    async def resumed(self, port: int, token: str, version: int) -> list[Seen]:
        """What a new stream from a token tells, up to an object of that version."""
        again = Subscriber(self.name, self.request, self.chosen)
        reading = asyncio.create_task(again._from(port, token))
        try:
            await again.until(version)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return [seen for message in again.messages for seen in message.seen]

    async def _from(self, port: int, token: str) -> None:
        while True:
            token = await self._once(port, token, random.Random(0))  # noqa: S311

    async def _once(self, port: int, token: str, chance: random.Random) -> str:
        self.connections += 1
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_CHANNEL) as channel:
            stub: Any = pb_grpc.K8sResourceServiceStub(channel)
            call = stub.Watch(pb.WatchRequest(kinds=[KIND], resume_token=token, **self.request))
            try:
                async for response in call:
                    seen = [self._reading.seen(event) for event in response.events]
                    self.messages.append(Message(seen, response.resume_token))
                    token = response.resume_token
                    self.last_version = max(self.last_version, *(s.version for s in seen))
                    for each in seen:
                        if each.type in ("RELISTED", "SYNCED"):
                            self._stating = each.type == "RELISTED"
                    self._news.set()
                    if self.slow:
                        await asyncio.sleep(chance.uniform(0, self.slow))
            except grpc.aio.AioRpcError as error:
                if error.code() not in _RETRIED:
                    self.failures.append(f"{error.code().name}: {error.details()}")
                    raise
            finally:
                call.cancel()
        return token

    def checked(self, check: StreamCheck) -> StreamCheck:
        """The check after all that came."""
        for message in self.messages:
            for seen in message.seen:
                check.take(seen)
        return check


class SdkWatcher:
    """Watches with the SDK, which goes on by itself, in a thread."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.begun = threading.Event()

    def run(self, port: int, last_name: str) -> None:
        """Watch until the object that ends the round."""
        reading = Reading()
        with (
            Podyard(k8s_resource=f"127.0.0.1:{port}") as client,
            client.k8s.watch(KIND, view=pb.OBJECT_VIEW_NAME) as stream,
        ):
            for event in stream:
                self.seen.append(reading.seen(event))
                self.begun.set()
                if event.ref.name == last_name:
                    return
