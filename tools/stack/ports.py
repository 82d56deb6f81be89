"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port
# between the moment it is chosen and the moment its server binds it.
_FIRST, _LAST = 14000, 31999


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Distinct free ports, chosen at random so that neighbours do not choose the same."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.SystemRandom().randint(_FIRST, _LAST)
        if port not in chosen and is_free(port):
            chosen.append(port)
    return chosen
