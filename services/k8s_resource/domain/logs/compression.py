"""Compressing a stream of bytes as it passes, in constant memory and off the event loop."""

from __future__ import annotations

import asyncio
import zipfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from typing import IO, TypeVar, cast

T = TypeVar("T")

_GZIP = 31
_LEVEL = 6
_UNCOMPRESSED = 0
_THREAD_BYTES = 16 * 1024
"""Less is compressed sooner than handed to a thread."""

_FIRST_ZIP_YEAR = 1980


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks as one gzip file (RFC 1952). Cut, it has no end and no tool takes it for
    whole."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async for chunk in chunks:
        packed = await _beside(packer.compress, chunk)
        if packed:
            yield packed
    yield packer.flush()


class ZipStream:
    """A ZIP archive that is written front to back. Its directory comes last, so a cut archive
    cannot be opened.

    Sizes are written after each file's content, which is why every entry is in the DEFLATE
    method, the uncompressed ones at its level 0: readers that go front to back need that.
    """

    def __init__(self, *, compress: bool, made: float) -> None:
        """`made` is the time of the entries, in seconds since 1970."""
        self._sink = _Sink()
        self._level = _LEVEL if compress else _UNCOMPRESSED
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._sink), "w")
        moment = datetime.fromtimestamp(made, UTC)
        self._date = (
            max(moment.year, _FIRST_ZIP_YEAR),
            moment.month,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
        )

    async def entry(self, name: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The bytes of one more file of the archive."""
        info = zipfile.ZipInfo(name, self._date)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        # Public from Python 3.13 on, as `compress_level`, which this then sets as well.
        info._compresslevel = self._level  # type: ignore[attr-defined]
        with self._zip.open(info, "w", force_zip64=True) as file:
            async for chunk in chunks:
                await _beside(file.write, chunk)
                if data := self._sink.take():
                    yield data
        yield self._sink.take()

    def finish(self) -> bytes:
        """The directory, which ends the archive."""
        self._zip.close()
        return self._sink.take()


class _Sink:
    """What a ZipFile writes to: no place to go back in, like a socket."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


async def _beside(work: Callable[[bytes], T], data: bytes) -> T:
    """`work(data)`, in a thread if it takes a while: zlib runs beside the event loop there."""
    return work(data) if len(data) < _THREAD_BYTES else await asyncio.to_thread(work, data)
