"""A TCP proxy between two parts of a test that cuts, stalls and refuses connections.

It passes bytes through, TLS too: the certificate of the local control plane names
127.0.0.1, so a client only needs the proxy's port in place of the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_CHUNK_BYTES = 64 * 1024
_HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a timeout of 0, see socket(7) and tcp(7)."""


@dataclass(eq=False)
class _Connection:
    """One accepted connection; `server` is None until the target has answered."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    received: int = 0
    cut_after: int | None = None

    def cut(self) -> None:
        """End both sides at once; what was not yet sent is lost (RST, as a dead machine's)."""
        for side in (self.client, self.server):
            if side is not None:
                _reset(side)


@dataclass
class TcpFaultProxy:
    """Listens on a free loopback port and forwards to `target_port` of this machine.

    Use as a context manager, within one event loop. `accepted` counts connections since
    the start, `bytes_to_client` what went to clients.
    """

    target_port: int
    port: int = 0
    accepted: int = 0
    bytes_to_client: int = 0
    _connections: set[_Connection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _refusing: bool = False
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._flowing.set()
        self._server = await asyncio.start_server(
            self._accept, _HOST, self.port, limit=_CHUNK_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._connections)

    def cut(self) -> int:
        """Reset all open connections; how many there were. New ones are accepted."""
        connections = list(self._connections)
        for connection in connections:
            connection.cut()
        return len(connections)

    def cut_in_the_middle(self, after_bytes: int) -> None:
        """Reset each open connection once so many more bytes have come from the server.

        So a message is cut in two, as a connection that breaks under load does.
        """
        for connection in self._connections:
            connection.cut_after = connection.received + after_bytes

    def stall(self) -> None:
        """Let nothing through in either direction; connections stay open, new ones are made."""
        self._flowing.clear()

    def flow(self) -> None:
        """End a stall; what was held back goes on."""
        self._flowing.set()

    def refuse(self) -> None:
        """Reset each new connection; open ones go on."""
        self._refusing = True

    def accept(self) -> None:
        """End the refusing."""
        self._refusing = False

    def heal(self) -> None:
        """End all faults."""
        self._refusing = False
        self._flowing.set()
        for connection in self._connections:
            connection.cut_after = None

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            _reset(client)
            return
        task = asyncio.create_task(self._serve(reader, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        connection = _Connection(client)
        self._connections.add(connection)
        try:
            from_server, connection.server = await asyncio.open_connection(
                _HOST, self.target_port, limit=_CHUNK_BYTES
            )
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, connection.server))
                pumps.create_task(self._pump(from_server, client, connection))
        except* OSError:
            # The target is down, or one side was reset: the other learns it the same way.
            pass
        finally:
            self._connections.discard(connection)
            connection.cut()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        counted: _Connection | None = None,
    ) -> None:
        """Copy one direction to its end; that end is passed on, the other direction goes on."""
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._flowing.wait()
            if counted is not None:
                chunk = self._let_through(counted, chunk)
            writer.write(chunk)
            await writer.drain()
            if counted is not None and counted.received == counted.cut_after:
                raise ConnectionResetError
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _let_through(self, connection: _Connection, chunk: bytes) -> bytes:
        if connection.cut_after is not None:
            chunk = chunk[: max(0, connection.cut_after - connection.received)]
        connection.received += len(chunk)
        self.bytes_to_client += len(chunk)
        return chunk


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


def kubeconfig_through(kubeconfig: Path, server_url: str, port: int, copy: Path) -> Path:
    """Write `copy`: the kubeconfig with `server_url` replaced by the proxy's port."""
    host, _, _ = server_url.rpartition(":")
    text = kubeconfig.read_text()
    assert server_url in text, f"{kubeconfig} does not name {server_url}"
    copy.write_text(text.replace(server_url, f"{host}:{port}"))
    return copy
