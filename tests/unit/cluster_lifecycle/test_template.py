"""The CloudFormation template: correct, and in step with what the launch gives and reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from services.cluster_lifecycle.settings import DEFAULT_TEMPLATE
from services.cluster_lifecycle.steps.stack import MAX_TEMPLATE_BYTES


def test_cfn_lint_finds_nothing() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), DEFAULT_TEMPLATE],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_can_be_sent_with_the_call() -> None:
    assert DEFAULT_TEMPLATE.stat().st_size <= MAX_TEMPLATE_BYTES
