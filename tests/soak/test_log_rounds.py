"""Log tails under seeded faults: `make soak` runs many rounds of this."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.soak.log_guarantees import Container, TailCheck
from tests.soak.log_round import run_round
from tools.stack.testing import ControlPlane

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "3"))
SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else list(range(ROUNDS))


@pytest.mark.parametrize("seed", SEEDS)
async def test_tails_deliver_each_line_once(
    control_plane: ControlPlane, tmp_path: Path, seed: int
) -> None:
    namespace = f"soak-logs-{seed}-{os.getpid()}"
    control_plane.kubectl("create", "namespace", namespace)
    control_plane.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default")
    try:
        containers = await asyncio.to_thread(_pods, control_plane, namespace)
        outcome = await asyncio.wait_for(
            run_round(control_plane, namespace, containers, tmp_path, seed), 150
        )
    finally:
        control_plane.kubectl("delete", "namespace", namespace, "--wait=false")
    found = [f"  {problem}" for problem in outcome.problems[:20]]
    print("\n" + "\n".join([outcome.summary, *found]), flush=True)  # noqa: T201 - the record
    assert not outcome.problems, outcome.summary


def test_the_check_finds_what_is_wrong() -> None:
    check = TailCheck("x")
    of = ("pod", "main")
    for text in ("0 a", "1 a", "3 a", "3 a"):
        check.line(of, text)
    check.gap(of)
    check.line(of, "9 a")
    check.line(of, "8 a")
    assert check.counts == {"seen": 6, "lost": 1, "repeated": 2, "gaps": 1, "in told gaps": 5}
    assert len(check.problems) == 3
    assert not check.has_all({of: 11})
    assert check.behind({of: 11}) == {of: (10, 11)}


def _pods(plane: ControlPlane, namespace: str) -> list[Container]:
    names = {"a": ("main", "side"), "b": ("main",), "c": ("main",)}
    for pod, containers in names.items():
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod, "namespace": namespace, "labels": {"app": "soak"}},
            "spec": {"containers": [{"name": name, "image": "none"} for name in containers]},
        }
        plane.apply(json.dumps(manifest))
    plane.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    made = [(pod, name) for pod, containers in names.items() for name in containers]
    for pod, name in made:
        plane.write_logs(pod, namespace=namespace, container=name)
    return made
