"""Ports for those who must be found at the same one again after they were stopped or killed.

A port the system chooses may be given to somebody else's connection while its owner is away, even to that of a client
that tries to reach the owner. These are below the range the system chooses from, and each is marked, by a socket without
a file, as taken by this process as long as it lives: no other test on this machine is given it.
"""

import itertools
import os
import random
import socket
from pathlib import Path

FIRST = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens at."""
    below = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    numbers = random.SystemRandom()
    tries = (numbers.randrange(FIRST, max(below, FIRST + 1_000)) for _ in range(TRIES))
    found = list(itertools.islice(filter(is_ours, tries), count))
    assert len(found) == count, f"no {count} free ports between {FIRST} and {below}"
    return found


def is_ours(port: int) -> bool:
    """Take a port for this process; False when it is taken."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mark.bind(f"\0tradsys-test-port-{os.getuid()}-{port}")
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        mark.close()
        return False
    mark.detach()  # open until the process ends
    return True
