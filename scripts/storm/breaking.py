"""Carrying faults out on a running stack; only processes that the stack started are touched."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

import msgspec
import psycopg
import redis

from scripts.launcher.cluster import SUPERUSER
from scripts.launcher.ports import LOOPBACK
from scripts.launcher.processes import inhabitants
from scripts.launcher.stack import Stack
from scripts.storm.faults import DELAY_SECONDS, DELAYS, REFUSES, Fault
from vault.networks.behaviours import Fault as NetworkFault
from vault.networks.outages import FILE_NAME, Outage
from vault.networks.reached import DIRECTORY

# Who is asked to do something to itself gets so long to do it.
PATIENCE_SECONDS: Final = 1
_PARENT_FIELD: Final = 1
_SIGNALS: Final = {"kill": signal.SIGKILL, "quit": signal.SIGQUIT, "term": signal.SIGTERM}
_SEVER: Final = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"""


class Breaking:
    """Does what faults say, and lets go of what was stopped when its time is over."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopped: list[tuple[float, set[int]]] = []
        self._outages: dict[str, tuple[float, Outage]] = {}

    def inject(self, fault: Fault) -> bool:
        """Whether the fault could be done: what is down already cannot be broken."""
        if fault.kind == "flush":
            return self._flush()
        if fault.kind == "sever":
            return self._sever()
        if fault.kind == "end":
            self._continue()
            names = list(self._stack.process_ids())
            reached = [self._signal(name, signal.SIGKILL) for name in names]
            return any(reached)
        if fault.kind == "stop":
            return self._stop(fault)
        if fault.kind == "network":
            self._outages[fault.target] = (time.monotonic() + fault.seconds, _outage(fault.how))
            self._tell_networks()
            return True
        # A process that was stopped could not die of anything but SIGKILL.
        self._continue()
        return self._signal(fault.target, _SIGNALS[fault.kind])

    def _continue(self) -> None:
        for _, processes in self._stopped:
            _send(processes, signal.SIGCONT)
        self._stopped = []

    def release(self, everything: bool = False) -> None:
        """Continues what was stopped, and mends networks that were away, for long enough."""
        now, kept = time.monotonic(), []
        for until, processes in self._stopped:
            if everything or now >= until:
                _send(processes, signal.SIGCONT)
            else:
                kept.append((until, processes))
        self._stopped = kept
        over = [name for name, (until, _) in self._outages.items() if everything or now >= until]
        for name in over:
            del self._outages[name]
        if over:
            self._tell_networks()

    def _tell_networks(self) -> None:
        """What is wrong with them stands in a file, which is replaced whole."""
        file = self._stack.state.path / DIRECTORY / FILE_NAME
        fresh = file.with_suffix(".new")
        fresh.write_bytes(
            msgspec.json.encode({name: outage for name, (_, outage) in self._outages.items()})
        )
        fresh.rename(file)

    def _signal(self, name: str, number: signal.Signals) -> bool:
        process = self._living(name)
        return process is not None and _send({process}, number)

    def _stop(self, fault: Fault) -> bool:
        process = self._living(fault.target)
        if process is None:
            return False
        processes = {process}
        if fault.target == "postgres":
            # Its backends are processes of their own, in sessions of their own.
            with contextlib.suppress(OSError):
                processes |= inhabitants(Path(os.readlink(f"/proc/{process}/cwd")))
        self._stopped.append((time.monotonic() + fault.seconds, processes))
        return _send(processes, signal.SIGSTOP)

    def _living(self, name: str) -> int | None:
        """The process of that name, if it still is a child of ours: numbers are used again."""
        process = self._stack.process_ids().get(name)
        if process is None:
            return None
        try:
            status = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return None
        state, parent = status.rpartition(")")[2].split()[: _PARENT_FIELD + 1]
        return process if state != "Z" and int(parent) == os.getpid() else None

    def _flush(self) -> bool:
        if self._stack.redis_url is None:
            return False
        client = redis.Redis.from_url(
            self._stack.redis_url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
        )
        try:
            client.flushall()
        except redis.RedisError:
            return False
        finally:
            client.close()
        return True

    def _sever(self) -> bool:
        try:
            with psycopg.connect(
                host=LOOPBACK,
                port=self._stack.ports.postgres,
                user=SUPERUSER,
                password=self._stack.state.password("postgres"),
                dbname="postgres",
                connect_timeout=2 * PATIENCE_SECONDS,
                autocommit=True,
            ) as connection:
                connection.execute(_SEVER)
        except psycopg.Error:
            return False
        return True


def _outage(how: str) -> Outage:
    if how == REFUSES:
        return Outage(refuses=True)
    if how == DELAYS:
        return Outage(delay_seconds=DELAY_SECONDS)
    return Outage(fault=NetworkFault(how))


def _send(processes: set[int], number: signal.Signals) -> bool:
    """Whether anybody was there to get the signal."""
    reached = False
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
            reached = True
    return reached
