"""Requests to an API server on one open connection: the least that a client can do."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class RawHttps:
    """Use as a context; for the current context of a kubeconfig with certificate files."""

    def __init__(self, kubeconfig: Path) -> None:
        self._connection: http.client.HTTPConnection
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        if server.scheme == "http":
            self._connection = http.client.HTTPConnection(server.netloc, timeout=60)
            return
        tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        tls.load_cert_chain(user["client-certificate"], user["client-key"])
        self._connection = http.client.HTTPSConnection(server.netloc, context=tls, timeout=60)

    def __enter__(self) -> RawHttps:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        """The body of an answer 200."""
        return self._request("GET", path)

    def patch(self, path: str, body: bytes) -> bytes:
        """A merge patch."""
        return self._request("PATCH", path, body, {"Content-Type": "application/merge-patch+json"})

    def discard(self, path: str) -> int:
        """Read an answer of any length and keep nothing; its bytes."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        assert response.status == 200
        buffer = bytearray(256 * 1024)
        size = 0
        while count := response.readinto(buffer):
            size += count
        return size

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        accept = {"Accept": "application/json"}
        self._connection.request(method, path, body, accept | (headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, content[:200]
        return content
