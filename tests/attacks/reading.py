"""An honest reader in a process of its own, so that what it waits for is the relay and not the attacker's own work.

``python -m tests.attacks.reading HOST PORT`` reads the front page ten times a second, each time over a connection of
its own, until its input ends; then it prints how many seconds each took. It fails where a page is not served.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

EVERY = 0.1
LEAST = 20


def read(host: str, port: int) -> float:
    """Read the front page; return the seconds from knocking to the last byte."""
    begun = time.monotonic()
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % (host.encode(), port))
        head = connection.recv(65536)
        while connection.recv(65536):
            continue
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"no page: {head[:80]!r}")
    return time.monotonic() - begun


def main(host: str, port: int) -> None:
    """Read until the input ends, and print."""
    pages: list[float] = []
    ended = False
    while len(pages) < LEAST or not ended:
        pages.append(read(host, port))
        ended = bool(select.select([] if ended else [sys.stdin], [], [], EVERY)[0]) or ended
    print(json.dumps(pages))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
