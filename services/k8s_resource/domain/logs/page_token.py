"""Page tokens of GetLogs."""

from __future__ import annotations

import zlib

import msgspec

from services.common.errors import InvalidArgumentError
from services.common.paging import decode_token, encode_token
from services.k8s_resource.domain.logs.page_lines import Place

_LARGEST_BYTES = 8 * 1024 * 1024


class PagePosition(msgspec.Struct, array_like=True):
    """A page: `older` says that it lies before its places, else after them. `since` is the
    beginning of the window as it was for the first page, `span` the time that the page before
    covered, both in nanoseconds. A place for each log: pod uid, container, run."""

    older: bool
    since: int | None
    span: int
    places: list[tuple[str, str, int, Place]]

    def by_log(self) -> dict[tuple[str, str, int], Place]:
        """The places by log."""
        return {(uid, container, run): place for uid, container, run, place in self.places}

    def token(self, query: bytes) -> str:
        """The token, bound to the query."""
        return encode_token(query, zlib.compress(msgspec.msgpack.encode(self), 1))


def read_page_token(token: str, query: bytes) -> PagePosition:
    """The position in a token; InvalidArgumentError if it is not one of this query."""
    compressed = decode_token(token, query, bytes)
    try:
        plain = zlib.decompressobj().decompress(compressed, _LARGEST_BYTES)
        return msgspec.msgpack.decode(plain, type=PagePosition)
    except (zlib.error, ValueError):  # msgspec.DecodeError is a ValueError
        raise InvalidArgumentError.field(
            "page_token", "was made by another version; leave it empty to start anew"
        ) from None
