"""One round: writers, faults and subscribers at once, then the checks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podyard.k8s_resource.v1 import watch_pb2 as pb

from tests.faults.etcd_history import EtcdHistory, etcd_history
from tests.faults.tcp_proxy import TcpFaultProxy, kubeconfig_through
from tests.service_process import running_service
from tests.soak.faults import Faults
from tests.soak.subscriber import SdkWatcher, Subscriber
from tests.soak.watch_guarantees import (
    CoalescedCheck,
    Key,
    Seen,
    StreamCheck,
    Violation,
    transitions,
    written,
)
from tests.soak.writers import GROUP, NAMESPACES, PLURAL, api_session, write_last, writing
from tools.stack.testing import ControlPlane

FAULTS_A_ROUND = 3
_TOKENS = 3
_END_SECONDS = 60.0

Chosen = Callable[[Key, dict[str, Any]], bool]


@dataclass
class Outcome:
    """What a round found. `summary` is for people; `violations` fail the round."""

    seed: int
    summary: str = ""
    violations: list[tuple[str, Violation]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def subscribers() -> list[Subscriber]:
    """One of each way to watch."""
    everything: Chosen = lambda _key, _content: True  # noqa: E731
    red: Chosen = lambda _key, content: bool(content["metadata"]["labels"]["color"] == "red")  # noqa: E731
    first: Chosen = lambda key, _content: key[0] == NAMESPACES[0]  # noqa: E731
    full, changes, name = (
        pb.OBJECT_VIEW_FULL,
        pb.OBJECT_VIEW_CHANGES,
        pb.OBJECT_VIEW_NAME,
    )
    red_only = {"label_selector": "color=red"}
    return [
        Subscriber("whole objects", {"view": full}, everything),
        Subscriber("changed fields", {"view": changes}, everything),
        Subscriber("by label", {"view": full, **red_only}, red),
        Subscriber("by namespace", {"view": name, "namespace": NAMESPACES[0]}, first),
        Subscriber("slow", {"view": full}, everything, slow=0.4),
        Subscriber("newest states", {"view": full, "coalesce": True, **red_only}, red, slow=0.3),
    ]


async def run_round(plane: ControlPlane, folder: Path, seed: int) -> Outcome:
    """Run the round of a seed: the same faults in the same order each time."""
    chance = random.Random(seed)  # noqa: S311
    started = time.monotonic()
    last_name = f"last-{seed}-{time.time_ns()}"
    watchers = subscribers()
    by_sdk = SdkWatcher()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        truth = await enter(etcd_history(plane, GROUP, PLURAL))
        api_port = int(plane.server_url.rpartition(":")[2])
        upstream = await enter(TcpFaultProxy(api_port))
        kubeconfig = kubeconfig_through(
            plane.kubeconfig, plane.server_url, upstream.port, folder / f"kubeconfig-{seed}"
        )
        environment = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(kubeconfig)}
        service = await enter(running_service("k8s_resource", environment, folder))
        downstream = await enter(TcpFaultProxy(int(service.address.rpartition(":")[2])))
        faults = Faults(plane, truth, upstream, downstream, service, chance)
        session = await enter(api_session(plane))
        await _clear(session)
        tasks = [
            asyncio.create_task(each.run(downstream.port, random.Random(f"{seed}-{each.name}")))  # noqa: S311
            for each in watchers
        ]
        sdk = asyncio.create_task(asyncio.to_thread(by_sdk.run, downstream.port, last_name))
        try:
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.gather(*(each.begun() for each in watchers))
                assert await asyncio.to_thread(by_sdk.begun.wait, _END_SECONDS)
            async with writing(session, seed) as writers:
                await faults.make(FAULTS_A_ROUND, seed)
            last = await write_last(session, last_name)
            async with asyncio.timeout(_END_SECONDS):
                await truth.reached(last)
                await asyncio.gather(*(each.until(last) for each in watchers), sdk)
        except TimeoutError:
            behind = [f"{each.name} at {each.last_version}" for each in watchers]
            raise AssertionError(
                f"seed {seed}: after {dict(faults.made)} not all came up to {last}: {behind}, "
                f"{[each.failures for each in watchers]}; the service's log is {service.log}"
            ) from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        outcome = Outcome(seed)
        lines = [
            f"seed {seed}: {time.monotonic() - started:.0f} s, "
            f"{sum(writer.writes for writer in writers)} writes, {len(truth.revisions)} revisions, "
            + ", ".join(f"{name} {count}" for name, count in sorted(faults.made.items()))
        ]
        lines += await asyncio.gather(
            *(
                _check(outcome, each, truth, last, downstream.port, faults, chance)
                for each in watchers
            )
        )
        lines.append(_check_sdk(outcome, by_sdk.seen, truth, last))
        outcome.summary = "\n".join(lines)
        return outcome


async def _check(
    outcome: Outcome,
    watcher: Subscriber,
    truth: EtcdHistory,
    last: int,
    port: int,
    faults: Faults,
    chance: random.Random,
) -> str:
    expected = transitions(truth.revisions, watcher.chosen)
    coalesced = bool(watcher.request.get("coalesce"))
    kind = CoalescedCheck if coalesced else StreamCheck
    check = kind(expected, written(truth.revisions))
    places: list[tuple[str, StreamCheck]] = []
    # From the last token there is nothing more to come.
    ends = (any(seen.version == last for seen in message.seen) for message in watcher.messages)
    open_ = range(next(index for index, end in enumerate(ends) if end))
    bookmarks = [
        index
        for index in open_
        if any(seen.type in ("BOOKMARK", "HEARTBEAT") for seen in watcher.messages[index].seen)
    ]
    sampled = set(chance.sample(open_, min(_TOKENS, len(open_))))
    sampled.update(chance.sample(bookmarks, min(1, len(bookmarks))))
    for index, message in enumerate(watcher.messages):
        for seen in message.seen:
            check.take(seen)
        if index in sampled:
            places.append((message.token, check.copy()))
    check.finish(last)
    if check.counts.relists and not (watcher.slow or faults.service_ended):
        check.violations.append(Violation("resumable", "RELISTED although nothing was lost"))
    found = list(check.violations)
    async with asyncio.timeout(_END_SECONDS):
        told = await asyncio.gather(*(watcher.resumed(port, token, last) for token, _ in places))
    for (_, branch), events in zip(places, told, strict=True):
        for seen in events:
            branch.take(seen)
        branch.finish(last)
        found += [Violation("bookmarkable", each.what) for each in branch.violations]
    return _noted(outcome, watcher.name, check, found, watcher.connections)


def _check_sdk(outcome: Outcome, seen: list[Seen], truth: EtcdHistory, last: int) -> str:
    expected = transitions(truth.revisions, lambda _key, _content: True)
    check = StreamCheck(expected, written(truth.revisions))
    for each in seen:
        check.take(each)
    check.finish(last)
    return _noted(outcome, "SDK", check, check.violations, 0)


def _noted(
    outcome: Outcome, name: str, check: StreamCheck, found: list[Violation], connections: int
) -> str:
    outcome.violations += [(name, violation) for violation in found]
    counts = vars(check.counts)
    for key, count in counts.items():
        outcome.counts[key] = outcome.counts.get(key, 0) + count
    shown = ", ".join(f"{key.replace('_', ' ')} {count}" for key, count in counts.items())
    return f"  {name:16} {shown}, connections {connections}, violations {len(found)}"


async def _clear(session: Any) -> None:
    """Remove what an earlier round left: the truth of this one begins with nothing."""
    for namespace in NAMESPACES:
        async with session.delete(f"/apis/{GROUP}/v1/namespaces/{namespace}/{PLURAL}") as answer:
            assert answer.status < 300, await answer.text()
