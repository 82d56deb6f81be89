"""Where a subscriber stands in all the logs it follows: the content of its resume token."""

from __future__ import annotations

import msgspec

from services.common.paging import decode_token, encode_token
from services.k8s_resource.domain.logs.cursor import Cursor


class ContainerPosition(msgspec.Struct, array_like=True):
    """How far one container was read.

    `run` is the run (number of restarts) that `cursor` lies in, None before the first.
    `whole` says that this run was read to its end, `told_end` that its end was told.
    `initial` says that the request's start (last lines only) holds for it.
    """

    uid: str
    pod: str
    container: str
    run: int | None = None
    cursor: Cursor | None = None
    whole: bool = False
    told_end: bool = False
    initial: bool = False


class TailPosition(msgspec.Struct, array_like=True):
    """`since` in nanoseconds, as it was when the stream was first asked for."""

    since: int | None
    containers: list[ContainerPosition]


class PositionBook:
    """The positions of what was delivered so far."""

    def __init__(self, query: bytes, position: TailPosition) -> None:
        self._query = query
        self._since = position.since
        self._delivered = {(c.uid, c.container): c for c in position.containers}

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
        self._delivered[position.uid, position.container] = position

    def forget(self, uid: str) -> None:
        """Forget a pod that is gone."""
        for key in [key for key in self._delivered if key[0] == uid]:
            del self._delivered[key]

    def token(self) -> str:
        """The resume token of this very state."""
        return encode_token(self._query, TailPosition(self._since, list(self._delivered.values())))


def read_token(token: str, query: bytes) -> TailPosition:
    """The position in a resume token; InvalidArgumentError if it is not one of this query."""
    return decode_token(token, query, TailPosition, field="resume_token")
