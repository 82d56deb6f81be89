"""`python -m bench.patch_writers KUBECONFIG EACH LAST POD…`: changes a label of pods at a rate.

The label `sent` is the moment before each PATCH, in nanoseconds since the epoch; that of the last
change, to the first pod, is LAST.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from bench.raw_https import RawHttps

WRITERS = 2
_PAUSE_SECONDS = 0.02


def main(kubeconfig: str, each: str, last: str, *pods: str) -> None:
    """Write `each` changes by each writer, then the last one."""
    threads = [
        threading.Thread(target=_write, args=(kubeconfig, int(each), pods[number::WRITERS]))
        for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with RawHttps(Path(kubeconfig)) as api:
        _patch(api, pods[0], last)


def _write(kubeconfig: str, each: int, pods: list[str]) -> None:
    with RawHttps(Path(kubeconfig)) as api:
        for number in range(each):
            _patch(api, pods[number % len(pods)], str(time.time_ns()))
            time.sleep(_PAUSE_SECONDS)


def _patch(api: RawHttps, pod: str, sent: str) -> None:
    path = f"/api/v1/namespaces/default/pods/{pod}"
    api.patch(path, json.dumps({"metadata": {"labels": {"sent": sent}}}).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
