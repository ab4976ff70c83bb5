"""Which loopback ports are used, kept from start to start where they are still free."""

import errno
import random
import socket
from dataclasses import asdict, dataclass
from typing import Any

from scripts.launcher.console import LaunchError

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel lends ports to outgoing connections: nobody is lent a
# port of ours in the moment between our choice and a server's listen, or during its restart.
LOWEST_CHOICE = 15000
HIGHEST_CHOICE = 31999
ATTEMPTS = 500
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Ports:
    """Every port of one running stack; the metrics ports are private to the machine's operator."""

    api: int
    vault: int
    relay: int
    postgres: int
    valkey: int
    api_metrics: int
    vault_metrics: int
    worker_metrics: int
    # Of the second worker, the third and so on.
    more_worker_metrics: tuple[int, ...] = ()
    # Of the simulated card networks, where they are servers of their own.
    networks: tuple[int, ...] = ()


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a connection that lingers after its close is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as reason:
            raise LaunchError(f"port {port} needs privileges; choose one above 1023") from reason
        except OSError as reason:
            if reason.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def choose_ports(
    wanted: int, earlier: dict[str, Any], workers: int = 1, networks: int = 0
) -> Ports:
    """All ports for a start: `wanted` for the API (0: any), beside it the vault's token door."""
    chosen: set[int] = set()

    def free(preferred: object) -> int:
        if isinstance(preferred, int) and preferred <= LARGEST_PORT and preferred not in chosen:
            candidates = [preferred]
        else:
            candidates = []
        candidates += random.sample(  # nosec B311  # no secret
            range(LOWEST_CHOICE, HIGHEST_CHOICE), ATTEMPTS
        )
        for candidate in candidates:
            if candidate not in chosen and is_free(candidate):
                chosen.add(candidate)
                return candidate
        raise LaunchError("no free port found on loopback")

    api = free(wanted or earlier.get("api"))
    if wanted and api != wanted:
        raise LaunchError(f"port {wanted} is in use on {LOOPBACK}; choose another with --port")
    apart = ("api", "vault", "more_worker_metrics", "networks")
    others = [name for name in Ports.__dataclass_fields__ if name not in apart]
    vault = free(api + 1)
    named = {name: free(earlier.get(name)) for name in others}

    def several(name: str, number: int) -> tuple[int, ...]:
        """Those that are kept come first, however many there were before."""
        kept = [*earlier.get(name, ()), *[None] * number][:number]
        return tuple(free(port) for port in kept)

    more = several("more_worker_metrics", workers - 1)
    hosts = several("networks", networks)
    return Ports(api=api, vault=vault, **named, more_worker_metrics=more, networks=hosts)


def as_json(ports: Ports, process_ids: dict[str, int]) -> dict[str, Any]:
    """The content of ports.json: the ports by name, and `pids` by process name."""
    return {**asdict(ports), "pids": process_ids}
