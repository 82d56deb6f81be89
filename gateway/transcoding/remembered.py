"""Answers as JSON from their bytes, each list entry that came before encoded once.

A page of a list holds mostly what the page before held: the services answer with the same
bytes for an object until it changes. So entries are taken out of the answer undecoded, and
their JSON is remembered by their bytes. Protobuf's wire format allows that: a field is its
number, its type and, for a message, its length and bytes
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding.encoding import encode, encode_with

REMEMBERED_BYTES = 16 * 1024 * 1024
"""What all remembered entries of a gateway may cost."""

_OVERHEAD_BYTES = 200
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


class Fragments:
    """JSON by the bytes it was made of; the longest unused half goes when there is too much."""

    def __init__(self, max_bytes: int = REMEMBERED_BYTES) -> None:
        self._limit = max_bytes // 2
        self._recent: dict[tuple[str, bytes], bytes] = {}
        self._older: dict[tuple[str, bytes], bytes] = {}
        self._bytes = 0

    def get(self, kind: str, data: bytes, make: Callable[[bytes], bytes]) -> bytes:
        """The JSON of an entry of a message type, made now if it is not remembered."""
        key = (kind, data)
        found = self._recent.get(key)
        if found is not None:
            return found
        found = self._older.get(key)
        if found is None:
            found = make(data)
        self._bytes += len(data) + len(found) + _OVERHEAD_BYTES
        if self._bytes > self._limit:
            self._older, self._recent = self._recent, {}
            self._bytes = len(data) + len(found) + _OVERHEAD_BYTES
        self._recent[key] = found
        return found


class ResponseEncoder:
    """Encodes the responses of one method, which are of one message type."""

    def __init__(self, response_class: type[Message], fragments: Fragments) -> None:
        self._response_class: Any = response_class
        self._fragments = fragments
        descriptor: Any = response_class.DESCRIPTOR
        # By tag: the field's number and, in its last three bits, the type of its value.
        self._lists: dict[int, tuple[str, str, Callable[[bytes], bytes]]] = {
            field.number << 3 | _LENGTH_DELIMITED: (
                field.json_name,
                field.message_type.full_name,
                _encoder(field),
            )
            for field in descriptor.fields
            if _holds_entries(field)
        }

    def encode(self, data: bytes) -> bytes:
        """One line of JSON; google.protobuf.message.DecodeError for what is no such message."""
        if not self._lists:
            return encode(self._response_class.FromString(data))
        entries: dict[str, list[bytes]] = {}
        rest: list[bytes] = []
        size = len(data)
        at = 0
        try:
            while at < size:
                begin = at
                tag, at = _varint(data, at)
                known = self._lists.get(tag)
                if known is None:
                    at = _end(data, at, tag & 7)
                    rest.append(data[begin:at])
                    continue
                length, start = _varint(data, at)
                at = start + length
                name, kind, make = known
                json = self._fragments.get(kind, data[start:at], make)
                entries.setdefault(name, []).append(json)
        except (IndexError, ValueError):
            at = size + 1
        if at > size:
            # No such message; protobuf says so in its own words.
            return encode(self._response_class.FromString(data))
        lists = {
            name: orjson.Fragment(b"[%b]" % b",".join(found)) for name, found in entries.items()
        }
        return encode_with(self._response_class.FromString(b"".join(rest)), lists)


def _holds_entries(field: FieldDescriptor) -> bool:
    """Whether it is a list of messages, and no map."""
    message = field.message_type
    return bool(field.is_repeated and message is not None and not message.GetOptions().map_entry)


def _encoder(field: FieldDescriptor) -> Callable[[bytes], bytes]:
    descriptor: Any = field.message_type
    entry: Any = message_factory.GetMessageClass(descriptor)
    return lambda data: encode(entry.FromString(data))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number there, and where it ends; IndexError if it is cut."""
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number = shift = 0
    while byte >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        byte = data[at]
    return number | byte << shift, at + 1


def _end(data: bytes, at: int, wire_type: int) -> int:
    """Where the value there ends; ValueError if it is none or goes beyond the message."""
    if wire_type == _LENGTH_DELIMITED:
        length, at = _varint(data, at)
        end = at + length
    elif wire_type == _VARINT:
        _, end = _varint(data, at)
    elif wire_type in (_FIXED64, _FIXED32):
        end = at + (8 if wire_type == _FIXED64 else 4)
    else:
        raise ValueError(f"wire type {wire_type}")
    if end > len(data):
        raise ValueError("the message is cut")
    return end
