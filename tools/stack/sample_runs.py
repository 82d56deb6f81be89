"""Training runs as the training teams' scripts log them: varied, and the same for a seed."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Status = Literal["FINISHED", "RUNNING", "FAILED"]


@dataclass(frozen=True)
class Sample:
    """One run. Times in milliseconds since the epoch; metrics as (key, step, value)."""

    run_id: str
    experiment: str
    name: str
    status: Status
    start_ms: int
    end_ms: int | None
    tags: dict[str, str]
    params: dict[str, str]
    metrics: list[tuple[str, int, float]]


_EXPERIMENTS = ("llm-sft", "llm-pretraining", "preference-tuning", "vision-language")
_MODELS = ("qwen3-8b", "qwen3-32b", "llama-3.1-8b", "llama-3.1-70b", "mistral-7b", "gemma-3-27b")
_DATASETS = ("alpaca-en", "ultrachat-200k", "openorca", "code-feedback", "internal-support")
# Instance type, GPUs of one instance, samples per second of one GPU.
_INSTANCES = (
    ("ml.g5.12xlarge", 4, 0.11),
    ("ml.p4d.24xlarge", 8, 0.32),
    ("ml.p5.48xlarge", 8, 0.74),
)
_USERS = ("ana", "bo", "chidi", "dara")
_POINTS = 40


def sample_runs(count: int, now_ms: int, seed: int = 7) -> Iterator[Sample]:
    """`count` runs, the newest first, about two hours apart; the newest few still run."""
    choose = random.Random(seed)  # noqa: S311  (sample data)
    for index in range(count):
        yield _sample(choose, index, now_ms)


def _sample(choose: random.Random, index: int, now_ms: int) -> Sample:
    model, dataset = choose.choice(_MODELS), choose.choice(_DATASETS)
    instance, gpus, speed = choose.choice(_INSTANCES)
    replicas = choose.choice((1, 1, 2, 2, 4, 8))
    batch = choose.choice((1, 2, 4, 8))
    cutoff = choose.choice((2048, 4096, 8192))
    zero = choose.choice(("zero1.json", "zero2.json", "zero3.json", "zero3_offload.json"))
    rate = float(choose.choice(("1e-5", "2e-5", "5e-5", "1e-4")))
    status = _status(choose, index)
    start = now_ms - index * 7_200_000 - choose.randrange(3_600_000)
    length_ms = choose.randrange(10 * 60_000, 6 * 3_600_000)
    samples = speed * gpus * replicas * choose.uniform(0.7, 1.1) * 4096 / cutoff
    points = _POINTS if status == "FINISHED" else choose.randrange(3, _POINTS)
    user = choose.choice(_USERS)
    name = f"{model}-{dataset}-{choose.randrange(16**4):04x}"
    return Sample(
        run_id=uuid.UUID(int=choose.getrandbits(128), version=4).hex,
        experiment=choose.choice(_EXPERIMENTS),
        name=name,
        status=status,
        start_ms=start,
        end_ms=None if status == "RUNNING" else start + length_ms * points // _POINTS,
        tags={
            "model": model,
            "dataset": dataset,
            "instance_type": instance,
            "replica_count": str(replicas),
            "proc_per_node": str(gpus),
            "batch_size": str(batch),
            "cutoff_len": str(cutoff),
            "deepspeed_conf": zero,
            "mlflow.runName": name,
            "mlflow.user": user,
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "LOCAL",
        },
        params={
            "learning_rate": f"{rate:g}",
            "lr_scheduler_type": "cosine",
            "warmup_ratio": "0.03",
            "weight_decay": "0.0",
            "num_train_epochs": "3",
            "per_device_train_batch_size": str(batch),
            "gradient_accumulation_steps": str(choose.choice((1, 4, 8))),
            "gradient_checkpointing": "True",
            "bf16": "True",
            "cutoff_len": str(cutoff),
            "seed": str(choose.randrange(1000)),
            "finetuning_type": choose.choice(("full", "lora")),
            "deepspeed": zero,
            "output_dir": f"/s3/checkpoints/{name}",
        },
        metrics=_metrics(choose, points, rate, samples, samples / batch, status),
    )


def _status(choose: random.Random, index: int) -> Status:
    if index < 5:
        return "RUNNING"
    return "FAILED" if choose.random() < 0.12 else "FINISHED"


def _metrics(
    choose: random.Random, points: int, rate: float, samples: float, steps: float, status: Status
) -> list[tuple[str, int, float]]:
    rows: list[tuple[str, int, float]] = []
    loss = choose.uniform(1.6, 2.6)
    for point in range(points):
        step = (point + 1) * 10
        fallen = 0.55 + (loss - 0.55) * math.exp(-point / 14) + choose.gauss(0, 0.02)
        rows.append(("loss", step, round(fallen, 4)))
        rows.append(("epoch", step, round(3 * (point + 1) / _POINTS, 3)))
        rows.append(("learning_rate", step, rate * (1 + math.cos(math.pi * point / _POINTS)) / 2))
    last = points * 10
    rows.append(("train_samples_per_second", last, round(samples, 3)))
    rows.append(("train_steps_per_second", last, round(steps, 3)))
    if status == "FINISHED":
        rows.append(("train_loss", last, rows[-5][2]))
    return rows
