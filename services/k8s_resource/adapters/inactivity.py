"""How long a stream may be silent.

aiohttp's own limit sets a timer anew with every piece that comes, which costs more than reading
a log line does. This one looks now and then whether anything came.
"""

from __future__ import annotations

import asyncio

import aiohttp

_LOOKS = 8


class InactivityLimit:
    """Ends a stream on which nothing comes for so many seconds, or up to an eighth more.

    Only the time in which it is `waiting` counts: a reader may take its time.
    """

    def __init__(self, content: aiohttp.StreamReader, seconds: float) -> None:
        self.waiting = False
        self._content = content
        self._pause = seconds / _LOOKS
        self._seen = -1
        self._silent = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._pause, self._look)

    def end(self) -> None:
        """The stream has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        seen = self._content.total_bytes
        self._silent = self._silent + 1 if self.waiting and seen == self._seen else 0
        self._seen = seen
        if self._silent >= _LOOKS:
            self._content.set_exception(aiohttp.SocketTimeoutError("silent for too long"))
        else:
            self._timer = self._loop.call_later(self._pause, self._look)


def lift_read_limit(response: aiohttp.ClientResponse) -> None:
    """End aiohttp's own limit, which held until the headers came."""
    if response.connection is not None and response.connection.protocol is not None:
        response.connection.protocol.read_timeout = None
        response.connection.protocol.start_timeout()
