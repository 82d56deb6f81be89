"""`python -m bench.replay.server PORT PODS LOG_LINES`: speaks as much of the API as is asked for.

Lists pods in pages, keeps watches open, serves one log. `POST /replay?count=N&rate=R` sends N
events to every watch, R a second, as many as can be for 0; it answers when all are sent.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from bench.replay.logs import whole_log
from bench.replay.pods import FIRST_VERSION, Events, page

_TICK_SECONDS = 0.01
_LOG_CHUNK = 256 * 1024


class Source(ThreadingHTTPServer):
    """Holds what is served and who watches."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, pods: int, log_lines: int) -> None:
        self.pods = pods
        self.events = Events(pods)
        self.log = whole_log(log_lines)
        self.version = FIRST_VERSION
        self.watches: list[socket.socket] = []
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def replay(self, count: int, rate: int) -> None:
        """Send events to all watches."""
        begun = time.monotonic()
        sent = 0
        while sent < count:
            due = count if not rate else min(count, int((time.monotonic() - begun) * rate) + 1)
            while sent < due:
                part = min(250, due - sent)
                lines = self.events.next(self.version, part)
                self.version += part
                sent += part
                self._send(lines)
            if rate:
                time.sleep(_TICK_SECONDS)

    def _send(self, lines: bytes) -> None:
        for each in list(self.watches):
            try:
                each.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
            except OSError:
                with self.lock, contextlib.suppress(ValueError):
                    self.watches.remove(each)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Source

    def do_GET(self) -> None:
        """Everything that is read."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.endswith("/pods") and "watch" in query:
            self._watch()
        elif address.path.endswith("/pods"):
            limit, start = int(query.get("limit", 0)), int(query.get("continue", 0))
            self._answer(page(self.server.pods, start, limit))
        elif address.path.endswith("/log"):
            self._stream_log()
        elif address.path == "/watches":
            self._answer(b"%d" % len(self.server.watches))
        elif address.path == "/version":
            self._answer(b'{"gitVersion":"v1.37.2","major":"1","minor":"37"}')
        else:
            self._answer(b'{"kind":"Status","code":404,"reason":"NotFound"}', 404)

    def do_POST(self) -> None:
        """Only the measurement's own request."""
        address = urlsplit(self.path)
        if address.path != "/replay":
            self._answer(b'{"kind":"Status","code":403,"reason":"Forbidden"}', 403)
            return
        query = parse_qs(address.query)
        begun = time.monotonic()
        self.server.replay(int(query["count"][0]), int(query["rate"][0]))
        done = {"seconds": time.monotonic() - begun, "version": self.server.version}
        self._answer(json.dumps(done).encode())

    def _watch(self) -> None:
        self._head()
        with self.server.lock:
            self.server.watches.append(self.connection)
        # Until the other side goes.
        while self.rfile.read(1):
            pass
        with self.server.lock, contextlib.suppress(ValueError):
            self.server.watches.remove(self.connection)
        self.close_connection = True

    def _stream_log(self) -> None:
        self._head("text/plain")
        view = memoryview(self.server.log)
        for start in range(0, len(view), _LOG_CHUNK):
            part = view[start : start + _LOG_CHUNK]
            self.connection.sendall(b"%x\r\n" % len(part))
            self.connection.sendall(part)
            self.connection.sendall(b"\r\n")
        self.connection.sendall(b"0\r\n\r\n")

    def _head(self, content_type: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the log is not looked at."""


if __name__ == "__main__":
    Source(*map(int, sys.argv[1:4])).serve_forever()
