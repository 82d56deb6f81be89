"""The truth of an API server's objects: every revision of a kind, read from etcd itself.

etcd goes on while the API server is down, and its watch is not cut by the faults of a test.
It speaks JSON over HTTP (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.soak.watch_guarantees import Revision
from tools.stack.testing import ControlPlane

_URL_FLAG = "--listen-client-urls="


class EtcdHistory:
    """Revisions of one custom resource, whose objects etcd holds as JSON, as they are written."""

    def __init__(self, url: str, session: aiohttp.ClientSession, prefix: str) -> None:
        self.revisions: list[Revision] = []
        self._url = url
        self._session = session
        self._prefix = prefix
        self._news = asyncio.Event()
        self._created = asyncio.Event()

    async def read(self) -> None:
        """Record until cancelled."""
        request = {
            "create_request": {
                "key": _encoded(self._prefix),
                "range_end": _encoded(self._prefix[:-1] + chr(ord(self._prefix[-1]) + 1)),
            }
        }
        async with self._session.post(
            f"{self._url}/v3/watch", json=request, timeout=aiohttp.ClientTimeout(total=None)
        ) as response:
            async for line in response.content:
                result = json.loads(line)["result"]
                assert "canceled" not in result, f"etcd ended the watch: {result}"
                self._created.set()
                self.revisions += [self._revision(each) for each in result.get("events", ())]
                self._news.set()

    async def started(self) -> None:
        """Wait until everything written from now on is recorded."""
        await self._created.wait()

    async def reached(self, version: int) -> None:
        """Wait until a write of that version is recorded."""
        while not self.revisions or self.revisions[-1].version < version:
            self._news.clear()
            await self._news.wait()

    async def compact(self) -> int:
        """Compact up to the present revision; that revision."""
        answer = await self._call("kv/range", {"key": _encoded("podyard-test"), "limit": 1})
        revision = int(answer["header"]["revision"])
        async with self._session.post(
            f"{self._url}/v3/kv/compaction", json={"revision": revision}
        ) as response:
            # Another compaction may have been quicker.
            await response.read()
        return revision

    async def _call(self, method: str, body: dict[str, Any]) -> Any:
        async with self._session.post(f"{self._url}/v3/{method}", json=body) as response:
            response.raise_for_status()
            return await response.json()

    def _revision(self, event: dict[str, Any]) -> Revision:
        kv = event["kv"]
        path = base64.b64decode(kv["key"]).decode().removeprefix(self._prefix)
        namespace, _, name = path.partition("/")
        content = None
        if event.get("type") != "DELETE":
            content = without_versions(json.loads(base64.b64decode(kv["value"])))
        return Revision(int(kv["mod_revision"]), (namespace, name), content)


@asynccontextmanager
async def etcd_history(plane: ControlPlane, group: str, plural: str) -> AsyncIterator[EtcdHistory]:
    """Record a custom resource within."""
    identity = plane.identities()["etcd"]
    arguments = Path(f"/proc/{identity.pid}/cmdline").read_bytes().decode().split("\0")
    # The last one counts: kwokctl's own comes first.
    *_, url = (each.removeprefix(_URL_FLAG) for each in arguments if each.startswith(_URL_FLAG))
    async with aiohttp.ClientSession(read_bufsize=16 * 1024 * 1024) as session:
        history = EtcdHistory(url, session, f"/registry/{group}/{plural}/")
        reading = asyncio.create_task(history.read())
        try:
            await history.started()
            yield history
            assert not reading.done(), "the recording of the truth ended early"
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def without_versions(document: dict[str, Any]) -> dict[str, Any]:
    """An object without what every write changes, as the checks compare it."""
    metadata = {
        name: value
        for name, value in document["metadata"].items()
        if name not in ("resourceVersion", "managedFields")
    }
    return {**document, "metadata": metadata}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
