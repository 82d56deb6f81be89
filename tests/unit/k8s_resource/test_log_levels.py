"""Levels of log lines."""

from __future__ import annotations

import pytest

from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.levels import Level, LevelReader, level_of
from services.k8s_resource.domain.logs.lines import Lines


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"ts": 1.5, "level": "warn", "msg": "an ERROR in the text"}', Level.WARNING),
        ('{"severity":"CRITICAL","message":"x"}', Level.FATAL),
        ('{"msg":"x","lvl" : "dbg"}', Level.DEBUG),
        ('{"level":30,"time":1,"msg":"pino"}', Level.INFO),
        ('{"level":60,"msg":"pino"}', Level.FATAL),
        ('{"log.level":"Error"}', Level.ERROR),
        ('{"level":"verbose"}', Level.UNKNOWN),
        ('{"loss": 0.5, "step": 3}', Level.UNKNOWN),
        ("{'loss': 0.5412, 'step': 3}", Level.UNKNOWN),
        ("I0102 15:04:05.678901       1 main.go:77] started", Level.INFO),
        ("W0102 15:04:05.678901       1 main.go:77] INFO of old", Level.WARNING),
        ("E0102 15:04:05.678901       1 main.go:77] broke", Level.ERROR),
        ("F0102 15:04:05.678901       1 main.go:77] gone", Level.FATAL),
        ("INSTALLED 0102", Level.UNKNOWN),
        ('time="2026-01-02T03:04:05Z" level=error msg="INFO is no level here"', Level.ERROR),
        ("ts=1 caller=x.go lvl=debug msg=ok", Level.DEBUG),
        ("noise_level=high", Level.UNKNOWN),
        ("level=unheard WARNING: but this", Level.WARNING),
        ("2026-01-02 03:04:05,123 - trainer - WARNING - slow", Level.WARNING),
        ("WARNING:root:slow", Level.WARNING),
        ("[2026-01-02 03:04:05,123][torch][INFO] - ready", Level.INFO),
        ("2026/01/02 03:04:05 [error] 7#7: *1 open() failed", Level.ERROR),
        ("<warn> x", Level.WARNING),
        ("error: no such file", Level.ERROR),
        ("nvidia-smi[77] warning: hot", Level.WARNING),
        ("node-1:77:88 [0] NCCL WARN NET/OFI Request failed", Level.WARNING),
        ("node-1:77:88 [0] NCCL INFO Bootstrap", Level.INFO),
        ("2026-01-02 03:04:05.678901: E tensorflow/core/x.cc:1] bad", Level.ERROR),
        ("panic: runtime error: index out of range", Level.FATAL),
        ("Traceback (most recent call last):", Level.ERROR),
        ("[rank3]: Traceback (most recent call last):", Level.ERROR),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory", Level.ERROR),
        ("ValueError", Level.ERROR),
        ("an error is mentioned in passing", Level.UNKNOWN),
        ("0 errors, 3 warnings", Level.UNKNOWN),
        ("/var/log/ERROR/x", Level.UNKNOWN),
        ("Saving model checkpoint", Level.UNKNOWN),
        ("x" * 500 + " ERROR", Level.UNKNOWN),
        ("", Level.UNKNOWN),
    ],
)
def test_the_level_of_a_line(text: str, level: Level) -> None:
    assert level_of(text) is level


def test_indented_lines_belong_to_the_line_before() -> None:
    reader = LevelReader()
    first = reader.read(
        Lines(["  early", "Traceback (most recent call last):", '  File "x"'], [1, 2, 3])
    )
    second = reader.read(Lines(["    raise X", "ready", "  more", "  DEBUG own"], [4, 5, 6, 7]))
    assert first.levels == [Level.UNKNOWN, Level.ERROR, Level.ERROR]
    assert second.levels == [Level.ERROR, Level.UNKNOWN, Level.UNKNOWN, Level.DEBUG]


def test_lines_are_kept_from_a_level_on() -> None:
    lines = Lines(["INFO a", "ERROR b", "c", "WARN d"], [1, 2, 3, 4], [1, 3])
    kept = LineFilter(min_level=Level.WARNING).apply(LevelReader().read(lines))
    assert kept.texts == ["ERROR b", "WARN d"]
    assert kept.times == [2, 4]
    assert kept.truncated == [0, 1]
    assert kept.levels == [Level.ERROR, Level.WARNING]
    assert lines.levels == []


@pytest.mark.parametrize(
    "unit", [" ", "{", "[", "level=", '"level":', "a.", "E", "[a ", "INFO", "\x00", "=" * 3, ": "]
)
def test_hostile_lines_are_read_at_once(unit: str) -> None:
    """With backtracking a thousand of these would take hours."""
    text = (unit * 1_000_000)[:1_000_000]
    for _ in range(1000):
        level_of(text)
