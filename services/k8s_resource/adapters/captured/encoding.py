"""Chunks of lines as payloads of frames, and the index of a sealed segment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

import msgspec

from services.k8s_resource.adapters.captured import framing
from services.k8s_resource.domain.captured.records import Chunk, Place, StoredMark, Summary
from services.k8s_resource.domain.logs.lines import Lines

BLOCK_BYTES = 256 * 1024
"""About so much text makes a block: enough to compress well, little enough to read at once."""

_LINE_BYTES = 8


class _Chunk(msgspec.Struct, array_like=True, frozen=True):
    """`synced` bytes of the segment were durable when this was written."""

    synced: int
    first_line: int
    times: list[int]
    texts: list[str]
    truncated: list[int]
    marks: list[StoredMark]
    place: Place


class BlockEntry(msgspec.Struct, array_like=True, frozen=True):
    """Where a block lies and what it holds."""

    start: int
    end: int
    first_line: int
    end_line: int
    highest_time: int


class Index(msgspec.Struct, array_like=True, frozen=True):
    """The index of a sealed segment."""

    blocks: list[BlockEntry]
    summary: Summary


_chunk_decoder = msgspec.msgpack.Decoder(_Chunk)
_index_decoder = msgspec.msgpack.Decoder(Index)
_encoder = msgspec.msgpack.Encoder()


def chunk_frame(chunk: Chunk, synced: int) -> bytes:
    """A chunk for an open segment."""
    lines = chunk.lines
    return framing.packed(
        framing.CHUNK,
        _encoder.encode(
            _Chunk(
                synced,
                chunk.first_line,
                lines.times,
                lines.texts,
                lines.truncated,
                chunk.marks,
                chunk.place,
            )
        ),
    )


def block_frame(chunk: Chunk) -> bytes:
    """A chunk for a sealed segment: times as differences, compressed."""
    lines = chunk.lines
    steps = [after - before for before, after in pairwise([0, *lines.times])]
    payload = _encoder.encode(
        _Chunk(0, chunk.first_line, steps, lines.texts, lines.truncated, chunk.marks, chunk.place)
    )
    return framing.packed(framing.BLOCK, payload, compress=True)


def decoded_chunk(frame: framing.Frame) -> tuple[Chunk, int] | None:
    """The chunk of a CHUNK or BLOCK frame and its `synced`; None if it is neither."""
    if frame.kind not in (framing.CHUNK, framing.BLOCK):
        return None
    try:
        read = _chunk_decoder.decode(frame.payload)
    except msgspec.DecodeError:
        return None
    times = list(accumulate(read.times)) if frame.kind == framing.BLOCK else read.times
    lines = Lines(read.texts, times, read.truncated)
    return Chunk(read.first_line, lines, read.marks, read.place), read.synced


def index_frame(blocks: list[BlockEntry], summary: Summary) -> bytes:
    """The index of a sealed segment."""
    return framing.packed(framing.INDEX, _encoder.encode(Index(blocks, summary)), compress=True)


def decoded_index(frame: framing.Frame | None) -> Index | None:
    """The index in an INDEX frame; None if it is none."""
    if frame is None or frame.kind != framing.INDEX:
        return None
    try:
        return _index_decoder.decode(frame.payload)
    except msgspec.DecodeError:
        return None


def read_index(descriptor: int, size: int) -> Index | None:
    """The index of a sealed segment of `size` bytes; None if it is damaged."""
    end = os.pread(descriptor, framing.TRAILER_BYTES, max(0, size - framing.TRAILER_BYTES))
    start = framing.index_start(end)
    if start is None or start > size:
        return None
    data = os.pread(descriptor, size - start - framing.TRAILER_BYTES, start)
    return decoded_index(framing.unpacked(data, 0))


def text_bytes(lines: Lines) -> int:
    """UTF-8 bytes of the text."""
    return sum(len(t) if t.isascii() else len(t.encode()) for t in lines.texts)


def blocks(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same lines in chunks of the size of a block."""
    gathered: Chunk | None = None
    size = 0
    for chunk in chunks:
        if gathered is not None and (size >= BLOCK_BYTES or gathered.end_line != chunk.first_line):
            yield gathered
            gathered = None
        if gathered is None:
            lines = chunk.lines
            copied = Lines(list(lines.texts), list(lines.times), list(lines.truncated))
            gathered, size = Chunk(chunk.first_line, copied, list(chunk.marks), chunk.place), 0
        else:
            _extend(gathered, chunk)
        size += sum(map(len, chunk.lines.texts)) + _LINE_BYTES * len(chunk.lines)
    if gathered is not None:
        yield gathered


def _extend(chunk: Chunk, more: Chunk) -> None:
    shift = len(chunk.lines)
    chunk.marks += [
        msgspec.structs.replace(mark, before=mark.before + shift) for mark in more.marks
    ]
    chunk.lines.truncated += [index + shift for index in more.lines.truncated]
    chunk.lines.texts += more.lines.texts
    chunk.lines.times += more.lines.times
    chunk.place = more.place
