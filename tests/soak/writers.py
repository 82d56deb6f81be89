"""Writers at full speed, straight to the API server: the faults are between others."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tools.stack.testing import ControlPlane

GROUP, PLURAL = "podyard.test", "soaks"
NAMESPACES = ("soak-a", "soak-b")
COLORS = ("red", "blue")
COUNT = 8
_OBJECTS_EACH = 4
_LARGE_SHARE = 0.02
_WAIT_SECONDS = 0.05
_ANSWER_SECONDS = 3.0


class Writer:
    """Creates, changes, relabels and deletes objects of its own. What etcd has counts, so an
    answer that is lost needs no care."""

    def __init__(self, name: str, chance: random.Random, session: aiohttp.ClientSession) -> None:
        self.writes = 0
        self._name = name
        self._chance = chance
        self._session = session
        self._number = 0

    async def run(self) -> None:
        """Write until cancelled, through failures of the API server."""
        while True:
            try:
                await self._write()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(_WAIT_SECONDS)

    async def _write(self) -> None:
        chance = self._chance
        namespace = chance.choice(NAMESPACES)
        name = f"{self._name}-{chance.randrange(_OBJECTS_EACH)}"
        match chance.choices(("create", "change", "delete"), (2, 6, 1))[0]:
            case "create":
                await self._send("POST", _path(namespace), self._document(name))
            case "change":
                await self._send("PATCH", _path(namespace, name), self._document(name))
            case _:
                await self._send("DELETE", _path(namespace, name))

    def _document(self, name: str) -> dict[str, Any]:
        self._number += 1
        length = 20_000 if self._chance.random() < _LARGE_SHARE else self._chance.randrange(300)
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Soak",
            "metadata": {"name": name, "labels": {"color": self._chance.choice(COLORS)}},
            "spec": {
                "number": self._number,
                "text": f"{self._number % 10}" * length,
                "list": list(range(self._chance.randrange(4))),
            },
        }

    async def _send(self, method: str, path: str, body: Any = None) -> None:
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        async with self._session.request(method, path, json=body, headers=headers) as response:
            await response.read()
            if response.status >= 500 or response.status == 429:
                await asyncio.sleep(_WAIT_SECONDS)
            elif response.status < 300:
                self.writes += 1


@asynccontextmanager
async def api_session(plane: ControlPlane) -> AsyncIterator[aiohttp.ClientSession]:
    """Requests to the API server itself, as the administrator."""
    pki = plane.work_folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    async with aiohttp.ClientSession(
        plane.server_url,
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
    ) as session:
        yield session


@asynccontextmanager
async def writing(session: aiohttp.ClientSession, seed: int) -> AsyncIterator[list[Writer]]:
    """All writers at work within."""
    # A number of its own, so that a later round does not write the same again.
    writers = [
        Writer(f"w{number}", random.Random(f"{seed}-{number}"), session)  # noqa: S311
        for number in range(COUNT)
    ]
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    try:
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def write_last(session: aiohttp.ClientSession, name: str) -> int:
    """One more object, red, in the first namespace, which ends a round; its version."""
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Soak",
        "metadata": {"name": name, "labels": {"color": "red"}},
        "spec": {"last": True},
    }
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with session.post(_path(NAMESPACES[0]), json=body) as response:
                answer = await response.json()
                if response.status == 201:
                    return int(answer["metadata"]["resourceVersion"])
                if response.status == 409:
                    async with session.get(_path(NAMESPACES[0], name)) as found:
                        return int((await found.json())["metadata"]["resourceVersion"])
        await asyncio.sleep(_WAIT_SECONDS)


def _path(namespace: str, name: str = "") -> str:
    path = f"/apis/{GROUP}/v1/namespaces/{namespace}/{PLURAL}"
    return f"{path}/{name}" if name else path
