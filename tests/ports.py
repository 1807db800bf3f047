"""Ports for programs that a test or a benchmark starts."""

import itertools
import random
import socket

# Below what the kernel hands to outgoing connections (32768 and up): no other program takes one between our look and
# our use. Drawn by chance, so that test processes side by side do not look for the same one.
_PORTS = range(20000, 32768)


def is_free(port: int) -> bool:
    """Whether a program could listen on it now, on any address."""
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def free_port(row: int = 1) -> int:
    """A port that nothing listens on now; the first of *row* such ports, one after the other."""
    chance = random.SystemRandom()
    drawn = (chance.choice(_PORTS) for _ in itertools.count())
    return next(first for first in drawn if all(is_free(first + step) for step in range(row)))
