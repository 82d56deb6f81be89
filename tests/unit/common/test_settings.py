"""Settings: a bad value stops the start with one clear line."""

from __future__ import annotations

import pytest
from pydantic_settings import SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings, is_loopback, load_settings


class ExampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PODYARD_EXAMPLE_")

    listen: LoopbackAddress = "127.0.0.1:7409"


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODYARD_EXAMPLE_LISTEN", "[::1]:0")
    monkeypatch.setenv("PODYARD_EXAMPLE_DRAIN_SECONDS", "2.5")
    settings = load_settings(ExampleSettings)
    assert (settings.listen, settings.drain_seconds) == ("[::1]:0", 2.5)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PODYARD_EXAMPLE_LISTEN", "0.0.0.0:7401", "not a loopback address"),
        ("PODYARD_EXAMPLE_LISTEN", "10.0.0.1:7401", "not a loopback address"),
        ("PODYARD_EXAMPLE_LISTEN", "7401", "host:port"),
        ("PODYARD_EXAMPLE_LISTEN", "127.0.0.1:99999", "host:port"),
        ("PODYARD_EXAMPLE_DRAIN_SECONDS", "soon", "valid number"),
        ("PODYARD_EXAMPLE_LOG_LEVEL", "LOUD", "DEBUG"),
    ],
)
def test_bad_value_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as caught:
        load_settings(ExampleSettings)
    line = capsys.readouterr().err
    assert caught.value.code == 2
    assert line.count("\n") == 1
    assert variable in line
    assert said in line
    assert value in line


def test_loopback() -> None:
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "example.org", "10.0.0.1", ""]))
