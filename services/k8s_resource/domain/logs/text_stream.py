"""The text of a log as a file has it: its bytes untouched, the times left out or kept."""

from __future__ import annotations

from services.k8s_resource.domain.logs.raw_lines import (
    STAMP_BYTES,
    time_of,
    without_stamps,
)

_DISORDER = 1_000_000_000
"""How far times may go backwards, in nanoseconds: stdout and stderr are stamped apart."""


class TextStream:
    """Takes raw chunks of one log and gives the text of its lines in a window of time.

    Holds back at most what may be a time at the beginning of a line, however long lines are.
    """

    def __init__(
        self, *, timestamps: bool = False, since: int | None = None, until: int | None = None
    ) -> None:
        """`since` and `until` in nanoseconds, the second exclusive."""
        self._timestamps = timestamps
        self._since = since
        self._until = until
        self._held = b""
        self._at_line_start = True
        self._keeping = True
        self.past_end = False
        """Whether lines after the window have been seen, so that none in it can come."""

    def feed(self, chunk: bytes) -> bytes:
        """The text of a chunk, as far as it can be told."""
        data = self._held + chunk
        line = data.rfind(b"\n") + 1
        begins_line = line > 0 or self._at_line_start
        if begins_line and len(data) - line < STAMP_BYTES:
            self._held = data[line:]
            data = data[:line]
        else:
            self._held = b""
        return self._text(data)

    def finish(self) -> bytes:
        """What is left when the log has ended."""
        data, self._held = self._held, b""
        return self._text(data)

    def _text(self, data: bytes) -> bytes:
        kept = b""
        if data and not self._at_line_start:
            # The rest of a line, about which its beginning has decided.
            end = data.find(b"\n") + 1
            rest = data[:end] if end else data
            kept = rest if self._keeping else b""
            data = data[len(rest) :]
            self._at_line_start = bool(end)
        if data:
            self._at_line_start = data.endswith(b"\n")
            data = self._in_window(data)
        return kept + (data if self._timestamps else without_stamps(data))

    def _in_window(self, data: bytes) -> bytes:
        """What of lines lies in the window; the last of them may go on."""
        since, until = self._since, self._until
        if since is None and until is None:
            return data
        if since is not None and (time_of(data[:STAMP_BYTES]) or 0) >= since + _DISORDER:
            since = self._since = None
        last = data.rfind(b"\n", 0, len(data) - 1) + 1
        newest = time_of(data[last : last + STAMP_BYTES])
        if since is None and (until is None or (newest is not None and newest < until - _DISORDER)):
            self._keeping = True
            return data
        return self._filtered(data)

    def _filtered(self, data: bytes) -> bytes:
        kept: list[bytes] = []
        for line in _lines(data):
            moment = time_of(line)
            if moment is not None:
                after = self._until is not None and moment >= self._until
                self._keeping = not after and (self._since is None or moment >= self._since)
                if self._until is not None and moment >= self._until + _DISORDER:
                    self.past_end = True
                    break
            if self._keeping:
                kept.append(line)
        return b"".join(kept)


def _lines(data: bytes) -> list[bytes]:
    """Lines with their ends; `splitlines` would also split at carriage returns."""
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines
