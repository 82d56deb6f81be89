"""The histogram of calls, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from services.common.metrics import RpcSeconds


def test_calls_are_counted_in_the_buckets_they_fit() -> None:
    registry = CollectorRegistry()
    calls = RpcSeconds()
    registry.register(calls)
    series = calls.labels("/a.B/C", "OK")
    for seconds in (0.0005, 0.001, 0.002, 40.0):
        series.observe(seconds)
    assert calls.labels("/a.B/C", "OK") is series

    text = generate_latest(registry).decode()

    def sample(suffix: str) -> str:
        (line,) = [each for each in text.splitlines() if each.startswith(suffix)]
        return line.rpartition(" ")[2]

    bucket = 'podyard_rpc_seconds_bucket{code="OK",le="%s",method="/a.B/C"}'
    assert float(sample(bucket % "0.001")) == 2
    assert float(sample(bucket % "0.0025")) == 3
    assert float(sample(bucket % "30.0")) == 3
    assert float(sample(bucket % "+Inf")) == 4
    assert float(sample('podyard_rpc_seconds_count{code="OK",method="/a.B/C"}')) == 4
    assert float(sample('podyard_rpc_seconds_sum{code="OK",method="/a.B/C"}')) == 40.0035
