"""The few raw calls the stack makes itself; everything else goes through kubectl."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class KubeApi:
    """Requests to one API server with a client certificate."""

    def __init__(self, server_url: str, authority: Path, certificate: Path, key: Path) -> None:
        self._server_url = server_url
        # Checked against the cluster's own authority; its certificate names 127.0.0.1.
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({})
        )

    @classmethod
    def from_kubeconfig(cls, kubeconfig: Path) -> KubeApi:
        """For the current context of a kubeconfig with certificate files, as kwokctl writes it."""
        import yaml  # not before `.venv` exists

        config = yaml.safe_load(kubeconfig.read_text())

        def named(section: str, name: str, key: str) -> dict[str, str]:
            found = next(item[key] for item in config[section] if item["name"] == name)
            return dict(found)

        context = named("contexts", config["current-context"], "context")
        cluster = named("clusters", context["cluster"], "cluster")
        user = named("users", context["user"], "user")
        return cls(
            cluster["server"],
            Path(cluster["certificate-authority"]),
            Path(user["client-certificate"]),
            Path(user["client-key"]),
        )

    def stream(self, path: str, timeout_seconds: float) -> Iterator[bytes]:
        """The lines of an answer that goes on; OSError when silent for longer than the timeout."""
        request = urllib.request.Request(self._server_url + path)  # noqa: S310
        with self._opener.open(request, timeout=timeout_seconds) as response:
            yield from response

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        timeout_seconds: float = 10.0,
    ) -> bytes:
        """One request; raises urllib.error.HTTPError with the server's status, or OSError."""
        request = urllib.request.Request(  # noqa: S310  (the stack's own https URL)
            self._server_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type, "Accept": "application/json, */*"},
        )
        with self._opener.open(request, timeout=timeout_seconds) as response:
            content: bytes = response.read()
            return content

    def is_ready(self) -> bool:
        """Whether /readyz says ok."""
        try:
            return self.request("GET", "/readyz", timeout_seconds=2.0) == b"ok"
        except OSError:
            return False

    def exists(self, path: str) -> bool:
        """Whether a GET of the path succeeds."""
        try:
            self.request("GET", path, timeout_seconds=2.0)
        except OSError:
            return False
        return True

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply one object."""
        self.request(
            "PATCH",
            f"{path}?fieldManager=podyard-stack&force=true",
            manifest,
            content_type="application/apply-patch+yaml",
        )
