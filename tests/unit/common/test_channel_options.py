"""gRPC ignores an option whose name it does not know; every name that is set must be one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from podyard.client import channel

from gateway import upstreams
from services.common import server


@pytest.mark.parametrize(
    "name",
    sorted({name for module in (server, upstreams, channel) for name, _ in module._OPTIONS}),
)
def test_grpc_knows_the_option(name: str) -> None:
    library = find_spec("grpc._cython.cygrpc")
    assert library is not None
    assert library.origin is not None
    assert name.encode() + b"\0" in Path(library.origin).read_bytes()
