"""Scripted services and a command line that talks to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.scripted_services import Script, Services, running


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def services(script: Script) -> AsyncIterator[Services]:
    async with running(script) as started:
        yield started


@pytest.fixture
def podyard(services: Services, tmp_path: Path) -> CommandLine:
    return CommandLine(services.environment, tmp_path)
