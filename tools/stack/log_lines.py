"""What pods say: lines by the kind of program that a pod's labels show. Pure."""

from __future__ import annotations

import math
import random
from typing import Any, Protocol


class Story(Protocol):
    """The lines of one pod, in order."""

    def first_lines(self) -> list[str]: ...

    def next_line(self) -> str: ...

    def last_lines(self, succeeded: bool) -> list[str]: ...

    def pause_seconds(self) -> float: ...


def story_of(pod: dict[str, Any], choose: random.Random) -> Story:
    """Training for pods of a training job, serving for inference, else plain work."""
    labels = pod["metadata"].get("labels", {})
    name = pod["metadata"]["name"]
    if "HPJob" in labels:
        return Training(labels["HPJob"], int(labels.get("ReplicaIndex", "0")), choose)
    if "model-id" in labels:
        return Serving(labels["model-id"], choose)
    return Work(name, choose)


class Training:
    """A step about every second; a NaN or a slow collective now and then."""

    def __init__(self, job: str, rank: int, choose: random.Random) -> None:
        self._job, self._rank, self._choose = job, rank, choose
        self._step = 0

    def first_lines(self) -> list[str]:
        return [
            f"[{self._job}] rank {self._rank}: torch 2.9.0+cu128, NCCL 2.27.5, EFA provider found",
            f"[{self._job}] rank {self._rank}: process group ready, world size "
            f"{8 * (self._rank + 1)}",
            "***** Running training *****",
        ]

    def next_line(self) -> str:
        self._step += 1
        roll = self._choose.random()
        if roll < 0.012:
            return (
                f"ERROR rank {self._rank}: NCCL watchdog: ALLREDUCE took "
                f"{self._choose.randrange(20, 90)} s, threshold 15 s; continuing"
            )
        if roll < 0.03:
            return f"WARNING step {self._step}: gradient overflow, skipping step, loss scale halved"
        if self._step % 100 == 0:
            return f"Saving model checkpoint to /s3/checkpoints/{self._job}/checkpoint-{self._step}"
        loss = 0.55 + 1.6 * math.exp(-self._step / 400) + self._choose.gauss(0, 0.03)
        speed = 5.6 + self._choose.gauss(0, 0.2)
        rate = 2e-5 * (1 + math.cos(math.pi * min(self._step, 4000) / 4000)) / 2
        return (
            f"{{'loss': {loss:.4f}, 'grad_norm': {abs(self._choose.gauss(0.9, 0.2)):.3f}, "
            f"'learning_rate': {rate:.3e}, 'epoch': {self._step / 1300:.2f}, 'step': {self._step}, "
            f"'train_samples_per_second': {speed:.2f}}}"
        )

    def last_lines(self, succeeded: bool) -> list[str]:
        if succeeded:
            return [
                "***** train metrics *****",
                "  train_loss                = 0.8134",
                "  train_runtime             = 3:58:21.40",
                "  train_samples_per_second  = 1.927",
                "Training completed.",
            ]
        return [
            f"ERROR [rank{self._rank}]: Watchdog caught collective operation timeout: "
            "WorkNCCL(OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600043 milliseconds",
            "Traceback (most recent call last):",
            '  File "/opt/train/train.py", line 212, in <module>',
            "    trainer.train()",
            "torch.distributed.DistBackendError: NCCL communicator was aborted",
        ]

    def pause_seconds(self) -> float:
        return self._choose.uniform(0.6, 1.4)


class Serving:
    """Requests of a chat completion API."""

    def __init__(self, model: str, choose: random.Random) -> None:
        self._model, self._choose = model, choose
        self._requests = 0

    def first_lines(self) -> list[str]:
        return [
            f"INFO Loading weights of {self._model}",
            "INFO Model loaded in 41.7 s, KV cache 12.3 GiB",
            "INFO Application startup complete.",
        ]

    def next_line(self) -> str:
        self._requests += 1
        if self._choose.random() < 0.02:
            return "ERROR Request aborted: client closed the connection"
        if self._requests % 12 == 0:
            return (
                f"INFO Engine: prompt {self._choose.uniform(200, 900):.1f} tokens/s, generation "
                f"{self._choose.uniform(60, 400):.1f} tokens/s, running "
                f"{self._choose.randrange(1, 9)} reqs, GPU KV cache usage "
                f"{self._choose.uniform(2, 40):.1f}%"
            )
        return (
            f'INFO "POST /v1/chat/completions HTTP/1.1" 200 OK '
            f"({self._choose.uniform(0.2, 4.0):.2f} s, {self._choose.randrange(20, 900)} tokens)"
        )

    def last_lines(self, succeeded: bool) -> list[str]:
        return ["INFO Shutting down" if succeeded else "ERROR Engine core died unexpectedly"]

    def pause_seconds(self) -> float:
        return self._choose.uniform(0.5, 3.0)


class Work:
    """Anything else."""

    def __init__(self, name: str, choose: random.Random) -> None:
        self._name, self._choose = name, choose
        self._items = 0

    def first_lines(self) -> list[str]:
        return [f"INFO {self._name} started"]

    def next_line(self) -> str:
        self._items += self._choose.randrange(50, 500)
        return f"INFO {self._items} items done"

    def last_lines(self, succeeded: bool) -> list[str]:
        return [f"INFO finished, {self._items} items"] if succeeded else ["ERROR out of memory"]

    def pause_seconds(self) -> float:
        return self._choose.uniform(1.0, 5.0)
