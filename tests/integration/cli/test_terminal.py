"""What changes when the output is a terminal: colours, width, questions."""

from __future__ import annotations

from podyard.k8s_resource.v1 import objects_pb2

from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.scripted_services import Script


def long_pod() -> objects_pb2.Pod:
    pod = objects_pb2.Pod(name="llama-3-70b-finetune-worker-0", namespace="default")
    pod.display_status, pod.pod_ip, pod.node_name = "Running", "10.100.200.30", "hyperpod-i-0123456"
    return pod


async def test_a_narrow_terminal_gets_fewer_columns_and_no_broken_lines(
    podyard: CommandLine, script: Script
) -> None:
    script.pods = [long_pod()]
    result = await podyard.on_terminal("pods", columns=59, NO_COLOR="1")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "AGE"]
    assert lines[1].split()[0] == "llama-3-70b-finetune-worker-0"
    assert all(len(line) <= 59 for line in lines[:2])
    assert "not shown for lack of room: RESTARTS, GPUS, IP, NODE" in lines[2]


async def test_colours_are_for_terminals_only_and_can_be_switched_off(
    podyard: CommandLine, script: Script
) -> None:
    script.pods = [long_pod()]
    assert "\x1b[32mRunning\x1b[0m" in (await podyard.on_terminal("pods", columns=200)).stdout
    assert "\x1b" not in (await podyard.on_terminal("pods", columns=200, NO_COLOR="1")).stdout
    assert "\x1b" not in (await podyard("pods")).stdout


async def test_a_name_cannot_move_the_cursor(podyard: CommandLine, script: Script) -> None:
    script.pods = [objects_pb2.Pod(name="a\x1b[2Jb\nc", namespace="default")]
    result = await podyard("pods")
    assert result.stdout.splitlines()[1].startswith("a\N{REPLACEMENT CHARACTER}[2Jb c ")


async def test_deleting_asks_and_no_means_no(podyard: CommandLine, script: Script) -> None:
    await podyard("clusters", "create", "lab")
    refused = await podyard.on_terminal("clusters", "delete", "lab", answer="n\n")
    assert 'Delete cluster "lab" from the registry?' in refused.stdout
    assert (refused.code, list(script.clusters)) == (1, ["lab"])
    accepted = await podyard.on_terminal("clusters", "delete", "lab", answer="y\n")
    assert (accepted.code, list(script.clusters)) == (0, [])
