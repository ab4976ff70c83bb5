"""A vault in a process of its own, with certificates, keys and a database of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from adapters.vault_door import VaultDoor
from scripts.launcher.certificates import ensure_certificates
from tests.cluster import Cluster, free_port
from vault.migrate import migrate
from vault.networks.journal import Journal, Line

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60.0


class House:
    """State directory, database and ports that vault processes of one test share."""

    def __init__(
        self, directory: Path, cluster: Cluster, latency: str = "0", addresses: str = ""
    ) -> None:
        self.directory = directory
        self.database_url = cluster.database()
        self.relay_port = free_port()
        self.token_port = free_port()
        self.latency = latency
        self.addresses = addresses
        self.processes: list[subprocess.Popen[bytes]] = []
        (directory / "tls").mkdir(mode=0o700, exist_ok=True)
        ensure_certificates(directory / "tls", datetime.now(UTC))
        migrate(self.database_url)

    @property
    def tls(self) -> Path:
        return self.directory / "tls"

    @property
    def log_path(self) -> Path:
        return self.directory / "vault.log"

    def door(self) -> VaultDoor:
        return VaultDoor("127.0.0.1", self.relay_port, self.tls)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start one more vault process and wait until it is ready."""
        lines_before = self._ready_lines()
        with self.log_path.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "paymint-vault")],
                stdout=output,
                stderr=output,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "VAULT_DATABASE_URL": self.database_url,
                    "PAYMINT_STATE_DIR": str(self.directory),
                    "PAYMINT_VAULT_PORT": str(self.token_port),
                    "PAYMINT_RELAY_PORT": str(self.relay_port),
                    "PAYMINT_NETWORK_LATENCY_MS": self.latency,
                    "PAYMINT_NETWORK_ADDRESSES": self.addresses,
                    "PAYMINT_STRICT_ANSWERS": "1",
                },
            )
        self.processes.append(process)
        ends = time.monotonic() + READY_SECONDS
        while self._ready_lines() == lines_before:
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(self.log_path.read_text())
            time.sleep(0.02)
        return process

    def stop(self, process: "subprocess.Popen[bytes]") -> int:
        """SIGTERM, and the exit status."""
        process.send_signal(signal.SIGTERM)
        return process.wait(READY_SECONDS)

    def end(self) -> None:
        """End every process that is still there."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def journal(self) -> list[Line]:
        """Everything the simulated networks have decided."""
        journal = Journal(self.directory / "simulator" / "journal.jsonl")
        try:
            return journal.news()
        finally:
            journal.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the vault's database."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def _ready_lines(self) -> int:
        if not self.log_path.exists():
            return 0
        return self.log_path.read_bytes().count(b'"vault_ready"')


@contextmanager
def house(
    directory: Path, cluster: Cluster, latency: str = "0", addresses: str = ""
) -> Iterator[House]:
    """A house whose processes are ended at the end; `addresses` are of networks over TCP."""
    built = House(directory, cluster, latency, addresses)
    try:
        yield built
    finally:
        built.end()
