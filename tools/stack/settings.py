"""What a user can choose about the local stack, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.ports import LOOPBACK, is_free

# Fixed, so that commands in the documentation can be pasted; below the ephemeral range.
_DEFAULT_PORTS = {
    "gateway": 7400,
    "k8s_resource": 7401,
    "cluster_lifecycle": 7402,
    "training_history": 7403,
}


@dataclass(frozen=True)
class Listen:
    """Where one Podyard process listens."""

    variable: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """`host:port`, with the brackets of IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check_free(self, who: str) -> None:
        """StackError when another program has the port."""
        if not is_free(self.port, self.host):
            raise StackError(
                f"Port {self.port} ({who}) is in use by another program. Stop that program "
                f"(`ss -ltnp 'sport = :{self.port}'` shows it), or choose another port: "
                f"{self.variable}={self.host}:{self.port + 100}."
            )


def listen(stem: str) -> Listen:
    """The address of a Podyard process: PODYARD_<STEM>_LISTEN, or its fixed port on loopback."""
    variable = f"PODYARD_{stem.upper()}_LISTEN"
    text = os.environ.get(variable) or f"{LOOPBACK}:{_DEFAULT_PORTS[stem]}"
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise StackError(f"{variable}={text} is not host:port, such as {LOOPBACK}:7400.")
    return Listen(variable, host.strip("[]"), int(port))


@dataclass(frozen=True)
class RunOptions:
    """What `run` and `up` were asked for."""

    state: Path
    # A real cluster's kubeconfig: then no local control plane and no demo data.
    kubeconfig: Path | None = None
    # Without the four Podyard processes, for those who start them by hand.
    backing_only: bool = False

    def check(self) -> None:
        """StackError when something named does not exist."""
        if self.kubeconfig is not None and not self.kubeconfig.is_file():
            raise StackError(f"There is no kubeconfig at {self.kubeconfig}.")
