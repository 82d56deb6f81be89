"""The gateway as a process: start, port in use, settings, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest

STEMS = ("K8S_RESOURCE", "CLUSTER_LIFECYCLE", "TRAINING_HISTORY")


@asynccontextmanager
async def process(**variables: str) -> AsyncIterator[Process]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PODYARD_")},
        "PODYARD_GATEWAY_LISTEN": "127.0.0.1:0",
        "PODYARD_GATEWAY_DRAIN_SECONDS": "5",
        # Nothing serves there.
        **{f"PODYARD_GATEWAY_{stem}_ADDRESS": "127.0.0.1:1" for stem in STEMS},
        **variables,
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def event(started: Process, name: str) -> dict[str, str]:
    """The next log line with this event."""
    assert started.stderr is not None
    async with asyncio.timeout(60):
        async for line in started.stderr:
            found: dict[str, str] = orjson.loads(line)
            if found["event"] == name:
                return found
    raise AssertionError(f"the process ended without {name}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_and_ends_in_order(number: int) -> None:
    async with process() as started:
        address = (await event(started, "listening"))["address"]
        async with httpx.AsyncClient(base_url=f"http://{address}") as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
            assert (ready.status_code, len(ready.json()["services"])) == (503, 3)
            started.send_signal(number)
            await event(started, "stopped")
        assert await asyncio.wait_for(started.wait(), 20) == 0


@pytest.mark.parametrize("variable", ["PODYARD_GATEWAY_LISTEN", "PODYARD_GATEWAY_METRICS_LISTEN"])
async def test_a_port_in_use_is_one_clear_line(variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with process(**{variable: address}) as started:
            _, text = await asyncio.wait_for(started.communicate(), 60)
    assert started.returncode == 1
    lines = text.decode().splitlines()
    assert len(lines) == 1
    assert address in lines[0]
    assert variable in lines[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "0.0.0.0:7400"),
        ("LISTEN", "nowhere"),
        ("K8S_RESOURCE_ADDRESS", "nowhere"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_ORIGINS", "console.example"),
        ("ALLOWED_ORIGINS", "https://bücher.example"),
        ("UNARY_TIMEOUT_SECONDS", "0"),
    ],
)
async def test_bad_settings_are_one_clear_line(name: str, value: str) -> None:
    async with process(**{f"PODYARD_GATEWAY_{name}": value}) as started:
        _, text = await asyncio.wait_for(started.communicate(), 60)
    assert started.returncode == 2
    assert f"PODYARD_GATEWAY_{name}" in text.decode()
    assert len(text.decode().splitlines()) == 1
