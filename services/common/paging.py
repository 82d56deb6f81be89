"""Opaque page and resume tokens: AIP-158's next_page_token.

A token binds a position to the query that it was made for, so that one given
with another query is refused instead of answering something wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import TypeVar

import msgspec

from services.common.errors import InvalidArgumentError

T = TypeVar("T")

_FINGERPRINT_BYTES = 8
_CHECKSUM_BYTES = 4


def fingerprint(*parts: object) -> bytes:
    """A short digest of everything that makes two queries different."""
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=_FINGERPRINT_BYTES).digest()


def encode_token(query: bytes, position: object) -> str:
    """A token for `position`, anything msgspec can encode, within the query of `fingerprint`."""
    body = query + msgspec.msgpack.encode(position)
    checksum = zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big")
    return base64.urlsafe_b64encode(checksum + body).rstrip(b"=").decode()


def decode_token(
    token: str, query: bytes, position_type: type[T], *, field: str = "page_token"
) -> T:
    """The position in a token; InvalidArgumentError naming `field` if it is not one of this query."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    checksum, body = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
    if (
        len(body) <= _FINGERPRINT_BYTES
        or zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") != checksum
    ):
        raise InvalidArgumentError.field(
            field, "is not a token of this server; leave it empty to start anew", reason="BAD_TOKEN"
        )
    if body[:_FINGERPRINT_BYTES] != query:
        raise InvalidArgumentError.field(
            field,
            "belongs to a request with other fields; repeat the fields of the request "
            "that returned it, or leave it empty to start anew",
            reason="TOKEN_OF_ANOTHER_QUERY",
        )
    try:
        return msgspec.msgpack.decode(body[_FINGERPRINT_BYTES:], type=position_type)
    except msgspec.DecodeError:
        raise InvalidArgumentError.field(
            field, "was made by another version; leave it empty to start anew", reason="BAD_TOKEN"
        ) from None
