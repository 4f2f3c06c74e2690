"""An all-reduce over plain sockets, as a program of several workers: the first one adds up, and tells all.

Each adds its index + 1.
"""

import os
import socket
import time

INDEX, COUNT = int(os.environ["FAIRLEAD_WORKER_INDEX"]), int(os.environ["WORLD_SIZE"])
WHERE = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
PATIENCE = 60.0
"""Seconds until names are there, and the first one listens."""


def main() -> None:
    """Write the sum of all."""
    print(f"worker {INDEX} of {COUNT} has {INDEX + 1}", flush=True)
    total = gather() if INDEX == 0 else ask()
    print(f"worker {INDEX}: the sum is {total}", flush=True)
    with open(os.path.join(os.environ["FAIRLEAD_OUT"], "sum"), "w") as file:
        file.write(str(total))


def gather() -> int:
    """The sum, which all others are told."""
    with socket.create_server(WHERE) as server:
        others = [server.accept()[0] for _ in range(COUNT - 1)]
    total = 1 + sum(int(other.recv(16)) for other in others)
    for other in others:
        other.sendall(str(total).encode())
        other.close()
    return total


def ask() -> int:
    """The sum, from the first one."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            first = socket.create_connection(WHERE, timeout=PATIENCE)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    with first:
        first.sendall(str(INDEX + 1).encode())
        return int(first.recv(16))


if __name__ == "__main__":
    main()
