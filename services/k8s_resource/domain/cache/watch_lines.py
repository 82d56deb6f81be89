"""The lines of one upstream watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from services.common.errors import UnavailableError
from services.k8s_resource.domain.api_status import Status, error_of_status
from services.k8s_resource.domain.cache.decoding import KindDecoder, Line
from services.k8s_resource.domain.ports import KubeStream

_LINES_PER_TURN = 200
_LONGEST_LINE_BYTES = 16 * 1024 * 1024


async def watch_lines(stream: KubeStream, decoder: KindDecoder) -> AsyncIterator[list[Line]]:
    """The lines as they come, those received together in one list.

    An ERROR line ends the watch with its domain error (`ExpiredError` for 410); a line
    that is no JSON with UnavailableError. A last line that was cut off is left out: the
    server sends it again to whoever goes on from the version before it.
    """
    tail = b""
    async for chunk in stream.chunks():
        pieces = (tail + chunk).split(b"\n")
        tail = pieces.pop()
        if len(tail) > _LONGEST_LINE_BYTES:
            raise UnavailableError("the API server's watch sent a line without end")
        for start in range(0, len(pieces), _LINES_PER_TURN):
            yield [
                _line(piece, decoder) for piece in pieces[start : start + _LINES_PER_TURN] if piece
            ]
            if len(pieces) >= _LINES_PER_TURN:
                await asyncio.sleep(0)


def _line(piece: bytes, decoder: KindDecoder) -> Line:
    try:
        line = decoder.line(piece)
        if line.type == "ERROR":
            raise error_of_status(msgspec.json.decode(line.body, type=Status))
    except msgspec.DecodeError as error:
        raise UnavailableError(f"the API server's watch sent an unreadable line: {error}") from None
    return line
