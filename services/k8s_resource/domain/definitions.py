"""Waiting until a CustomResourceDefinition is in use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from services.common.errors import DeadlineExceededError, FailedPreconditionError
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.resources import DEFINITION, Resource

WAIT_SECONDS = 30.0


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    message: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Definition(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


async def await_established(
    discovery: Discovery, connection: Connection, name: str, kinds: Sequence[Resource]
) -> None:
    """Return when the API server serves the kinds.

    FailedPreconditionError if it refuses their names; DeadlineExceededError after 30 s.
    """
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await _established(connection, name):
                pass  # The watch ended; the next one begins with the present state.
            index = await discovery.refresh(connection)
            while any(index.find_kind(kind.api_version, kind.kind) is None for kind in kinds):
                index = await discovery.refresh(connection)
    except TimeoutError:
        raise DeadlineExceededError(
            f"the definition {name} was not in use within {WAIT_SECONDS:g} s"
        ) from None


async def _established(connection: Connection, name: str) -> bool:
    params: dict[str, str | int | bool] = {
        "watch": True,
        "fieldSelector": f"metadata.name={name}",
    }
    rest = b""
    async with connection.api.stream(
        "GET", DEFINITION.path(), params=params, inactivity=WAIT_SECONDS
    ) as stream:
        async for chunk in stream.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = msgspec.json.decode(line, type=_Event)
                if event.type in ("ADDED", "MODIFIED") and _is_established(event.object, name):
                    return True
    return False


def _is_established(body: msgspec.Raw, name: str) -> bool:
    conditions = msgspec.json.decode(body, type=_Definition).status.conditions or ()
    for condition in conditions:
        if condition.type == "NamesAccepted" and condition.status == "False":
            raise FailedPreconditionError(
                f"the API server does not accept the names of {name}: {condition.message}"
            )
    return any(c.type == "Established" and c.status == "True" for c in conditions)
