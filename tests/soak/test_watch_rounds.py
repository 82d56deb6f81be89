"""Watches under seeded faults, against the truth: `make soak` runs many rounds of this."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.integration.k8s_resource.manifests import crd
from tests.soak.watch_round import run_round
from tests.soak.writers import GROUP, NAMESPACES, PLURAL
from tools.stack.testing import ControlPlane

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "5"))
SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else list(range(ROUNDS))


@pytest.fixture(scope="module")
def soaked(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with the kind that is written."""
    control_plane.apply(json.dumps(crd(GROUP, "Soak", PLURAL)))
    control_plane.kubectl("wait", "--for=condition=Established", f"crd/{PLURAL}.{GROUP}")
    for namespace in NAMESPACES:
        control_plane.apply(
            json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        )
    return control_plane


@pytest.mark.parametrize("seed", SEEDS)
async def test_watches_keep_their_guarantees(
    soaked: ControlPlane, tmp_path: Path, seed: int
) -> None:
    outcome = await asyncio.wait_for(run_round(soaked, tmp_path, seed), 170)
    found = [f"  {name}: {each.guarantee}: {each.what}" for name, each in outcome.violations[:20]]
    print("\n" + "\n".join([outcome.summary, *found]), flush=True)  # noqa: T201 - the record
    assert not outcome.violations, outcome.summary
    assert outcome.counts["seen"] > 0
