"""The proxy of the fault tests does what they rely on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.faults.tcp_proxy import TcpFaultProxy


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Client:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def echoed(self, text: bytes) -> bytes:
        """Send, and read as much back."""
        self.writer.write(text)
        return await self.reader.readexactly(len(text))


@asynccontextmanager
async def connected(proxy: TcpFaultProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_bytes_and_ends_pass_in_both_directions() -> None:
    async with echo() as port, TcpFaultProxy(port) as proxy, connected(proxy) as client:
        sent = bytes(range(256)) * 4096
        client.writer.write(sent)
        client.writer.write_eof()
        assert await client.reader.read(-1) == sent
        assert (proxy.accepted, proxy.bytes_to_client) == (1, len(sent))


async def test_a_cut_resets_and_new_connections_work() -> None:
    async with echo() as port, TcpFaultProxy(port) as proxy:
        async with connected(proxy) as client:
            assert await client.echoed(b"one") == b"one"
            assert proxy.cut() == 1
            with pytest.raises(ConnectionResetError):
                await client.reader.readexactly(1)
        async with connected(proxy) as client:
            assert await client.echoed(b"two") == b"two"


async def test_a_connection_is_cut_in_the_middle_of_what_it_carries() -> None:
    async with echo() as port, TcpFaultProxy(port) as proxy, connected(proxy) as client:
        assert await client.echoed(b"one") == b"one"
        proxy.cut_in_the_middle(4)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.echoed(b"twothree")
        assert proxy.bytes_to_client == 7


async def test_a_stall_holds_everything_back_until_it_ends() -> None:
    async with echo() as port, TcpFaultProxy(port) as proxy, connected(proxy) as client:
        assert await client.echoed(b"one") == b"one"
        proxy.stall()
        async with connected(proxy) as late:
            waiting = {
                asyncio.create_task(each.echoed(text))
                for each, text in ((client, b"two"), (late, b"new"))
            }
            done, _ = await asyncio.wait(waiting, timeout=0.2)
            assert not done
            proxy.flow()
            assert set(await asyncio.gather(*waiting)) == {b"two", b"new"}


async def test_new_connections_are_refused_while_others_go_on() -> None:
    async with echo() as port, TcpFaultProxy(port) as proxy, connected(proxy) as client:
        assert await client.echoed(b"one") == b"one"
        proxy.refuse()
        async with connected(proxy) as refused:
            with pytest.raises(ConnectionResetError):
                await refused.reader.readexactly(1)
        assert await client.echoed(b"two") == b"two"
        proxy.heal()
        async with connected(proxy) as again:
            assert await again.echoed(b"six") == b"six"


async def test_the_end_of_the_proxy_leaves_no_connection() -> None:
    async with echo() as port, AsyncExitStack() as stack:
        proxy = TcpFaultProxy(port)
        async with proxy:
            client = await stack.enter_async_context(connected(proxy))
            assert await client.echoed(b"one") == b"one"
            assert proxy.open == 1
        assert proxy.open == 0
        with pytest.raises(ConnectionResetError):
            await client.reader.readexactly(1)
