"""Config maps that the tests of watches write, and an API server that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools.stack.testing import ControlPlane


class Maps:
    """Config maps of a namespace, written over the API."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._api = plane.api()
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"

    async def create(self, name: str, labels: dict[str, str] | None = None, **data: str) -> None:
        body = {"metadata": {"name": name, "labels": labels or {}}, "data": data}
        await asyncio.to_thread(self._api.request, "POST", self._path, body)

    async def change(self, name: str, labels: dict[str, str] | None = None, **data: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels or {}},
            "data": data,
        }
        await asyncio.to_thread(self._api.request, "PUT", f"{self._path}/{name}", body)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._api.request, "DELETE", f"{self._path}/{name}")


@contextmanager
def api_server_down(plane: ControlPlane) -> Iterator[None]:
    """kill -9 the API server; it runs again afterwards, whatever happens within."""
    plane.kill_apiserver()
    try:
        yield
    finally:
        plane.start_apiserver()


def own(namespace: str, **more: Any) -> dict[str, Any]:
    """A request for the config maps that the test itself writes."""
    return {
        "kinds": ["configmaps"],
        "namespace": namespace,
        "field_selector": "metadata.name!=kube-root-ca.crt",
        **more,
    }
