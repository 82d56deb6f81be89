"""Where a subscriber stands in all the logs it follows: the content of its resume token."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Collection

import msgspec

from services.common.errors import InvalidArgumentError
from services.common.paging import decode_token, encode_token
from services.k8s_resource.domain.logs.cursor import Cursor, Window

_SECOND = 1_000_000_000
_UUID_BYTES = 16
_MARK = b"=" * (_UUID_BYTES + 1)
_LARGEST_POSITION_BYTES = 8 * 1024 * 1024


class ContainerPosition(msgspec.Struct, frozen=True):
    """How far one container was read.

    `run` is the run (number of restarts) that `cursor` lies in, None before the first.
    `whole` says that this run was read to its end, `told_end` that its end was told.
    `initial` says that the request's start (last lines only) holds for it. `sent` counts the
    bytes delivered of it, in streams that limit them.
    """

    uid: str
    pod: str
    container: str
    run: int | None = None
    cursor: Cursor | None = None
    whole: bool = False
    told_end: bool = False
    initial: bool = False
    sent: int = 0


class TailPosition(msgspec.Struct):
    """`since` in nanoseconds, as it was when the stream was first asked for."""

    since: int | None
    containers: list[ContainerPosition]


class PositionBook:
    """The positions of what was delivered so far."""

    def __init__(self, query: bytes, position: TailPosition) -> None:
        self._query = query
        self._since = position.since
        self._delivered = {(c.uid, c.container): c for c in position.containers}
        # As they go into a token; those that have moved since are packed anew.
        self._packed: dict[tuple[str, str], _Row] = {}
        self._moved = set(self._delivered)

    def get(self, uid: str, container: str) -> ContainerPosition | None:
        """Where a container stands, None if it is new."""
        return self._delivered.get((uid, container))

    def pods(self) -> dict[str, str]:
        """Names of the pods in the book, by uid."""
        return {position.uid: position.pod for position in self._delivered.values()}

    def is_whole(self, uid: str) -> bool:
        """Whether all that is known of a pod was delivered to its end."""
        return all(c.whole for c in self._delivered.values() if c.uid == uid)

    def put(self, position: ContainerPosition) -> None:
        """Note what was delivered of a container."""
        key = (position.uid, position.container)
        self._delivered[key] = position
        self._moved.add(key)

    def forget(self, uid: str) -> None:
        """Forget a pod that is gone."""
        for key in [key for key in self._delivered if key[0] == uid]:
            del self._delivered[key]
            self._packed.pop(key, None)
            self._moved.discard(key)

    def token(self) -> str:
        """The resume token of this very state."""
        for key in self._moved:
            known = self._packed.get(key)
            self._packed[key] = _packed(self._delivered[key], known[0] if known else None)
        self._moved.clear()
        return _token(self._since, self._packed.values(), self._query)


# A token goes with every batch and, through the gateway, into a header. So containers are
# written by column, numbers relative to their second, and the whole compressed: about 50
# characters for a container.
_Row = tuple[bytes, str, str, int | None, int, tuple[int, ...], int]
_OptionalInts = list[int | None]


class _Columns(msgspec.Struct, array_like=True):
    since: int | None
    uids: list[bytes]
    pods: list[str]
    containers: list[str]
    runs: _OptionalInts
    flags: list[int]
    cursors: list[tuple[int, ...]]
    sent: list[int]


def _packed(position: ContainerPosition, uid: bytes | None = None) -> _Row:
    """A position as a row of a token; `uid` if it was packed before."""
    return (
        uid or _packed_uid(position.uid),
        position.pod,
        position.container,
        position.run,
        position.whole | position.told_end << 1 | position.initial << 2,
        _packed_cursor(position.cursor),
        position.sent,
    )


def _token(since: int | None, rows: Collection[_Row], query: bytes) -> str:
    columns = zip(*rows, strict=True) if rows else ([],) * 7
    return encode_token(query, zlib.compress(msgspec.msgpack.encode((since, *columns)), 1))


def write_token(position: TailPosition, query: bytes) -> str:
    """The token of a position, bound to the query."""
    return _token(position.since, [_packed(c) for c in position.containers], query)


def read_token(token: str, query: bytes) -> TailPosition:
    """The position in a resume token; InvalidArgumentError if it is not one of this query."""
    compressed = decode_token(token, query, bytes, field="resume_token")
    try:
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(compressed, _LARGEST_POSITION_BYTES)
        columns = msgspec.msgpack.decode(plain, type=_Columns)
        rows = zip(
            columns.uids,
            columns.pods,
            columns.containers,
            columns.runs,
            columns.flags,
            columns.cursors,
            columns.sent,
            strict=True,
        )
        return TailPosition(
            columns.since,
            [
                ContainerPosition(
                    _plain_uid(uid),
                    pod,
                    container,
                    run,
                    _plain_cursor(cursor),
                    bool(flags & 1),
                    bool(flags & 2),
                    bool(flags & 4),
                    sent,
                )
                for uid, pod, container, run, flags, cursor, sent in rows
            ],
        )
    except (zlib.error, ValueError):  # msgspec.DecodeError is a ValueError
        raise InvalidArgumentError.field(
            "resume_token",
            "was made by another version; leave it empty to start anew",
            reason="BAD_TOKEN",
        ) from None


def _packed_uid(uid: str) -> bytes:
    """A uid is a UUID, but nothing promises that: other text is written as it is,
    after a mark that makes it longer than one."""
    try:
        made = uuid.UUID(uid)
    except ValueError:
        return _MARK + uid.encode()
    return made.bytes if str(made) == uid else _MARK + uid.encode()


def _plain_uid(packed: bytes) -> str:
    if len(packed) == _UUID_BYTES:
        return str(uuid.UUID(bytes=packed))
    return packed[len(_MARK) :].decode()


def _packed_cursor(cursor: Cursor | None) -> tuple[int, ...]:
    if cursor is None:
        return ()
    window, newest = cursor.window, cursor.newest
    start = window.second * _SECOND
    packed = (
        window.second,
        window.count,
        window.first - start,
        int(window.exact),
        cursor.last - start,
        cursor.ties,
    )
    if newest == window:
        return packed
    return (
        *packed,
        newest.second - window.second,
        newest.count,
        newest.first - start,
        int(newest.exact),
    )


def _plain_cursor(packed: tuple[int, ...]) -> Cursor | None:
    if not packed:
        return None
    second, count, first, exact, last, ties, *rest = packed
    start = second * _SECOND
    window = newest = Window(second, count, start + first, bool(exact))
    if rest:
        after, its_count, its_first, its_exact = rest
        newest = Window(second + after, its_count, start + its_first, bool(its_exact))
    return Cursor(window, newest, start + last, ties)
